//! A disk that fills up: taking in stops first and goes on by itself; reading, asking, sign-in and the audit log go on. On
//! a real file system that is really full, where mounting is permitted.

use crate::story::ask;
use crate::{HANDBOOK, with_handbook};
use axum::http::StatusCode;
use domain::Permission;
use identity::TokenScope;
use ingest::{Reserve, WorkerError};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use storage::{JobFilter, JobState};
use testkit::{PASSWORD, TestApp};
use tokio_util::sync::CancellationToken;

const QUESTION: &str = "How many days of annual leave do I get in my first year?";
const MIB: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn below_the_reserve_nothing_is_taken_in_and_everything_else_goes_on() {
    let (mut world, handbook) = with_handbook().await;
    world.keep_free(u64::MAX / 2);
    let mut clara = world.signed_in("clara").await;
    let address = format!("/collections/{}/documents", handbook.id);
    let page = clara.upload(&address, "internal", "new.txt", b"The gate opens at six.").await;
    let page = page.expect(StatusCode::INSUFFICIENT_STORAGE);
    assert!(page.body.contains("nothing more is taken in") && page.body.contains("goes on by itself"), "{}", page.body);
    let token = world.token_for("clara", TokenScope::Manage).await.unwrap();
    let address = "/api/v1/documents?collection=Handbook";
    let told = world.program(Some(&token)).upload(address, &[], &[("new.txt", "The gate opens at six.")]).await;
    assert_eq!(told.status, StatusCode::INSUFFICIENT_STORAGE);
    assert!(told.text.contains("\"disk_full\""), "{}", told.text);
    assert_eq!(world.app.store.open_jobs().await.unwrap(), 0, "nothing was taken in");

    let mut ada = world.signed_in("ada").await;
    let (_, answer) = ask(&mut ada, QUESTION).await;
    assert!(answer.contains("24 days of annual leave"));
    ada.get("/search?q=annual+leave").await.expect(StatusCode::OK);
    let mut dora = world.signed_in("dora").await;
    let health = dora.get("/admin").await.expect(StatusCode::OK).body;
    assert!(health.contains("verdict-bad") && health.contains("taking in has stopped"), "{health}");
    assert!(health.contains("make room"), "it says what to do");
    let jobs = clara.get("/jobs").await.expect(StatusCode::OK).body;
    assert!(jobs.contains("Nothing is taken in:") && jobs.contains("goes on by itself"), "{jobs}");
}

#[test]
fn an_import_at_the_console_says_why_it_takes_nothing_in() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("a.txt"));
    std::fs::write(&file, "The gate opens at six.").unwrap();
    let carrel = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
        command.arg("--data").arg(&data).env("CARREL_DISK__RESERVE_MB", "900000000").args(arguments).output().unwrap()
    };
    assert!(carrel(&["collection", "create", "Port"]).status.success(), "what is no document goes on");
    let model = testkit::model_directory().join("all-minilm-l6-v2");
    assert!(carrel(&["model", "import", model.to_str().unwrap()]).status.success());
    let output = carrel(&["import", file.to_str().unwrap(), "--collection", "Port"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("an admin has to make room"), "{said}");
    let jobs = carrel(&["job", "list", "--json"]);
    let jobs: Value = serde_json::from_slice(&jobs.stdout).unwrap();
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 0, "{jobs}");
}

/// A small file system of its own, gone with this value.
struct Disk(PathBuf);

