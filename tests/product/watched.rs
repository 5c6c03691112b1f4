//! Watching: quarantine, the watcher itself, the page and the command line.

use crate::sources::Share;
use audit::Action;
use axum::http::StatusCode;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use storage::{JobFilter, JobState, Removal};
use testkit::model_directory;

/// Rounds of the watcher until `done`; a file has to be left alone for a moment before it is taken.
async fn until(share: &Share, done: impl AsyncFn() -> bool) {
    for _ in 0..200 {
        share.world.app.watcher.round().await.unwrap();
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the watcher never noticed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watcher_hears_of_new_files_and_takes_them_when_they_are_left_alone() {
    let share = Share::new(Removal::Delete, false).await;
    share.write("old.txt", "It was there before.");
    until(&share, async || share.document("old.txt").await.is_some()).await;
    share.write("new/deep.txt", "It came later, in a folder of its own.");
    until(&share, async || share.document("new/deep.txt").await.is_some()).await;
    share.world.ingest().await;
    let folder = share.world.app.store.folder(share.folder.id).await.unwrap().unwrap();
    assert_eq!((folder.found.unwrap().files, folder.problem), (2, None));
    let batches = share.world.app.store.batches(None, 10).await.unwrap();
    assert_eq!(batches.len(), 2, "one for each look that found something");
    assert!(batches.iter().all(|batch| batch.title == share.folder.path));

    let paused = storage::Folder { paused: true, ..share.folder.clone() };
    let (store, actor) = (&share.world.app.store, audit::Actor::console());
    ingest::change_folder(store, &share.folder, &paused, &actor, share.operation()).await.unwrap();
    assert_eq!(share.world.app.watcher.round().await.unwrap(), 0);
    share.world.app.watcher.look_now(share.folder.id);
    assert_eq!(share.world.app.watcher.round().await.unwrap(), 1, "a person wants it");
    ingest::remove_folder(store, &paused, &actor, share.operation()).await.unwrap();
    assert_eq!(share.world.app.watcher.round().await.unwrap(), 0);
    assert!(share.document("old.txt").await.is_some(), "documents stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_quarantine_is_there_for_nobody_until_it_is_released() {
    let share = Share::new(Removal::Keep, true).await;
    share.write("stick.txt", "The lantern is lit at dusk.");
    until(&share, async || share.jobs(JobState::Held).await == 1).await;
    share.world.ingest().await;
    let document = share.document("stick.txt").await.unwrap();
    let mut ada = share.world.signed_in("ada").await;
    let list = format!("/collections/{}", share.collection.id);
    assert!(!ada.get(&list).await.body.contains("stick"), "not even its name");
    for address in [format!("/documents/{}", document.id), format!("/documents/{}/original", document.id)] {
        for who in ["ada", "clara", "dora"] {
            let mut browser = share.world.signed_in(who).await;
            browser.get(&address).await.expect(StatusCode::NOT_FOUND);
        }
    }
    assert!(!share.finds("lantern", "dusk").await);

    // The same bytes by a trusted way do not wait with it.
    share.world.submit(&share.collection, "own.txt", b"The lantern is lit at dusk.", None).await;
    share.world.ingest().await;
    assert_ne!(share.document("own.txt").await.unwrap().id, document.id);

    let batch = share.world.app.store.batches(None, 1).await.unwrap().remove(0);
    let mut act = share.world.app.store.begin().await.unwrap();
    assert_eq!(act.release_batch(batch.id).await.unwrap(), 1);
    act.commit_housekeeping().await.unwrap();
    share.world.ingest().await;
    ada.get(&format!("/documents/{}", document.id)).await.expect(StatusCode::OK);
    assert!(ada.get(&list).await.body.contains("Stick"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_in_quarantine_goes_with_its_bytes_and_does_not_come_again() {
    let share = Share::new(Removal::Keep, true).await;
    share.write("bad.txt", "Nobody wants to read this.");
    until(&share, async || share.jobs(JobState::Held).await == 1).await;
    let content = share.document("bad.txt").await.unwrap().content;
    let job = share.world.app.store.jobs(&JobFilter::default(), 1).await.unwrap().remove(0);
    let mut clara = share.world.signed_in("clara").await;
    clara.post(&format!("/jobs/{}/cancel", job.id), &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(share.document("bad.txt").await.is_none());

    let hash = content.to_string();
    let file = share.world.data().join("content").join(&hash[..2]).join(&hash[2..]);
    let sweep = async || ingest::sweep(&share.world.app.store, &share.world.app.content).await.unwrap().unused;
    assert_eq!(sweep().await, 0, "it was stored a moment ago");
    let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000);
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(sweep().await, 1);
    assert!(!file.exists());

    share.world.app.watcher.look_now(share.folder.id);
    share.world.app.watcher.round().await.unwrap();
    assert_eq!(share.jobs(JobState::Held).await, 0, "the refusal holds");
    // What its label was nobody knows any more, and unknown means denied.
    clara.post(&format!("/jobs/{}/retry", job.id), &[]).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(share.jobs(JobState::Waiting).await, 0, "there is nothing left to read");
    share.write("bad.txt", "On second thoughts, read this instead.");
    until(&share, async || share.jobs(JobState::Held).await == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_managed_by_those_who_manage_their_collection() {
    let share = Share::new(Removal::Keep, false).await;
    let (world, id) = (&share.world, share.folder.id);
    let other = world.collection("Other").await;
    for (who, expected) in [
        ("ada", StatusCode::FORBIDDEN),
        ("emil", StatusCode::FORBIDDEN),
        ("clara", StatusCode::OK),
        ("dora", StatusCode::OK),
    ] {
        let mut browser = world.signed_in(who).await;
        let page = browser.get("/folders").await.expect(expected).body;
        assert_eq!(page.contains(&share.folder.path), expected == StatusCode::OK);
    }
    world.user("carl", domain::Role::Curator, domain::Label::Internal).await;
    let mut carl = world.signed_in("carl").await;
    assert!(!carl.get("/folders").await.body.contains(&share.folder.path));
    for deed in ["pause", "look", "remove"] {
        carl.post(&format!("/folders/{id}/{deed}"), &[]).await.expect(StatusCode::NOT_FOUND);
    }

    let mut clara = world.signed_in("clara").await;
    let root = world.shares();
    std::fs::create_dir_all(root.join("new")).unwrap();
    std::os::unix::fs::symlink("/etc", root.join("etc")).unwrap();
    let into = share.collection.id.to_string();
    let elsewhere = other.id.to_string();
    let path = |name: &str| root.join(name).display().to_string();
    let (new, link, own) = (path("new"), path("etc"), world.data().display().to_string());
    let rules: [(&str, &str); 3] = [("removal", "hide"), ("every", "60"), ("label", "")];
    let fields = |path: &str, collection: &str| -> Vec<(String, String)> {
        let mut all = vec![("path".to_owned(), path.to_owned()), ("collection".to_owned(), collection.to_owned())];
        all.extend(rules.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        all
    };
    for (path, collection, expected) in [
        ("/etc", &into, StatusCode::BAD_REQUEST),
        (&link, &into, StatusCode::BAD_REQUEST),
        (&own, &into, StatusCode::BAD_REQUEST),
        (&share.folder.path, &into, StatusCode::BAD_REQUEST),
        (&new, &elsewhere, StatusCode::NOT_FOUND),
        (&new, &into, StatusCode::SEE_OTHER),
    ] {
        let fields = fields(path, collection);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        clara.post("/folders", &fields).await.expect(expected);
    }
    let added = world.app.store.folders().await.unwrap().into_iter().find(|folder| folder.path == new).unwrap();
    assert_eq!((added.removal, added.every, added.quarantine), (Removal::Hide, 60, false));
    let address = |deed: &str| format!("/folders/{}/{deed}", added.id);
    clara.post(&address("pause"), &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(clara.get("/folders").await.body.contains("paused"));
    clara.post(&address("resume"), &[]).await.expect(StatusCode::SEE_OTHER);
    clara.post(&address("look"), &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(world.app.watcher.is_looking(added.id));
    assert!(clara.get(&address("remove")).await.expect(StatusCode::OK).body.contains("Watch it no longer"));
    clara.post(&address("remove"), &[]).await.expect(StatusCode::SEE_OTHER);
    assert!(world.app.store.folder(added.id).await.unwrap().is_none());
    let events = world.events().await;
    let changes =
        events.iter().filter(|entry| entry.event.action == Action::FolderChanged && entry.event.actor.name == "clara");
    assert_eq!(changes.count(), 4, "added, paused, resumed, removed");
}

fn carrel(data: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
    let output = command.arg("--data").arg(data).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn folders_jobs_and_reports_at_the_console() {
    let root = tempfile::tempdir().unwrap();
    let (data, inbox) = (root.path().join("data"), root.path().join("inbox"));
    std::fs::create_dir_all(&inbox).unwrap();
    let done = |arguments: &[&str]| -> String {
        let (code, out, err) = carrel(&data, arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
        out
    };
    let refused = |arguments: &[&str]| -> String {
        let (code, _, err) = carrel(&data, arguments);
        assert_eq!(code, Some(1), "{arguments:?}");
        err
    };
    let json = |arguments: &[&str]| -> serde_json::Value { serde_json::from_str(&done(arguments)).unwrap() };
    done(&["model", "import", model_directory().join("all-minilm-l6-v2").to_str().unwrap()]);
    done(&["collection", "create", "Harbour"]);
    let path = inbox.to_str().unwrap();
    std::fs::write(inbox.join("tides.txt"), "High water is at nine.").unwrap();
    std::fs::write(inbox.join("twin.txt"), "High water is at nine.").unwrap();
    std::fs::write(inbox.join("broken.pdf"), "%PDF-1.7\n1 0 obj\n<<").unwrap();

    let dry = json(&["import", path, "--collection", "Harbour", "--dry-run", "--json"]);
    assert_eq!(dry["would_import"].as_array().unwrap().len(), 3);
    assert_eq!(json(&["job", "list", "--json"])["jobs"].as_array().unwrap().len(), 0, "nothing was done");
    assert!(refused(&["job", "report", "latest"]).contains("there is no batch yet"));

    let table = root.path().join("failed.csv");
    let (code, out, _) =
        carrel(&data, &["import", path, "--collection", "Harbour", "--json", "--report", table.to_str().unwrap()]);
    assert_eq!(code, Some(1), "one file is broken");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["imported"], &report["duplicates"]), (&1.into(), &1.into()), "{report}");
    assert_eq!(report["failed"][0]["file"], "broken.pdf");
    let csv = std::fs::read_to_string(table).unwrap();
    assert!(csv.starts_with("file,reason\nbroken.pdf,"), "{csv}");
    assert_eq!(csv, done(&["job", "report", "latest"]));
    let batches = json(&["job", "batches", "--json"]);
    assert_eq!(batches["batches"][0]["progress"]["failed"], 1, "{batches}");
    let failed = json(&["job", "list", "--state", "failed", "--batch", "latest", "--json"]);
    assert_eq!(failed["jobs"][0]["source"], "broken.pdf");
    assert!(done(&["job", "retry", "latest"]).contains("1 job retried"));
    for (deed, words) in [("pause", "paused"), ("resume", "resumed"), ("cancel", "cancelled")] {
        assert_eq!(done(&["job", deed, "latest"]), format!("1 job {words}\n"));
    }
    assert!(done(&["job", "release", "latest"]).contains("no job of this batch"));
    let unknown = refused(&["job", "cancel", "none"]);
    assert!(unknown.contains("there is no batch 'none'"), "{unknown}");

    let usb = root.path().join("usb");
    std::fs::create_dir(&usb).unwrap();
    let usb = usb.to_str().unwrap();
    assert!(refused(&["folder", "add", data.to_str().unwrap(), "--collection", "Harbour"]).contains("own data"));
    assert!(refused(&["folder", "add", usb, "--collection", "Harbour", "--every", "1"]).contains("seconds"));
    done(&["folder", "add", usb, "--collection", "Harbour", "--quarantine", "--removal", "hide"]);
    assert!(
        refused(&["folder", "add", usb, "--collection", "Harbour"]).contains("watched for this collection already")
    );
    std::fs::write(Path::new(usb).join("stick.txt"), "A stick was found on the pier.").unwrap();
    let scanned = json(&["folder", "scan", usb, "--json"]);
    assert_eq!(scanned["found"]["changed"], 1, "{scanned}");
    let held = json(&["job", "list", "--state", "held", "--json"]);
    assert_eq!(held["jobs"][0]["source"], "stick.txt");
    done(&["folder", "pause", usb]);
    let list = json(&["folder", "list", "--json"]);
    assert_eq!((&list["folders"][0]["paused"], &list["folders"][0]["removal"]), (&true.into(), &"hide".into()));
    done(&["folder", "resume", usb]);
    assert!(done(&["folder", "list"]).contains("quarantine"));
    assert!(done(&["job", "release", "latest"]).contains("1 job released"));
    // Whoever has the index next reads what waits.
    let (_, out, _) = carrel(&data, &["import", path, "--collection", "Harbour", "--json"]);
    assert!(out.contains("unchanged"), "{out}");
    let ready = json(&["job", "list", "--state", "done", "--json"]);
    assert!(ready["jobs"].as_array().unwrap().iter().any(|job| job["source"] == "stick.txt"), "{ready}");
    done(&["folder", "remove", usb]);
    assert!(refused(&["folder", "scan", usb]).contains("is not watched"));
}
