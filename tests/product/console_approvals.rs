//! What is done at the console and needs a second person: asked for there, agreed to in a browser, done there.

use crate::supplier::{make_bundle, make_key};
use audit::Action;
use axum::http::StatusCode;
use domain::{Label, Permission, Role};
use identity::{ApprovalRules, Policy};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use testkit::{Browser, PASSWORD, TestApp};

/// A product whose data directory the console works in, too, under the same rules.
struct Place {
    world: TestApp,
    folder: TempDir,
}

impl Place {
    async fn new() -> Self {
        let approvals = ApprovalRules {
            audit_export: true,
            grants_from: Some(Label::Confidential),
            hold_release: true,
            restore: true,
            update: true,
            ..ApprovalRules::default()
        };
        let world = TestApp::with_policy(Policy { approvals, ..Policy::default() }).await;
        world.user("fynn", Role::Admin, Label::Internal).await;
        let folder = tempfile::tempdir().unwrap();
        let rules = "[approvals]\naudit_export = true\ngrants_from = \"confidential\"\nhold_release = true\nrestore = true\nupdate = true\n";
        std::fs::write(folder.path().join("carrel.toml"), rules).unwrap();
        std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        std::fs::write(folder.path().join("wrong"), "seven dry umbrellas\n").unwrap();
        Self { world, folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn carrel(&self, data: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
        command.arg("--config").arg(self.path("carrel.toml")).arg("--data").arg(data);
        command.args(arguments).output().unwrap()
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.carrel(self.world.data(), arguments);
        assert!(output.status.success(), "carrel {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.carrel(self.world.data(), arguments);
        assert_eq!(output.status.code(), Some(1), "carrel {arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The same, asked for by somebody who gives the right password.
    fn by<'a>(&self, arguments: &[&'a str], name: &'a str, password: &'a str) -> Vec<&'a str> {
        [arguments, &["--by", name, "--by-password-file", password]].concat()
    }

    async fn count(&self, action: Action) -> usize {
        self.world.events().await.iter().filter(|entry| entry.event.action == action).count()
    }
}

/// The id that the console is to go on with.
fn id_in(told: &str) -> String {
    told.rsplit_once("--approval ").unwrap_or_else(|| panic!("no id in {told}")).1.trim().to_owned()
}

async fn decide(browser: &mut Browser, id: &str, act: &str) -> StatusCode {
    browser.post(&format!("/approvals/{id}/{act}"), &[]).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_over_what_is_there_needs_two_people_and_keeps_what_was_there() {
    let place = Place::new().await;
    let (vault, key, password, wrong) =
        (place.path("vault"), place.path("key"), place.path("password"), place.path("wrong"));
    place.done(&["backup", "key", "--output", &key]);
    place.done(&["backup", "run", "--to", &vault]);
    let first = place.done(&["backup", "list", "--to", &vault]).trim().to_owned();
    place.done(&["backup", "run", "--to", &vault]);
    let restore = ["restore", "--from", &vault, "--key", &key, "--name", &first];
    let over = [&restore[..], &["--replace"]].concat();

    assert!(place.refused(&restore).contains("--replace"));
    assert!(place.refused(&over).contains("--by"));
    assert!(place.refused(&place.by(&over, "dora", &wrong)).contains("not right"));
    assert!(place.refused(&place.by(&over, "ada", &password)).contains("may not ask"));
    assert!(place.refused(&place.by(&over, "nobody", &password)).contains("there is no user"));
    let told = place.refused(&[&place.by(&over, "dora", &password)[..], &["--reason", "the disk"]].concat());
    let id = id_in(&told);
    let agreed = [&over[..], &["--approval", &id]].concat();
    assert!(place.refused(&agreed).contains("nobody has agreed"));

    let (mut dora, mut emil) = (place.world.signed_in("dora").await, place.world.signed_in("emil").await);
    assert_eq!(decide(&mut dora, &id, "agree").await, StatusCode::NOT_FOUND, "not her own");
    let page = emil.get("/approvals").await.expect(StatusCode::OK).body;
    assert!(page.contains(&first) && page.contains("the disk"), "{page}");
    assert_eq!(decide(&mut place.world.signed_in("clara").await, &id, "agree").await, StatusCode::NOT_FOUND);
    assert_eq!(decide(&mut emil, &id, "agree").await, StatusCode::SEE_OTHER);
    let page = dora.get("/approvals").await.expect(StatusCode::OK).body;
    assert!(page.contains(&format!("--approval {id}")), "{page}");

    let latest = ["restore", "--from", &vault, "--key", &key, "--replace", "--approval", &id];
    assert!(place.refused(&latest).contains("something else"), "another backup than the one agreed to");
    let lock = File::options().create(true).truncate(false).write(true).open(place.world.data().join("index.lock"));
    let lock = lock.unwrap();
    lock.try_lock().unwrap();
    assert!(place.refused(&agreed).contains("stop it"), "a server works there");
    drop(lock);
    let events = place.world.events().await.len();
    let done = place.done(&agreed);
    assert!(done.contains("was restored") && done.contains(".before-"), "{done}");

    // The agreement is in the log that was moved aside; the new log names it, and where the other ended.
    let log = place.path("log.csv");
    let data = place.world.data().to_owned();
    let site = storage::Store::open(&data.join("carrel.db"), domain::Environment::system()).await.unwrap();
    let last = site.audit_from(1, 10_000).await.unwrap().into_iter().next_back().unwrap();
    assert_eq!(last.event.action, Action::BackupRestored);
    let replaced = &last.event.detail["replaced"];
    assert_eq!(
        (&replaced["approval"]["asked_by"], &replaced["approval"]["agreed_by"]),
        (&"dora".into(), &"emil".into())
    );
    assert_eq!(replaced["audit_events"].as_u64(), Some(events as u64 + 1), "with the use of the agreement");
    let aside = PathBuf::from(replaced["moved_to"].as_str().unwrap());
    let old = storage::Store::open(&aside.join("carrel.db"), domain::Environment::system()).await.unwrap();
    let (count, hash) = old.audit_last().await.unwrap().unwrap();
    assert_eq!(
        (Some(count), hash.to_string().as_str()),
        (replaced["audit_events"].as_u64(), replaced["audit_hash"].as_str().unwrap())
    );
    old.close().await;
    std::fs::remove_dir_all(&aside).unwrap();
    assert!(!Path::new(&log).exists());
    assert!(place.refused(&agreed).contains("no such request"), "what was restored knows nothing of it");

    // A new appliance has nobody who could agree: there the vault's key is enough.
    let fresh = place.folder.path().join("fresh");
    let output = place.carrel(&fresh, &restore);
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_no_data_directory_is_never_replaced() {
    let place = Place::new().await;
    let (vault, key) = (place.path("vault"), place.path("key"));
    place.done(&["backup", "key", "--output", &key]);
    place.done(&["backup", "run", "--to", &vault]);
    let photos = place.folder.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    std::fs::write(photos.join("one.jpg"), "x").unwrap();
    let output = place.carrel(&photos, &["restore", "--from", &vault, "--key", &key, "--replace"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no data directory of this product"), "{output:?}");
    assert_eq!(std::fs::read_dir(&photos).unwrap().count(), 1, "nothing was touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legal_hold_ends_when_somebody_else_agrees() {
    let place = Place::new().await;
    let password = place.path("password");
    place.done(&["audit", "hold", "place", "Case 17/26", "--person", "ben"]);
    let release = ["audit", "hold", "release", "Case 17/26"];
    assert!(place.refused(&release).contains("--by"));
    assert!(place.refused(&["audit", "hold", "release", "Case 18"]).contains("does not exist"));
    let told = place.done(&place.by(&release, "emil", &password));
    assert!(told.contains("Approvals page") && place.count(Action::LegalHoldReleased).await == 0, "{told}");
    let id = told.split("request ").nth(1).unwrap().split(';').next().unwrap().to_owned();
    let (mut emil, mut dora) = (place.world.signed_in("emil").await, place.world.signed_in("dora").await);
    assert_eq!(decide(&mut emil, &id, "agree").await, StatusCode::NOT_FOUND);
    assert_eq!(decide(&mut dora, &id, "agree").await, StatusCode::SEE_OTHER);
    assert!(place.done(&["audit", "hold", "list"]).contains("released"));
    assert_eq!(decide(&mut dora, &id, "agree").await, StatusCode::NOT_FOUND, "once");

    // The same from the auditor's page; a refusal leaves the hold in force.
    place.done(&["audit", "hold", "place", "Case 19/26"]);
    let page = emil.get("/audit/checkpoint").await.expect(StatusCode::OK);
    assert!(page.body.contains("Ask for its end"), "{}", page.body);
    let fields = [("name", "Case 19/26"), ("reason", "closed by the court")];
    emil.post("/audit/holds/release", &fields).await.expect(StatusCode::SEE_OTHER);
    dora.post("/audit/holds/release", &fields).await.expect(StatusCode::FORBIDDEN);
    let waiting = place.world.app.store.approvals(1).await.unwrap()[0].id.to_string();
    assert_eq!(decide(&mut dora, &waiting, "refuse").await, StatusCode::SEE_OTHER);
    assert!(place.done(&["audit", "hold", "list"]).contains("everything  placed"));
    // A hold that ended meanwhile has no end to agree to.
    emil.post("/audit/holds/release", &fields).await.expect(StatusCode::SEE_OTHER);
    let waiting = place.world.app.store.approvals(1).await.unwrap()[0].clone();
    let mut act = place.world.app.store.begin().await.unwrap();
    act.release_hold("Case 19/26").await.unwrap();
    act.commit_housekeeping().await.unwrap();
    assert_eq!(decide(&mut dora, &waiting.id.to_string(), "agree").await, StatusCode::NOT_FOUND);
    assert_eq!(place.count(Action::LegalHoldReleased).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_asks_for_exports_and_grants_like_the_pages() {
    let place = Place::new().await;
    let (password, log) = (place.path("password"), place.path("log.csv"));
    let export = ["audit", "export", "--format", "csv", "--person", "ada", "--output", &log];
    assert!(place.refused(&export).contains("--by") && !Path::new(&log).exists());
    assert!(place.refused(&place.by(&export, "dora", &password)).contains("may not ask"));
    let id = id_in(&place.refused(&place.by(&export, "emil", &password)));
    assert_eq!(decide(&mut place.world.signed_in("dora").await, &id, "agree").await, StatusCode::SEE_OTHER);
    let all = ["audit", "export", "--output", &log, "--approval", &id];
    assert!(place.refused(&all).contains("something else") && !Path::new(&log).exists());
    place.done(&[&export[..], &["--approval", &id]].concat());
    assert!(place.refused(&[&export[..], &["--approval", &id]].concat()).contains("done already"));

    let board = place.world.collection("Board").await;
    place.world.submit(&board, "plan.md", b"# Plan\n\nSell the crane.\n", Some(Label::Confidential)).await;
    let grant = ["collection", "grant", "Board", "ben", "read"];
    assert!(place.refused(&grant).contains("--by"));
    place.done(&place.by(&grant, "dora", &password));
    let held = || async { place.world.app.store.grants(board.id).await.unwrap().iter().map(|g| g.permission).next() };
    assert_eq!(held().await, None);
    let waiting = place.world.app.store.approvals(1).await.unwrap()[0].id.to_string();
    assert_eq!(decide(&mut place.world.signed_in("fynn").await, &waiting, "agree").await, StatusCode::SEE_OTHER);
    assert_eq!(held().await, Some(Permission::Read));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_waits_goes_on_when_somebody_agrees() {
    let place = Place::new().await;
    let (vault, key, password) = (place.path("vault"), place.path("key"), place.path("password"));
    place.done(&["audit", "hold", "place", "Case 20/26"]);
    place.done(&["backup", "key", "--output", &key]);
    place.done(&["backup", "run", "--to", &vault]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
    command.arg("--config").arg(place.path("carrel.toml")).arg("--data").arg(place.world.data());
    command.args(["audit", "hold", "release", "Case 20/26", "--by", "emil", "--by-password-file", &password, "--wait"]);
    let waits = tokio::task::spawn_blocking(move || command.output().unwrap());
    let id = loop {
        if let Some(asked) = place.world.app.store.approvals(1).await.unwrap().first() {
            break asked.id.to_string();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(decide(&mut place.world.signed_in("dora").await, &id, "agree").await, StatusCode::SEE_OTHER);
    let output = waits.await.unwrap();
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("is released"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_goes_in_and_comes_back_when_somebody_else_agrees() {
    let place = Place::new().await;
    let (folder, password) = (place.folder.path(), place.path("password"));
    make_key(folder, "supplier");
    for made in ["ring", "files"] {
        std::fs::create_dir(folder.join(made)).unwrap();
    }
    std::fs::copy(folder.join("supplier.pub"), folder.join("ring/supplier.pub")).unwrap();
    std::fs::write(folder.join("files/glossary.csv"), "VPN,virtual private network\n").unwrap();
    let (first, glossary) = (make_bundle(folder, "lists", 1, &folder.join("files"), &[]), folder.join("glossary.csv"));
    std::fs::write(folder.join("files/glossary.csv"), "PO,People Office\n").unwrap();
    let second = make_bundle(folder, "lists", 2, &folder.join("files"), &[]);
    let rules = std::fs::read_to_string(folder.join("carrel.toml")).unwrap();
    std::fs::write(&glossary, "HR,human resources\n").unwrap();
    let words = || std::fs::read_to_string(&glossary).unwrap()[..2].to_owned();
    let more = format!("[bundles]\nkeys = {:?}\n[search]\nglossary = {glossary:?}\n", folder.join("ring"));
    std::fs::write(folder.join("carrel.toml"), rules + &more).unwrap();

    let apply = ["bundle", "apply", &first];
    assert!(place.refused(&apply).contains("--by") && words() == "HR");
    assert!(place.refused(&place.by(&apply, "emil", &password)).contains("may not ask"), "an admin's matter");
    let id = id_in(&place.refused(&place.by(&apply, "dora", &password)));
    let mut dora = place.world.signed_in("dora").await;
    assert_eq!(decide(&mut dora, &id, "agree").await, StatusCode::NOT_FOUND, "nobody agrees to their own");
    assert_eq!(decide(&mut place.world.signed_in("fynn").await, &id, "agree").await, StatusCode::SEE_OTHER);
    let other = ["bundle", "apply", &second, "--approval", &id];
    assert!(place.refused(&other).contains("something else") && words() == "HR", "agreed to these bytes alone");
    place.done(&[&apply[..], &["--approval", &id]].concat());
    assert_eq!(words(), "VP");
    assert_eq!(place.count(Action::BundleApplied).await, 1);

    let back = ["bundle", "rollback", "lists"];
    assert!(place.refused(&back).contains("--by") && words() == "VP");
    let id = id_in(&place.refused(&place.by(&back, "dora", &password)));
    assert_eq!(decide(&mut place.world.signed_in("emil").await, &id, "agree").await, StatusCode::SEE_OTHER);
    place.done(&[&back[..], &["--approval", &id]].concat());
    assert_eq!((words(), place.count(Action::BundleRolledBack).await), ("HR".to_owned(), 1));
}
