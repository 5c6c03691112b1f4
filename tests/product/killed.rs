//! Killed at any moment of an import: nothing is lost, nothing is doubled, and the next run goes on.

use domain::{AccessScope, Clearance, DocumentState, Environment, Label};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use storage::{Page, Store};
use testkit::model_directory;

const NOTES: usize = 90;
const IN_ARCHIVE: usize = 12;
/// Milliseconds after which each run is killed: during start, taking in, reading, publishing, embedding.
const KILLS: [u64; 14] = [20, 60, 120, 180, 240, 300, 360, 420, 500, 600, 750, 900, 1_200, 1_600];

fn carrel(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carrel"));
    command.arg("--data").arg(data).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn import(data: &Path, files: &Path) -> Command {
    let mut command = carrel(data);
    command.arg("import").arg(files).args(["--collection", "Notes"]);
    command
}

fn note(number: usize) -> String {
    let sentence = format!("Buoy {number} is painted every spring and its lamp is tested by the harbour crew. ");
    format!("# Buoy {number}\n\n{}", sentence.repeat(3 + number % 40))
}

fn write_files(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for number in 0..NOTES {
        std::fs::write(folder.join(format!("note-{number:03}.md")), note(number)).unwrap();
    }
    let mut archive = zip::ZipWriter::new(std::fs::File::create(folder.join("old.zip")).unwrap());
    for number in 0..IN_ARCHIVE {
        archive.start_file(format!("old/{number}.txt"), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(note(1_000 + number).as_bytes()).unwrap();
    }
    archive.finish().unwrap();
}

/// A folder to be kept, a data directory with a model and a collection in it, and the files to import.
fn site() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (data, files) = (folder.path().join("data"), folder.path().join("files"));
    write_files(&files);
    let model = model_directory().join("all-minilm-l6-v2");
    assert!(carrel(&data).args(["model", "import"]).arg(model).status().unwrap().success());
    assert!(carrel(&data).args(["collection", "create", "Notes"]).status().unwrap().success());
    (folder, data, files)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_killed_again_and_again_loses_and_doubles_nothing() {
    let (folder, data, files) = site();

    for after in KILLS {
        let mut running = import(&data, &files).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(after));
        running.kill().unwrap();
        running.wait().unwrap();
        check(&data, false).await;
    }
    assert!(import(&data, &files).status().unwrap().success(), "the last run ends well");
    check(&data, true).await;

    let log = folder.path().join("log.jsonl");
    assert!(carrel(&data).args(["audit", "export", "--output"]).arg(&log).status().unwrap().success());
    assert!(carrel(&data).args(["audit", "verify"]).arg(&log).status().unwrap().success(), "the chain is whole");
}

/// Killed while the index is made anew: the next start goes on, and everything is found.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_killed_while_it_is_made_anew_becomes_whole() {
    let (_folder, data, files) = site();
    assert!(import(&data, &files).status().unwrap().success());
    let begin = Instant::now();
    assert!(carrel(&data).args(["index", "rebuild"]).status().unwrap().success());
    let whole = begin.elapsed();
    check(&data, true).await;

    for (moment, of_a_start) in (1..=8).zip([false, true].into_iter().cycle()) {
        if of_a_start {
            // As after a restore: the next start has to make it.
            std::fs::remove_dir_all(data.join("index")).unwrap();
        }
        let mut command = if of_a_start { import(&data, &files) } else { carrel(&data) };
        let mut running = if of_a_start { &mut command } else { command.args(["index", "rebuild"]) }.spawn().unwrap();
        std::thread::sleep(whole * moment / 9);
        running.kill().unwrap();
        running.wait().unwrap();
        assert!(import(&data, &files).status().unwrap().success(), "the next start goes on");
        check(&data, true).await;
    }
}

/// What must hold at any moment, and what once all is done.
async fn check(data: &Path, all_is_done: bool) {
    let store = Store::open(&data.join("carrel.db"), Environment::system()).await.unwrap();
    let Some(collection) = store.collection_by_name("Notes").await.unwrap() else { panic!("the collection is gone") };
    let scope = AccessScope::issue([], [collection.id], Clearance(Label::Secret));
    let documents = store.documents(&scope, None, Page { offset: 0, limit: 1_000 }).await.unwrap();
    let sources: BTreeSet<&str> = documents.iter().map(|document| document.source.as_str()).collect();
    assert_eq!(sources.len(), documents.len(), "no document is there twice");
    for document in documents.iter().filter(|document| document.state == DocumentState::Ready) {
        assert_eq!(document.version, 1, "{}: read once", document.source);
        let passages = store.passages_of(document.id, 1, &scope).await.unwrap().unwrap();
        assert_eq!(passages.len(), document.passages as usize, "{}: whole", document.source);
    }
    if all_is_done {
        assert_eq!(documents.len(), NOTES + IN_ARCHIVE + 1);
        assert!(documents.iter().all(|document| document.state == DocumentState::Ready && document.embedded));
        let passages = store.passage_count(&scope).await.unwrap();
        let index = index::Index::open(&data.join("index"), 384).unwrap();
        assert_eq!(index.passages() as u64, passages, "the index holds what the database holds");
        for document in documents.iter().filter(|document| document.source.ends_with(".md")) {
            let number: String = document.title.chars().filter(char::is_ascii_digit).collect();
            let query = index::Query {
                text: &format!("buoy {number}"),
                vector: None,
                mode: index::Mode::Lexical,
                within: None,
                limit: 3,
            };
            let hits = index.search(&query, &scope).unwrap();
            assert!(hits.iter().any(|hit| hit.document == document.id), "{} is found", document.source);
        }
    }
}
