//! `carrel doctor` on data directories that were damaged on purpose, one kind at a time: each is found, and the finding says
//! what to do.

use audit::{Action, Actor, Event};
use domain::{Clock, Environment, OperationId, SystemRandom};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use storage::Store;
use testkit::model_directory;

/// A sound data directory with a model, a person and three documents, made once and copied for each test.
pub(crate) fn sound() -> (tempfile::TempDir, PathBuf) {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let files = folder.path().join("files");
        std::fs::create_dir(&files).unwrap();
        for number in 0..3 {
            std::fs::write(files.join(format!("buoy-{number}.txt")), format!("Buoy {number} is lit at dusk.")).unwrap();
        }
        let password = folder.path().join("password");
        std::fs::write(&password, "quiet herons at noon\n").unwrap();
        let (files, password) = (files.to_str().unwrap(), password.to_str().unwrap());
        let model = model_directory().join("all-minilm-l6-v2");
        done(&data, &["model", "import", model.to_str().unwrap()]);
        done(&data, &["user", "create", "ada", "--password-file", password]);
        done(&data, &["collection", "create", "Port"]);
        done(&data, &["import", files, "--collection", "Port"]);
        done(&data, &["audit", "checkpoint", "--output", folder.path().join("kept").to_str().unwrap()]);
        // What SQLite still has in its journal goes into the file: whoever opens it next would do that.
        let all = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(&data, "PRAGMA wal_checkpoint(TRUNCATE)"));
        });
        all.join().unwrap();
        folder
    });
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // Models are large and never written to: they are linked.
    let copied =
        "mkdir -m 700 $2; cd $1; for each in *; do [ $each = models ] || cp -a $each $2/; done; cp -al models $2/";
    let copied = Command::new("sh").args(["-ec", copied, "sh"]).arg(made.path().join("data")).arg(&data).status();
    assert!(copied.unwrap().success());
    (folder, data)
}

pub(crate) fn carrel(data: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
    command.arg("--data").arg(data).args(arguments).envs(settings.iter().copied()).output().unwrap()
}

