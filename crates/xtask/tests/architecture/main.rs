//! The invariants of docs/ARCHITECTURE.md that a test can hold: which crate may use which, what the server's
//! dependency tree may never contain, and what the sources may never say.

// Outside a test function, too, a test may fail by panicking.
#![allow(clippy::unwrap_used)]

mod arrows;
mod server_tree;
mod sources;
mod top_level;

use std::path::{Path, PathBuf};

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every file under `folder` whose name ends in one of `endings`, as paths relative to the repository, sorted.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if endings.iter().any(|ending| path.extension().is_some_and(|extension| extension == *ending)) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// Fails with one fault a line.
#[track_caller]
fn assert_none(what: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{what}:\n{}", faults.join("\n"));
}
