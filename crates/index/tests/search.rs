//! What people ask and what they find.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{collection, document, everyone, passage, principal, put, search, unit, words};
use domain::{AccessScope, Clearance, Label};
use index::{Change, Index, IndexError, Mode, Query};
use proptest::prelude::*;

const DIMENSION: usize = 8;

fn index_of(changes: &[Change]) -> (tempfile::TempDir, Index) {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(directory.path(), DIMENSION).unwrap();
    index.apply(changes).unwrap();
    (directory, index)
}

fn multilingual() -> (tempfile::TempDir, Index) {
    index_of(&[
        put(1, None, "The committee approved the budgets of all departments after long discussions last year.", None),
        put(2, None, "Die Verträge wurden im vergangenen Jahr von den Häusern der Gesellschaft gekündigt.", None),
        put(3, None, "Les contrats ont été résiliés par la société au cours de l'année dernière.", None),
        put(4, None, "公司去年终止了所有合同，并解雇了项目经理。", None),
        put(5, Some("ja"), "昨年、会社はすべての契約を解除しました。", None),
    ])
}

#[test]
fn words_are_found_in_other_inflections() {
    let (_directory, index) = multilingual();
    assert_eq!(words(&index, "approving a budget"), [passage(1)]);
    assert_eq!(words(&index, "Vertrag"), [passage(2)]);
    assert_eq!(words(&index, "Haus"), [passage(2)]);
    assert_eq!(words(&index, "contrat résilié"), [passage(3)]);
    assert_eq!(words(&index, "societe"), [passage(3)], "without its accents");
}

#[test]
fn chinese_and_japanese_are_found() {
    let (_directory, index) = multilingual();
    assert_eq!(words(&index, "合同"), [passage(4)]);
    assert_eq!(words(&index, "谁解雇了项目经理？"), [passage(4)]);
    assert_eq!(words(&index, "契約"), [passage(5)]);
}

#[test]
fn figures_that_are_joined_are_found_alone() {
    let (_directory, index) = index_of(&[
        put(1, Some("de"), "Die Räume 101,102,103 sind bis zum 31.12.2024 gesperrt.", None),
        put(
            2,
            Some("de"),
            "Unterschrift____________________________________________________________________________",
            None,
        ),
    ]);
    for found in ["102", "Raum 103", "2024", "31.12.2024"] {
        assert_eq!(words(&index, found), [passage(1)], "{found}");
    }
    assert_eq!(words(&index, "Unterschriften"), [passage(2)]);
    assert!(words(&index, "10").is_empty());
}

#[test]
fn titles_and_headings_are_searched() {
    let mut change = put(1, Some("en"), "It takes two weeks.", None);
    if let Change::Put { document, passages } = &mut change {
        document.title = "Parental leave".into();
        passages[0].heading = "Reimbursement".into();
    }
    let (_directory, index) = index_of(&[change]);
    assert_eq!(words(&index, "parental"), [passage(1)]);
    assert_eq!(words(&index, "reimbursements"), [passage(1)]);
}

#[test]
fn a_removal_holds_for_the_next_search() {
    let vector = unit(1, DIMENSION);
    let (_directory, index) = index_of(&[put(1, Some("en"), "granite", Some(vector.clone()))]);
    for mode in Mode::ALL {
        assert_eq!(search(&index, mode, "granite", Some(&vector)).len(), 1);
    }
    index.apply(&[Change::Remove(document(1)), Change::Remove(document(99))]).unwrap();
    for mode in Mode::ALL {
        assert!(search(&index, mode, "granite", Some(&vector)).is_empty());
    }
    assert_eq!(index.passages(), 0);
}

#[test]
fn every_right_is_needed_in_every_mode() {
    let vector = unit(1, DIMENSION);
    let mut narrowed = put(1, Some("en"), "granite", Some(vector.clone()));
    if let Change::Put { document, .. } = &mut narrowed {
        document.label = Label::Confidential;
        document.readers = Some(vec![principal(7)]);
    }
    let other = put(2, Some("en"), "granite", Some(vector.clone()));
    let (_directory, index) = index_of(&[narrowed, other]);
    let found = |principals: &[u128], collections: &[u128], clearance| {
        let scope = AccessScope::issue(
            principals.iter().copied().map(principal),
            collections.iter().copied().map(collection),
            Clearance(clearance),
        );
        let counts = Mode::ALL.map(|mode| {
            let query = Query { text: "granite", vector: Some(&vector), mode, within: None, limit: 10 };
            index.search(&query, &scope).unwrap().len()
        });
        assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
        counts[0]
    };
    assert_eq!(found(&[7], &[0], Label::Confidential), 2);
    assert_eq!(found(&[7], &[0, 1], Label::Secret), 2);
    assert_eq!(found(&[7], &[0], Label::Internal), 1);
    assert_eq!(found(&[6], &[0], Label::Secret), 1);
    assert_eq!(found(&[], &[0], Label::Secret), 1);
    assert_eq!(found(&[7], &[1], Label::Secret), 0);
    assert_eq!(found(&[7], &[], Label::Secret), 0);
}