pub(crate) fn done(data: &Path, arguments: &[&str]) -> String {
    let output = carrel(data, &[], arguments);
    assert!(output.status.success(), "carrel {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the doctor finds, and whether it ends well.
fn examined(data: &Path, settings: &[(&str, &str)], deep: bool) -> (bool, Vec<Value>) {
    let arguments: &[&str] = if deep { &["doctor", "--json", "--deep"] } else { &["doctor", "--json"] };
    let output = carrel(data, settings, arguments);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(report["ok"], output.status.success(), "{report:#}");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    (output.status.success(), report["checks"].as_array().unwrap().clone())
}

/// The one finding that failed; it says why that matters and what to do.
#[track_caller]
fn fails(data: &Path, settings: &[(&str, &str)], code: &str) -> Value {
    let (well, checks) = examined(data, settings, false);
    let failed: Vec<&Value> = checks.iter().filter(|check| check["state"] == "failed").collect();
    assert!(!well && failed.iter().any(|check| check["code"] == code), "{checks:#?}");
    for check in &failed {
        assert!(check["why"].as_str().is_some_and(|why| why.len() > 10), "{check}");
        assert!(check["advice"].as_str().is_some_and(|advice| advice.len() > 10), "{check}");
    }
    failed.into_iter().find(|check| check["code"] == code).unwrap().clone()
}

#[track_caller]
fn warns(data: &Path, settings: &[(&str, &str)], code: &str) -> Value {
    let (_, checks) = examined(data, settings, false);
    let found = checks.iter().find(|check| check["code"] == code && check["state"] == "warning");
    found.unwrap_or_else(|| panic!("{checks:#?}")).clone()
}

fn says(finding: &Value, words: &str) {
    assert!(finding["detail"].as_str().unwrap().contains(words), "{finding}");
}

async fn database(data: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(data.join("carrel.db")).foreign_keys(false);
    options.connect().await.unwrap()
}

pub(crate) async fn run(data: &Path, statement: &'static str) {
    let mut connection = database(data).await;
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

#[test]
fn a_sound_directory_is_well_and_is_not_changed() {
    let (_folder, data) = sound();
    let state = || {
        let listed = Command::new("find").arg(&data).args(["-type", "f", "-printf", "%P %s %T@\\n"]).output().unwrap();
        let mut lines: Vec<String> = String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect();
        // SQLite's own files beside the database come and go with every reader.
        lines.retain(|line| !line.starts_with("carrel.db-"));
        lines.sort();
        lines
    };
    let before = state();
    let (well, checks) = examined(&data, &[], true);
    assert!(well, "{checks:#?}");
    let codes: Vec<&str> = checks.iter().map(|check| check["code"].as_str().unwrap()).collect();
    for code in [
        "configuration",
        "permissions",
        "disk",
        "schema",
        "database",
        "audit_log",
        "signing_key",
        "model",
        "outbox",
        "originals",
        "queue",
        "leases",
        "checkpoint",
        "backup",
        "clock",
        "index",
        "kernel",
        "confinement",
        "processor",
    ] {
        assert!(codes.contains(&code), "{code} is looked at: {codes:?}");
    }
    let of = |code: &str| checks.iter().find(|check| check["code"] == code).unwrap();
    assert_eq!(of("originals")["figures"]["read"], 3, "--deep reads all");
    assert_eq!(of("backup")["state"], "warning", "none was made");
    says(of("index"), "3 passages");
    let index = |lines: &[String]| lines.iter().filter(|line| !line.starts_with("index")).cloned().collect::<Vec<_>>();
    assert_eq!(index(&state()), index(&before), "looking changes nothing");
    let text = carrel(&data, &[], &["doctor"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("ok      database") && text.contains("do:  make a key"), "{text}");
}

#[test]
fn modes_and_a_missing_database_are_found() {
    let (folder, data) = sound();
    std::fs::set_permissions(data.join("keys/identity.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    says(&fails(&data, &[], "permissions"), "identity.key (mode 644)");
    std::fs::set_permissions(data.join("keys/identity.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    if std::os::unix::fs::chown(data.join("index.lock"), Some(900), None).is_ok() {
        says(&fails(&data, &[], "permissions"), "index.lock belongs to somebody else");
    }
    let nothing = folder.path().join("elsewhere");
    std::fs::create_dir(&nothing).unwrap();
    std::fs::set_permissions(&nothing, std::fs::Permissions::from_mode(0o700)).unwrap();
    says(&fails(&nothing, &[], "database"), "no database");
    assert!(!nothing.join("carrel.db").exists() && !nothing.join("keys").exists(), "nothing is made");
}

#[test]
fn too_little_room_is_found() {
    let (_folder, data) = sound();
    says(&fails(&data, &[("CARREL_DISK__RESERVE_MB", "900000000")], "disk"), "are kept");
    // Of the check after an update it decides nothing.
    let quick = carrel(&data, &[("CARREL_DISK__RESERVE_MB", "900000000")], &["selftest", "--quick"]);
    assert!(quick.status.success(), "{quick:?}");
}

#[test]
fn damaged_pages_are_found() {
    let (_folder, data) = sound();
    let file = data.join("carrel.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let length = bytes.len();
    bytes[length / 2..length / 2 + 12_000].fill(0xA5);
    std::fs::write(&file, bytes).unwrap();
    let (well, checks) = examined(&data, &[], false);
    assert!(
        !well && checks.iter().any(|check| check["code"] == "database" && check["state"] == "failed"),
        "{checks:#?}"
    );
    std::fs::write(&file, vec![7; 8192]).unwrap();
    fails(&data, &[], "database");
}

#[tokio::test]
async fn references_to_nothing_are_found() {
    let (_folder, data) = sound();
    run(&data, "DELETE FROM collections").await;
    says(&fails(&data, &[], "database"), "refer to rows that are not there");
}

#[tokio::test]
async fn another_release_of_the_database_is_found() {
    let (_folder, data) = sound();
    run(
        &data,
        "UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
    )
    .await;
    says(&fails(&data, &[], "schema"), "a newer release");
}

#[test]
fn missing_and_altered_originals_are_found() {
    let (_folder, data) = sound();
    let listed = Command::new("find").arg(data.join("content")).args(["-type", "f"]).output().unwrap();
    let files: Vec<PathBuf> = String::from_utf8(listed.stdout).unwrap().lines().map(PathBuf::from).collect();
    assert_eq!(files.len(), 3);
    std::fs::remove_file(&files[0]).unwrap();
    says(&fails(&data, &[], "originals"), "1 missing");
    let text = std::fs::read_to_string(&files[1]).unwrap();
    std::fs::write(&files[1], text.replace("dusk", "dawn")).unwrap();
    let finding = fails(&data, &[], "originals");
    says(&finding, "of 3 originals 1 missing");
    says(&finding, "1 altered");
}

#[tokio::test]
async fn an_edited_log_is_found() {
    let (_folder, data) = sound();
    run(&data, "DROP TRIGGER audit_events_update").await;
    run(&data, "UPDATE audit_events SET actor = 'nobody' WHERE sequence = 2").await;
    fails(&data, &[], "audit_log");
}

#[tokio::test]
async fn a_log_whose_end_was_cut_off_is_found_by_its_checkpoint() {
    let (_folder, data) = sound();
    run(&data, "DROP TRIGGER audit_events_delete").await;
    run(&data, "DROP TRIGGER audit_mentions_delete").await;
    run(&data, "DELETE FROM audit_mentions WHERE sequence = (SELECT max(sequence) FROM audit_events)").await;
    run(&data, "DELETE FROM audit_events WHERE sequence >= (SELECT max(size) FROM audit_checkpoints)").await;
    fails(&data, &[], "audit_log");
}

#[test]
fn a_signing_key_that_others_may_read_is_found() {
    let (_folder, data) = sound();
    std::fs::write(data.join("keys/audit.pem"), "no key").unwrap();
    fails(&data, &[], "signing_key");
    std::fs::remove_file(data.join("keys/audit.pem")).unwrap();
    warns(&data, &[], "signing_key");
}

#[test]
fn a_model_that_was_changed_or_is_gone_is_found() {
    let (_folder, data) = sound();
    let file = data.join("models/all-minilm-l6-v2/model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 9;
    bytes[last] ^= 1;
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, bytes).unwrap();
    says(&fails(&data, &[], "model"), "changed after the import");
    std::fs::remove_dir_all(data.join("models/all-minilm-l6-v2")).unwrap();
    says(&fails(&data, &[], "model"), "is gone");
}

#[test]
fn a_certificate_that_ended_and_one_about_to_end_are_found() {
    let (folder, data) = sound();
    let key = rcgen::KeyPair::generate().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    std::fs::set_permissions(path("key.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let until = |end: Timestamp| {
        let mut parameters = rcgen::CertificateParams::new(vec!["desk.example".to_owned()]).unwrap();
        let date = end.to_zoned(jiff::tz::TimeZone::UTC).date();
        parameters.not_after =
            rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs());
        std::fs::write(path("own.pem"), parameters.self_signed(&key).unwrap().pem()).unwrap();
    };
    let (certificate, key_file) = (path("own.pem"), path("key.pem"));
    let settings = [("CARREL_TLS__CERTIFICATE", certificate.as_str()), ("CARREL_TLS__KEY", key_file.as_str())];
    let now = Environment::system().now();
    until(now - SignedDuration::from_hours(48));
    says(&fails(&data, &settings, "certificate"), "it ended on");
    until(now + SignedDuration::from_hours(10 * 24));
    says(&warns(&data, &settings, "certificate"), "it ends on");
}

struct Later(SignedDuration);

impl Clock for Later {
    fn now(&self) -> Timestamp {
        Environment::system().now() + self.0
    }
}

#[tokio::test]
async fn a_clock_that_went_back_is_found() {
    let (_folder, data) = sound();
    let environment = Environment::new(Later(SignedDuration::from_hours(24)), SystemRandom);
    let store = Store::open(&data.join("carrel.db"), environment.clone()).await.unwrap();
    let mut act = store.begin().await.unwrap();
    act.record(Event::new(Action::ServerStarted, &Actor::system(), OperationId::new(&environment))).await.unwrap();
    act.commit().await.unwrap();
    store.close().await;
    says(&fails(&data, &[], "clock"), "and the last event is of");
}

#[tokio::test]
async fn jobs_that_nobody_works_on_are_found_beside_a_server() {
    let (_folder, data) = sound();
    run(&data, "UPDATE jobs SET state = 'running', lease_owner = 'gone', leased_until = 1, finished_at = NULL").await;
    let lock = std::fs::File::options().append(true).open(data.join("index.lock")).unwrap();
    lock.lock().unwrap();
    let found = warns(&data, &[], "leases");
    says(&found, "3 jobs are held");
    drop(lock);
    let (_, checks) = examined(&data, &[], false);
    let leases = checks.iter().find(|check| check["code"] == "leases").unwrap();
    assert_eq!(leases["state"], "ok", "without a server the next start goes on with them: {leases}");
}

#[test]
fn a_backup_that_fails_is_found() {
    let (folder, data) = sound();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    done(&data, &["backup", "key", "--output", &path("key.txt")]);
    done(&data, &["backup", "run", "--to", &path("vault")]);
    let (_, checks) = examined(&data, &[], false);
    assert!(checks.iter().any(|check| check["code"] == "backup" && check["state"] == "ok"), "{checks:#?}");
    std::fs::write(path("file"), "no folder").unwrap();
    assert!(!carrel(&data, &[], &["backup", "run", "--to", &path("file")]).status.success());
    says(&fails(&data, &[], "backup"), "the last attempt failed");
    let unmounted = [("CARREL_BACKUP__TO", "/nowhere/backup")];
    says(&fails(&data, &unmounted, "configuration"), "is its disk mounted?");
}

#[test]
fn a_damaged_index_is_found_and_made_anew() {
    let (_folder, data) = sound();
    let index = || examined(&data, &[], false).1.into_iter().find(|check| check["code"] == "index").unwrap();
    let listed =
        Command::new("find").arg(data.join("index")).args(["-type", "f", "-name", "meta.json"]).output().unwrap();
    let meta = String::from_utf8(listed.stdout).unwrap();
    let meta = Path::new(meta.lines().next().unwrap());
    // Where the words stand that a search reads one day, and opening does not.
    let postings = std::fs::read_dir(meta.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let postings = postings.filter(|path| path.extension().is_some_and(|kind| kind == "idx"));
    let postings = postings.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&postings).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] = !bytes[middle];
    std::fs::write(&postings, bytes).unwrap();
    says(&warns(&data, &[], "index"), "was altered");
    done(&data, &["index", "rebuild"]);
    says(&index(), "3 passages");

    let listed = Command::new("find").arg(data.join("index")).args(["-name", "meta.json"]).output().unwrap();
    std::fs::write(String::from_utf8(listed.stdout).unwrap().lines().next().unwrap(), "{").unwrap();
    says(&warns(&data, &[], "index"), "damaged");
    done(&data, &["index", "rebuild"]);
    says(&index(), "3 passages");
}

#[test]
fn a_configuration_that_cannot_be_used_is_a_finding() {
    let (folder, data) = sound();
    says(&fails(&data, &[("CARREL_TLS__OFF", " ")], "configuration"), "tls.off needs a reason");
    let file = folder.path().join("carrel.toml");
    std::fs::write(&file, "organization = \"misspelt\"\n").unwrap();
    let output = carrel(&data, &[], &["--config", file.to_str().unwrap(), "doctor", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    says(&report["checks"][0], "organization");
}
