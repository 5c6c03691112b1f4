//! The originals: all there, and as they were stored.

use super::{Depth, Finding, Subject};
use domain::ContentHash;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use storage::Store;

const CODE: &str = "originals";
/// Originals that are read when not all are, and their bytes in sum.
const SAMPLE: usize = 64;
const SAMPLE_BYTES: u64 = 256 << 20;
/// How many are named.
const NAMED: usize = 3;

/// Where an original lies.
pub(crate) fn path_of(data: &Path, hash: &ContentHash) -> PathBuf {
    let name = hash.to_string();
    data.join("content").join(&name[..2]).join(&name[2..])
}

#[derive(Default)]
struct Looked {
    there: u64,
    read: u64,
    missing: Vec<String>,
    altered: Vec<String>,
}

/// Looks whether every original that the database names is there, and reads a random sample of them, or all.
pub(super) async fn originals(subject: &Subject, store: &Store, depth: Depth) -> Finding {
    let mut wanted: Vec<ContentHash> = match store.contents_in_use().await {
        Ok(wanted) => wanted.into_iter().collect(),
        Err(error) => return Finding::unknown(CODE, error),
    };
    // Not the same ones each time: sorting by a keyed hash is a shuffle.
    let key = subject.environment.random_bytes::<32>();
    wanted.sort_by_cached_key(|hash| *blake3::keyed_hash(&key, hash.as_bytes()).as_bytes());
    let data = subject.data.clone();
    let looked = tokio::task::spawn_blocking(move || look(&data, &wanted, depth == Depth::Deep)).await;
    match looked {
        Ok(Ok(looked)) => told(&looked),
        Ok(Err(error)) => Finding::unknown(CODE, error),
        Err(_) => Finding::unknown(CODE, "it was interrupted"),
    }
}

fn look(data: &Path, wanted: &[ContentHash], all: bool) -> io::Result<Looked> {
    let (mut looked, mut bytes) = (Looked::default(), 0);
    for hash in wanted {
        let path = path_of(data, hash);
        let length = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                looked.missing.push(hash.to_string());
                continue;
            }
            Err(error) => return Err(error),
        };
        looked.there += 1;
        if all || (looked.read < SAMPLE as u64 && bytes < SAMPLE_BYTES) {
            looked.read += 1;
            bytes += length;
            let mut hasher = blake3::Hasher::new();
            // A sector that cannot be read is as bad as one that was changed.
            let same = File::open(&path).and_then(|file| hasher.update_reader(file).map(|_| ())).is_ok()
                && hasher.finalize().as_bytes() == hash.as_bytes();
            if !same {
                looked.altered.push(hash.to_string());
            }
        }
    }
    Ok(looked)
}

fn told(looked: &Looked) -> Finding {
    let Looked { there, read, missing, altered } = looked;
    let why = "who opens such a document, or wants it read again, gets nothing or a refusal";
    let advice = "restore the files from a backup, or take the documents in again: the same bytes repair it; \
                  then look for a failing disk";
    let mut faults = Vec::new();
    for (what, hashes) in [("missing", missing), ("altered", altered)] {
        if !hashes.is_empty() {
            let named: Vec<&str> = hashes.iter().take(NAMED).map(|hash| &hash[..12]).collect();
            faults.push(format!("{} {what} ({}…)", hashes.len(), named.join("…, ")));
        }
    }
    let finding = match faults.is_empty() {
        true if read == there => Finding::ok(CODE, format!("{there} are there, each as it was stored")),
        true => {
            Finding::ok(CODE, format!("{there} are there; a sample of {read} is as it was stored, --deep reads all"))
        }
        false => Finding::failed(
            CODE,
            format!("of {} originals {}", there + missing.len() as u64, faults.join(", ")),
            why,
            advice,
        ),
    };
    let figures =
        [("there", *there), ("read", *read), ("missing", missing.len() as u64), ("altered", altered.len() as u64)];
    figures.into_iter().fold(finding, |finding, (name, number)| finding.with(name, number))
}