#[test]
fn both_legs_meet_in_a_hybrid_search() {
    let (near, far) = (unit(1, DIMENSION), unit(2, DIMENSION));
    let (_directory, index) = index_of(&[
        put(1, Some("en"), "granite", Some(near.clone())),
        put(2, Some("en"), "granite", Some(far)),
        put(3, Some("en"), "lantern", Some(near.clone())),
        put(4, Some("en"), "granite", None),
    ]);
    let hits = search(&index, Mode::Hybrid, "granite", Some(&near));
    assert_eq!(hits.len(), 4);
    assert_eq!(hits[0].passage, passage(1), "found by both");
    let by_passage = |number| hits.iter().find(|hit| hit.passage == passage(number)).unwrap();
    assert!(by_passage(1).bm25.is_some() && by_passage(1).cosine.is_some());
    assert!(by_passage(3).bm25.is_none() && by_passage(3).cosine.is_some());
    assert!(by_passage(4).bm25.is_some() && by_passage(4).cosine.is_none());
    // Without a vector the words decide.
    assert_eq!(search(&index, Mode::Hybrid, "lantern", None).len(), 1);
}

#[test]
fn what_cannot_be_taken_is_refused_and_changes_nothing() {
    let (_directory, index) = index_of(&[put(1, Some("en"), "granite", Some(unit(1, DIMENSION)))]);
    let attempt = |vector: Vec<f32>| index.apply(&[Change::Remove(document(1)), put(2, None, "lantern", Some(vector))]);
    assert!(matches!(attempt(vec![1.0]), Err(IndexError::Dimension { expected: DIMENSION, found: 1 })));
    assert!(matches!(attempt(vec![0.0; DIMENSION]), Err(IndexError::NotUnit)));
    assert!(matches!(attempt(vec![f32::NAN; DIMENSION]), Err(IndexError::NotUnit)));
    let mut twice = put(3, None, "lantern", None);
    if let Change::Put { passages, .. } = &mut twice {
        passages.push(passages[0].clone());
    }
    assert!(matches!(index.apply(&[twice]), Err(IndexError::DuplicatePassage(_))));
    assert_eq!(words(&index, "granite"), [passage(1)]);

    let ask =
        |vector, mode| index.search(&Query { text: "granite", vector, mode, within: None, limit: 5 }, &everyone());
    assert!(matches!(ask(None, Mode::Dense), Err(IndexError::NoVector)));
    assert!(matches!(ask(Some(&[1.0]), Mode::Hybrid), Err(IndexError::Dimension { .. })));
    assert!(ask(Some(&[f32::INFINITY; DIMENSION]), Mode::Lexical).is_err());
}

#[test]
fn nothing_in_a_question_is_an_operator() {
    let (_directory, index) = index_of(&[put(1, Some("en"), "granite and lantern", None)]);
    for text in [
        "",
        " ",
        "\0",
        "\"",
        "granite AND -lantern",
        "terms:granite",
        "(((((",
        "*",
        "granite~2^9 [a TO z]",
        "\u{FFFF}",
        "AND OR NOT",
        "access:*",
        "granite\" OR reader:*",
        "\u{202E}etinarg",
        "🔥🔥",
    ] {
        let hits = words(&index, text);
        assert_eq!(hits.len(), usize::from(text.contains("granite")), "{text:?}");
    }
    let long = "granite ".repeat(200_000);
    assert_eq!(words(&index, &long), [passage(1)]);
    assert!(words(&index, &"字".repeat(100_000)).is_empty());
    assert!(
        index
            .search(&Query { text: "granite", vector: None, mode: Mode::Lexical, within: None, limit: 0 }, &everyone())
            .unwrap()
            .is_empty()
    );
    let all = Query { text: "granite", vector: None, mode: Mode::Lexical, within: None, limit: usize::MAX };
    assert_eq!(index.search(&all, &everyone()).unwrap().len(), 1);
}

#[test]
fn terms_are_what_is_searched() {
    let (_directory, index) = index_of(&[]);
    assert_eq!(index.terms("The Budgets were approved", Some("en")), ["budget", "were", "approv"]);
    assert_eq!(index.terms("Die Häuser", Some("de-CH")), ["haus"]);
    assert_eq!(index.terms("budgets", None), ["budget"]);
    assert_eq!(index.terms("budgets", Some("xx")), ["budgets"]);
}

#[test]
fn searches_run_beside_changes() {
    let (_directory, index) = index_of(&[put(0, Some("en"), "granite", Some(unit(0, DIMENSION)))]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..20_u128 {
                index.apply(&[put(number, Some("en"), "granite", Some(unit(number as u64, DIMENSION)))]).unwrap();
            }
        });
        for _ in 0..200 {
            // Both legs always show the same moment.
            let hits = search(&index, Mode::Hybrid, "granite", Some(&unit(0, DIMENSION)));
            assert!(hits.iter().all(|hit| hit.bm25.is_some() && hit.cosine.is_some()));
        }
    });
    assert_eq!(words(&index, "granite").len(), 20);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_question_breaks_a_search(text in "\\PC{0,200}|[\\x00-\\x7f]{0,200}|.{0,50}") {
        thread_local! {
            static INDEX: (tempfile::TempDir, Index) = multilingual();
        }
        INDEX.with(|(_, index)| words(index, &text));
    }
}
