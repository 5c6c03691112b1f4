//! The sample documents, made by other programs: PDF by a browser, DOCX by a library.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{assert_well_formed, lines};
use extract::{Alone, Extracted, Format, Limits, extract, sniff};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples")
}

fn read(name: &str) -> (Format, Extracted) {
    let bytes = std::fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let format = sniff(&bytes, name).unwrap();
    let extracted =
        extract(&bytes, format, &Limits::default(), &mut Alone).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_well_formed(&extracted, &Limits::default());
    (format, extracted)
}

#[test]
fn every_sample_is_read_without_warnings() {
    let mut documents = 0;
    // What is planted to mislead a model is no document of the organisation: `tests/product/injection.rs`.
    let documents_of = |folder: &std::fs::DirEntry| folder.path().is_dir() && folder.file_name() != "attacks";
    for entry in std::fs::read_dir(folder()).unwrap().map(Result::unwrap).filter(documents_of) {
        for file in std::fs::read_dir(entry.path()).unwrap().map(Result::unwrap) {
            let path = file.path();
            let name = path.strip_prefix(folder()).unwrap().to_str().unwrap().to_owned();
            let (format, extracted) = read(&name);
            assert_eq!(extracted.warnings, [""; 0], "{name}");
            assert!(extracted.blocks.len() >= 5, "{name}");
            let headings = lines(&extracted).iter().filter(|line| line.contains(" h")).count();
            assert!(headings > 0 || format == Format::Text, "{name} has no headings");
            assert!(extracted.title.is_some() || format == Format::Text, "{name} has no title");
            assert_eq!(extracted.pages.is_some(), format == Format::Pdf, "{name}");
            documents += 1;
        }
    }
    assert!(documents >= 15, "only {documents} sample documents");
}

/// Checks that a block holds the words, and the page and the heading that it stands under.
fn check(name: &str, words: &str, page: Option<u32>, heading: &str) {
    let (_, extracted) = read(name);
    let place = extracted
        .blocks
        .iter()
        .position(|block| block.text.contains(words))
        .unwrap_or_else(|| panic!("{name} lacks {words:?}"));
    assert_eq!(extracted.blocks[place].location.page, page, "{words}");
    let above = extracted.blocks[..=place].iter().rfind(|block| matches!(block.kind, domain::BlockKind::Heading(_)));
    assert_eq!(above.map(|block| block.text.as_str()), Some(heading), "{words}");
}

#[test]
fn sentences_stand_where_they_stand_in_print() {
    check(
        "handbook/employee-handbook.pdf",
        "a full-time employee receives 24 days of annual leave",
        Some(4),
        "4.1 How much leave you have",
    );
    check("handbook/employee-handbook.pdf", "From the fifth year | 30 | 2.5", Some(4), "4.1 How much leave you have");
    check(
        "handbook/employee-handbook.pdf",
        "must be taken by 31 March of the following year",
        Some(5),
        "4.3 Carrying leave over",
    );
    check(
        "procurement/crane-maintenance-contract.pdf",
        "1 | Crane stands still with a ship alongside, or danger to people | 2 hours | 8 hours",
        Some(2),
        "3.2 Fault clearance",
    );
    check(
        "procurement/crane-maintenance-contract.pdf",
        "the ship-to-shore gantry cranes NQ1, NQ2 and NQ3",
        Some(1),
        "1 Subject",
    );
    check(
        "it/it-manual.pdf",
        "P3 | One person cannot work | 2 working hours | 2 working days",
        Some(1),
        "1 The Service Desk",
    );
    check(
        "procurement/procurement-policy.docx",
        "from EUR 221,000 | European public tender | Procurement with legal advice",
        None,
        "2 Thresholds and procedures",
    );
    check(
        "it/data-protection-notice.html",
        "Times of passing the gates | safety, counting in an emergency | 90 days",
        None,
        "What we hold and for how long",
    );
    check(
        "personnel/salary-bands-2026.md",
        "8 | head of department, pilot | 65,500 | 74,900 | 84,300",
        None,
        "The bands",
    );
    check(
        "it/vpn-gateway-notice.txt",
        "call extension 4400. On 12 and 13 March the desk is staffed from 06:00",
        None,
        "What you have to do",
    );
}

#[test]
fn running_titles_of_the_samples_are_dropped() {
    let (_, handbook) = read("handbook/employee-handbook.pdf");
    assert!(!lines(&handbook).iter().any(|line| line.contains("Page 1 of") || line.ends_with("PO-100, edition 9")));
}

#[test]
fn letters_in_an_older_encoding_are_read() {
    let (_, letter) = read("procurement/preisanpassung-tiedeholm.txt");
    assert!(lines(&letter).iter().any(|line| line.contains("Möwenhagen, den 11. Dezember 2025")));
    assert!(lines(&letter).iter().any(|line| line.contains("Die Zuschläge für Nächte")));
}
