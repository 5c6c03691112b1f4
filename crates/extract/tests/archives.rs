//! Archives, written here with the archive libraries.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Keeper, archive, check_refused, docx_parts, p, read_with_children};
use extract::{Child, ExtractError, Format, Host, Limits, Line, Picture, extract, sniff};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use tar::{Builder, EntryType, Header};

fn names(children: &[(String, Vec<u8>)]) -> Vec<&str> {
    children.iter().map(|(name, _)| name.as_str()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Entries of a tape archive: a kind, a name written without any check, and content.
fn tape(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (kind, name, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn check_limit(bytes: &[u8], format: Format, limits: &Limits, part: &str) {
    match extract(bytes, format, limits, &mut Keeper::default()) {
        Err(error @ ExtractError::TooLarge { .. }) => assert!(error.to_string().contains(part), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_file_of_a_zip_goes_out_and_no_junk() {
    let file = archive(&[
        ("plans/", b""),
        ("plans/crane.txt", b"Hello"),
        ("plans\\gate.md", b"# Gate"),
        ("__MACOSX/plans/._crane.txt", b"x"),
        ("plans/.DS_Store", b"x"),
        ("~$crane.docx", b"x"),
        ("empty.txt", b""),
        ("../../etc/passwd", b"x"),
        ("/abs.txt", b"x"),
        ("inner.zip", &archive(&[("a.txt", b"A")])),
    ]);
    assert_eq!(sniff(&file, "x.docx"), Ok(Format::Zip));
    let (extracted, children) = read_with_children(&file, "x.zip");
    assert_eq!(names(&children), ["plans/crane.txt", "plans/gate.md", "inner.zip"]);
    assert_eq!(children[0].1, b"Hello");
    assert_eq!(
        extracted.warnings,
        [
            "../../etc/passwd leads out of the archive and was left out",
            "/abs.txt leads out of the archive and was left out"
        ]
    );
    assert_eq!(names(&read_with_children(&children[2].1, "inner.zip").1), ["a.txt"]);
    // An Office file is one, too.
    assert_eq!(sniff(&docx_parts(&p("", "x"), &[]), "x.zip"), Ok(Format::Docx));
}

#[test]
fn an_archive_without_files_says_so() {
    check_refused(&archive(&[]), "x.zip", "no files in the archive");
    check_refused(&archive(&[("a/", b""), (".DS_Store", b"x")]), "x.zip", "no files in the archive");
    check_refused(&archive(&[("../a", b"x")]), "x.zip", "could be unpacked");
    check_refused(&tape(&[(EntryType::Directory, "a/", b"")]), "x.tar", "no files in the archive");
    check_refused(&gzip(b""), "x.gz", "no files in the archive");
}

#[test]
fn a_damaged_or_encrypted_entry_costs_itself() {
    let text = "The crane is checked on Wednesday. ".repeat(40);
    let mut file = archive(&[("a.txt", text.as_bytes()), ("b.txt", b"B")]);
    let place = file.windows(5).position(|window| window == b"a.txt").unwrap() + 10;
    file[place..place + 8].fill(0xff);
    let (extracted, children) = read_with_children(&file, "x.zip");
    assert_eq!(names(&children), ["b.txt"]);
    assert_eq!(extracted.warnings, ["a.txt is damaged and was left out"]);

    // Bit 0 of the flags in the local header and in the directory.
    let mut locked = archive(&[("a.txt", b"A"), ("b.txt", b"B")]);
    locked[6] |= 1;
    let directory = locked.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    locked[directory + 8] |= 1;
    let (extracted, children) = read_with_children(&locked, "x.zip");
    assert_eq!(names(&children), ["b.txt"]);
    assert_eq!(extracted.warnings, ["a.txt is encrypted and was left out"]);
    let mut alone = archive(&[("a.txt", b"A")]);
    alone[6] |= 1;
    let directory = alone.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    alone[directory + 8] |= 1;
    check_refused(&alone, "x.zip", "encrypted");

    let whole = archive(&[("a.txt", text.as_bytes())]);
    check_refused(&whole[..whole.len() / 2], "x.zip", "damaged");
}

#[test]
fn tapes_plain_and_compressed() {
    let long = format!("{}/end.txt", "folder".repeat(30));
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(4);
    builder.append_data(&mut header, &long, b"long".as_slice()).unwrap();
    let with_long_name = builder.into_inner().unwrap();
    let (_, children) = read_with_children(&with_long_name, "x.tar");
    assert_eq!(children, [(long.replace(&"folder".repeat(30), &"folder".repeat(25)), b"long".to_vec())]);

    let tape = tape(&[
        (EntryType::Directory, "a/", b""),
        (EntryType::Regular, "a/b.txt", b"Hello"),
        (EntryType::Symlink, "link", b""),
        (EntryType::Char, "device", b""),
        (EntryType::Regular, "../out.txt", b"x"),
        (EntryType::Regular, "c.txt", b"C"),
    ]);
    assert_eq!(sniff(&tape, "x"), Ok(Format::Tar));
    for bytes in [tape.clone(), gzip(&tape)] {
        let (extracted, children) = read_with_children(&bytes, "x.tgz");
        assert_eq!(names(&children), ["a/b.txt", "c.txt"]);
        assert_eq!(children[0].1, b"Hello");
        assert_eq!(extracted.warnings, ["../out.txt leads out of the archive and was left out"]);
    }
    // What comes before the damage is kept: the header of the last entry, and a stream that ends early.
    let mut damaged = tape;
    let last = damaged.windows(5).rposition(|window| window == b"c.txt").unwrap();
    damaged[last] = b'd';
    let (extracted, children) = read_with_children(&damaged, "x.tar");
    assert_eq!((names(&children), extracted.warnings.len()), (vec!["a/b.txt"], 2));
}

#[test]
fn one_file_in_gzip() {
    let mut encoder = flate2::GzBuilder::new().filename("dir/Gr\u{fc}n.txt").write(Vec::new(), Compression::fast());
    encoder.write_all(b"Hello").unwrap();
    let named = encoder.finish().unwrap();
    assert_eq!(read_with_children(&named, "x.gz").1, [("Grün.txt".to_owned(), b"Hello".to_vec())]);
    let twice = [gzip(b"Hel"), gzip(b"lo")].concat();
    assert_eq!(read_with_children(&twice, "x.gz").1, [("content".to_owned(), b"Hello".to_vec())]);
    check_refused(&named[..named.len() - 9], "x.gz", "damaged");
}

#[test]
fn bombs_end_at_the_limit() {
    // One gigabyte of zeros, in one file and on a tape.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..1_024 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 2 << 20);
    check_limit(&bomb, Format::Gzip, &Limits::default(), "unpacked size");
    let mut header = Header::new_gnu();
    header.set_path("zeros").unwrap();
    header.set_size(1 << 30);
    header.set_cksum();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(header.as_bytes()).unwrap();
    for _ in 0..1_024 {
        encoder.write_all(&zeros).unwrap();
    }
    check_limit(&encoder.finish().unwrap(), Format::Gzip, &Limits::default(), "unpacked size");

    // Sixteen archives with sixteen files of 24 MB each: every level is small, and none is opened by the one above.
    let file = vec![b' '; 24 << 20];
    let one = archive(&[("0.txt", &file)]);
    let layer = |inner: &[u8]| {
        let names: Vec<String> = (0..16).map(|place| format!("{place}.zip")).collect();
        archive(&names.iter().map(|name| (name.as_str(), inner)).collect::<Vec<_>>())
    };
    let nested = layer(&layer(&one));
    let (_, children) = read_with_children(&nested, "42.zip");
    assert_eq!(children.len(), 16);
    assert!(children.iter().all(|(_, bytes)| bytes.len() < 1 << 20));
    check_refused(&one, "0.zip", "could be unpacked");
    let small = Limits { unpacked_bytes: 4 << 20, ..Limits::default() };
    check_limit(&one, Format::Zip, &small, "unpacked size");
}

#[test]
fn too_many_entries_are_refused() {
    let names: Vec<String> = (0..100_000).map(|place| place.to_string()).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    let file = archive(&entries);
    check_limit(&file, Format::Zip, &Limits::default(), "number of its parts");
    check_refused(&file, "x.zip", "number of its parts");
    let entries: Vec<_> =
        names[..10_001].iter().map(|name| (EntryType::Regular, name.as_str(), b"".as_slice())).collect();
    check_limit(&tape(&entries), Format::Tar, &Limits::default(), "number of its parts");
}

#[test]
fn a_host_that_takes_no_more_ends_it() {
    struct Full;
    impl Host for Full {
        fn child(&mut self, _: Child) -> Result<(), ExtractError> {
            Err(ExtractError::TooLarge { what: "the number of its files", limit: "0".to_owned() })
        }
        fn recognize(&mut self, _: &Picture) -> Result<Option<Vec<Line>>, ExtractError> {
            Ok(None)
        }
    }
    let files = [(Format::Zip, archive(&[("a", b"A")])), (Format::Gzip, gzip(b"A"))];
    for (format, bytes) in files {
        let refused = extract(&bytes, format, &Limits::default(), &mut Full);
        assert!(matches!(refused, Err(ExtractError::TooLarge { .. })), "{refused:?}");
    }
}
