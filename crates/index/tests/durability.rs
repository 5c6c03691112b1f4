//! What is left after a restart, a crash and a broken file.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{document, passage, put, search, unit, words};
use index::{Change, Index, IndexError, Mode};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

const DIMENSION: usize = 8;

fn open(directory: &Path) -> Index {
    Index::open(directory, DIMENSION).unwrap()
}

fn is_damaged(directory: &Path, dimension: usize) -> String {
    match Index::open(directory, dimension) {
        Err(error @ IndexError::Damaged { .. }) => error.to_string(),
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("it opened"),
    }
}

/// The log that the first changes go to.
fn log(directory: &Path) -> PathBuf {
    directory.join("vectors/0000000000000000.log")
}

fn filled(directory: &Path) {
    let changes: Vec<Change> = (0..10)
        .map(|number| put(number, Some("en"), &format!("granite number{number}"), Some(unit(number as u64, DIMENSION))))
        .collect();
    open(directory).apply(&changes).unwrap();
}

#[test]
fn everything_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let index = open(directory.path());
    assert_eq!(index.passages(), 10);
    assert_eq!(words(&index, "number3"), [passage(3)]);
    let hits = search(&index, Mode::Dense, "", Some(&unit(7, DIMENSION)));
    assert_eq!((hits[0].passage, hits.len()), (passage(7), 10));
    assert!((hits[0].cosine.unwrap() - 1.0).abs() < 1e-5);
}

#[test]
fn an_index_whose_words_were_cut_otherwise_says_so() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let version = directory.path().join("version");
    fs::write(&version, "1\n").unwrap();
    assert!(is_damaged(directory.path(), DIMENSION).contains("another version of Carrel"));
    fs::remove_file(&version).unwrap();
    assert!(is_damaged(directory.path(), DIMENSION).contains("rebuild it from the database"));
}

#[test]
fn a_change_that_was_cut_off_never_happened() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    // Vectors are written first. A process killed before the commit leaves new vectors and old terms.
    let vectors = fs::read(log(directory.path())).unwrap();
    {
        let index = open(directory.path());
        index.apply(&[put(50, Some("en"), "lantern", Some(unit(50, DIMENSION)))]).unwrap();
    }
    let longer = fs::read(log(directory.path())).unwrap();
    assert!(longer.len() > vectors.len());

    let cut = tempfile::tempdir().unwrap();
    filled(cut.path());
    for torn in [longer.len(), longer.len() - 1, longer.len() - 20] {
        fs::write(log(cut.path()), &longer[..torn]).unwrap();
        let index = open(cut.path());
        assert_eq!(index.passages(), 10);
        assert_eq!(search(&index, Mode::Dense, "", Some(&unit(50, DIMENSION))).len(), 10);
    }
    // And the next change goes on where the last one that held ended.
    open(cut.path()).apply(&[put(60, Some("en"), "violet", Some(unit(60, DIMENSION)))]).unwrap();
    let hits = search(&open(cut.path()), Mode::Dense, "", Some(&unit(60, DIMENSION)));
    assert_eq!((hits[0].passage, hits.len()), (passage(60), 11));
}

#[test]
fn a_vector_file_that_is_cut_short_or_altered_is_found() {
    for spoil in [
        (|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1)) as fn(&mut Vec<u8>),
        |bytes| bytes.truncate(10),
        |bytes| bytes.clear(),
        |bytes| bytes[100] ^= 1,
        |bytes| bytes[9] = 99,
    ] {
        let directory = tempfile::tempdir().unwrap();
        filled(directory.path());
        let path = log(directory.path());
        let mut bytes = fs::read(&path).unwrap();
        spoil(&mut bytes);
        fs::write(&path, bytes).unwrap();
        assert!(is_damaged(directory.path(), DIMENSION).contains("rebuild it"));
    }
}

#[test]
fn parts_that_do_not_belong_together_are_found() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    is_damaged(directory.path(), DIMENSION + 1);

    fs::remove_dir_all(directory.path().join("vectors")).unwrap();
    is_damaged(directory.path(), DIMENSION);

    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    fs::remove_dir_all(directory.path().join("terms")).unwrap();
    is_damaged(directory.path(), DIMENSION);

    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    fs::write(directory.path().join("terms/meta.json"), "{}").unwrap();
    is_damaged(directory.path(), DIMENSION);
}

#[test]
fn a_segment_that_is_cut_short_is_found() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let segments = fs::read_dir(directory.path().join("terms")).unwrap();
    let fast = segments.map(|entry| entry.unwrap().path()).find(|path| path.extension().is_some_and(|e| e == "fast"));
    let file = OpenOptions::new().write(true).open(fast.unwrap()).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    is_damaged(directory.path(), DIMENSION);
}