impl Disk {
    fn mount(size: u64) -> Option<(Self, tempfile::TempDir)> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "carrel-test"]).arg(folder.path());
        if !mount.output().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: this machine permits no mounts");
            return None;
        }
        Some((Self(folder.path().to_owned()), folder))
    }

    fn free(&self) -> u64 {
        let disk = Command::new("stat").args(["-f", "-c", "%a %S"]).arg(&self.0).output().unwrap();
        let text = String::from_utf8(disk.stdout).unwrap();
        let numbers: Vec<u64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
        numbers[0] * numbers[1]
    }

    /// Fills it up to so many free bytes, or to the last one.
    fn fill(&self, leave: u64) {
        let more = self.free().saturating_sub(leave);
        let file = std::fs::File::options().create(true).append(true).open(self.filler()).unwrap();
        let mut file = std::io::BufWriter::with_capacity(4096, file);
        let block = [0x5A; 4096];
        for _ in 0..=(more / 4096) {
            if std::io::Write::write_all(&mut file, &block).is_err() {
                break;
            }
        }
        // What no longer fits is what a full disk is about.
        let _ = file.into_parts();
    }

    fn filler(&self) -> PathBuf {
        self.0.join("somebody-elses-file")
    }

    fn clear(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

async fn jobs(world: &TestApp, state: JobState) -> usize {
    let filter = JobFilter { state: Some(state), ..JobFilter::default() };
    world.app.store.jobs(&filter, 10).await.unwrap().len()
}

fn reserve(folder: &Path) -> Reserve {
    Reserve::new(folder.to_owned(), 16 * MIB)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_really_full_loses_nothing_and_work_goes_on_when_there_is_room() {
    let Some((disk, _folder)) = Disk::mount(160 * MIB) else { return };
    let mut world = TestApp::in_folder(&disk.0).await;
    world.leave(&reserve(&disk.0));
    let handbook = world.collection("Handbook").await;
    world.grant(&handbook, "ada", Some(Permission::Read)).await;
    world.grant(&handbook, "clara", Some(Permission::Manage)).await;
    world.submit(&handbook, "handbook.md", HANDBOOK.as_bytes(), None).await;
    world.ingest().await;
    world.submit(&handbook, "gate.txt", b"The gate opens at six.", None).await;
    let address = format!("/collections/{}/documents", handbook.id);

    // Somebody else's file takes the room; less than the reserve is left.
    disk.fill(8 * MIB);
    let mut clara = world.signed_in("clara").await;
    let page = clara.upload(&address, "internal", "new.txt", b"The crane is inspected in May.").await;
    page.expect(StatusCode::INSUFFICIENT_STORAGE);
    let waits = world.worker.run_until_idle().await;
    assert!(matches!(waits, Err(WorkerError::NoRoom(_))), "{waits:?}");
    assert_eq!(jobs(&world, JobState::Waiting).await, 1, "what was taken in before waits");
    let mut ada = world.signed_in("ada").await;
    let (_, answer) = ask(&mut ada, QUESTION).await;
    assert!(answer.contains("24 days of annual leave"), "asking goes on");
    let before = world.events().await.len();
    ada.get("/search?q=annual+leave").await.expect(StatusCode::OK);
    assert!(world.events().await.len() > before, "the log goes on");

    // Not one byte is left. What cannot be recorded is not done, and says so.
    disk.fill(0);
    let mut failed = None;
    for _ in 0..400 {
        let page = ada.get("/search?q=annual+leave").await;
        if page.status != StatusCode::OK {
            failed = Some(page);
            break;
        }
    }
    let page = failed.expect("a full disk is noticed").expect(StatusCode::INSUFFICIENT_STORAGE);
    assert!(page.body.contains("disk is full"), "{}", page.body);
    world.browser().get("/healthz").await.expect(StatusCode::OK);

    // The worker waits while there is no room, and goes on by itself.
    let (worker, stop) = (world.worker.clone(), CancellationToken::new());
    let working = tokio::spawn({
        let stop = stop.clone();
        async move { worker.run(stop).await }
    });
    disk.clear();
    for _ in 0..600 {
        if jobs(&world, JobState::Done).await == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.cancel();
    working.await.unwrap();
    assert_eq!((jobs(&world, JobState::Done).await, jobs(&world, JobState::Failed).await), (2, 0));
    let mut browser = world.browser();
    assert!(browser.sign_in("clara", PASSWORD).await);
    browser
        .upload(&address, "internal", "new.txt", b"The crane is inspected in May.")
        .await
        .expect(StatusCode::SEE_OTHER);
    assert!(world.app.store.verify_audit().await.unwrap().is_ok(), "the chain is whole");
    assert_eq!(world.app.store.problem().await.unwrap(), None, "the database is whole");
}