/// Bytes that are altered one by one, in every file of the full-text part: it opens as if nothing was, or says that it is
/// damaged. It never breaks off, and whoever asks for every byte is told.
#[test]
fn an_altered_byte_of_the_terms_is_found() {
    let whole = tempfile::tempdir().unwrap();
    filled(whole.path());
    let (mut damaged, mut found_by_checksum) = (0, 0);
    let files = |part: &str| fs::read_dir(whole.path().join(part)).unwrap().map(|entry| entry.unwrap().path());
    let terms: Vec<PathBuf> =
        files("terms").filter(|path| path.extension().is_some_and(|kind| kind != "lock")).collect();
    assert!(terms.len() >= 6, "{terms:?}");
    for path in terms {
        let bytes = fs::read(&path).unwrap();
        for place in (0..bytes.len()).step_by(bytes.len().div_ceil(40).max(1)) {
            // A copy for each, since opening an altered index may tidy its folder.
            let directory = tempfile::tempdir().unwrap();
            fs::copy(whole.path().join("version"), directory.path().join("version")).unwrap();
            for part in ["terms", "vectors"] {
                fs::create_dir(directory.path().join(part)).unwrap();
                for file in files(part) {
                    fs::copy(&file, directory.path().join(part).join(file.file_name().unwrap())).unwrap();
                }
            }
            let mut altered = bytes.clone();
            altered[place] = if place % 2 == 0 { !altered[place] } else { altered[place] ^ 1 };
            fs::write(directory.path().join("terms").join(path.file_name().unwrap()), altered).unwrap();
            match Index::open(directory.path(), DIMENSION) {
                Ok(index) => found_by_checksum += usize::from(index.verify().is_err()),
                Err(IndexError::Damaged { .. }) => damaged += 1,
                Err(error) => panic!("{} at {place}: {error}", path.display()),
            }
        }
    }
    assert!(damaged > 0 && found_by_checksum > 0, "{damaged} and {found_by_checksum}");
    open(whole.path()).verify().unwrap();
}

#[test]
fn rubbish_behind_the_last_record_is_written_over() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let mut file = OpenOptions::new().append(true).open(log(directory.path())).unwrap();
    file.write_all(&[0xAB; 1_000]).unwrap();
    let index = open(directory.path());
    index.apply(&[put(70, Some("en"), "meadow", Some(unit(70, DIMENSION)))]).unwrap();
    drop(index);
    assert_eq!(search(&open(directory.path()), Mode::Dense, "", Some(&unit(70, DIMENSION)))[0].passage, passage(70));
}

#[test]
fn a_second_process_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let _first = open(directory.path());
    assert!(matches!(Index::open(directory.path(), DIMENSION), Err(IndexError::InUse { .. })));
}

#[test]
fn dead_vectors_give_their_space_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = log(directory.path());
    let index = open(directory.path());
    let all: Vec<Change> = (0..3_000).map(|n| put(n, Some("en"), "granite", Some(unit(n as u64, DIMENSION)))).collect();
    index.apply(&all).unwrap();
    let full = fs::metadata(&path).unwrap().len();
    let removed: Vec<Change> = (0..2_000).map(|n| Change::Remove(document(n))).collect();
    index.apply(&removed).unwrap();
    assert!(fs::metadata(&path).unwrap().len() < full / 2);

    index.apply(&[put(5_000, Some("en"), "granite", Some(unit(5_000, DIMENSION)))]).unwrap();
    assert_eq!(search(&index, Mode::Dense, "", Some(&unit(2_500, DIMENSION)))[0].passage, passage(2_500));
    drop(index);
    let index = open(directory.path());
    let hits = search(&index, Mode::Dense, "", Some(&unit(5_000, DIMENSION)));
    assert_eq!((hits[0].passage, hits.len()), (passage(5_000), 1_001));
}

#[test]
fn a_change_of_rights_writes_no_vector_again() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let path = log(directory.path());
    let before = fs::metadata(&path).unwrap().len();
    let index = open(directory.path());
    let mut change = put(3, Some("en"), "granite number3", Some(unit(3, DIMENSION)));
    if let Change::Put { document, .. } = &mut change {
        document.readers = Some(Vec::new());
    }
    index.apply(&[change]).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), before);
    drop(index);
    let index = open(directory.path());
    assert_eq!(search(&index, Mode::Dense, "", Some(&unit(3, DIMENSION))).len(), 9);
    assert!(words(&index, "number3").is_empty());
}
