//! Whatever happens to the vectors, a search finds what a naive list finds; and what is lost on disk is found out.

use super::*;
use crate::{Change, DocumentEntry, Index, Mode, PassageEntry, Query};
use domain::{AccessScope, Clearance, CollectionId, DocumentId, Label};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use uuid::Uuid;

const DIMENSION: usize = 16;
/// So small that a few changes seal, merge and empty segments. Everything is compared.
const SMALL: VectorOptions = VectorOptions { segment: 24, probe: usize::MAX };

fn unit(seed: u64) -> Vec<f32> {
    let value = |place: u64| ((seed * 31 + 7) * (place * place + 11) % 10_007) as f32 / 10_007.0 - 0.5;
    let vector: Vec<f32> = (0..DIMENSION as u64).map(value).collect();
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.into_iter().map(|value| value / length).collect()
}

fn id(number: u64) -> Uuid {
    Uuid::from_u128(u128::from(number) + 1_000)
}

fn collection(number: u64) -> CollectionId {
    Uuid::from_u128(u128::from(number) + 1).into()
}

/// A document with a passage for each seed, in a collection.
fn put(document: u64, within: u64, seeds: &[u64]) -> Change {
    let passage = |(seed, place): (&u64, u64)| PassageEntry {
        id: id(document * 100 + place).into(),
        heading: String::new(),
        text: "granite".into(),
        vector: Some(unit(*seed)),
    };
    Change::Put {
        document: DocumentEntry {
            id: id(document).into(),
            collection: collection(within),
            label: Label::Public,
            readers: None,
            title: String::new(),
            language: Some("en".into()),
        },
        passages: seeds.iter().zip(0..).map(passage).collect(),
    }
}

/// Document → collection and seeds.
type Model = BTreeMap<u64, (u64, Vec<u64>)>;

fn expected(model: &Model, collections: &[u64], query: &[f32], limit: usize) -> Vec<(PassageId, f32)> {
    let mut all = Vec::new();
    for (document, (within, seeds)) in model.iter().filter(|(_, (within, _))| collections.contains(within)) {
        let _ = within;
        all.extend(
            seeds.iter().zip(0..).map(|(seed, place)| (id(document * 100 + place).into(), dot(&unit(*seed), query))),
        );
    }
    all.sort_by(|a: &(PassageId, f32), b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all.truncate(limit);
    all
}

fn found(index: &Index, collections: &[u64], query: &[f32], limit: usize) -> Vec<(PassageId, f32)> {
    let scope = AccessScope::issue([], collections.iter().map(|number| collection(*number)), Clearance(Label::Public));
    let query = Query { text: "", vector: Some(query), mode: Mode::Dense, within: None, limit };
    index.search(&query, &scope).unwrap().into_iter().map(|hit| (hit.passage, hit.cosine.unwrap())).collect()
}

fn segments(index: &Index) -> usize {
    index.read().dense.segments().len()
}

#[derive(Debug, Clone)]
enum Step {
    Put(u64, u64, Vec<u64>),
    Move(u64, u64),
    Remove(u64),
    Reopen,
    /// Codes are only computed; they may go, or be spoilt.
    LoseCodes(bool),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let seeds = || proptest::collection::vec(0..500_u64, 1..30);
    prop_oneof![
        10 => (0..12_u64, 0..3_u64, seeds()).prop_map(|(document, within, seeds)| Step::Put(document, within, seeds)),
        3 => (0..12_u64, 0..3_u64).prop_map(|(document, within)| Step::Move(document, within)),
        4 => (0..12_u64).prop_map(Step::Remove),
        2 => Just(Step::Reopen),
        1 => proptest::bool::ANY.prop_map(Step::LoseCodes),
        1 => Just(Step::Clear),
    ]
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(directory.join("vectors")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

fn spoil(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // Under another name first, as the index itself does: the old file may still be mapped.
    let aside = path.with_extension("aside");
    std::fs::write(&aside, bytes).unwrap();
    std::fs::rename(aside, path).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn segments_find_what_a_naive_list_finds(steps in proptest::collection::vec(step(), 1..20), seed in 0..500_u64) {
        let directory = tempfile::tempdir().unwrap();
        let mut index = Some(Index::open_with(directory.path(), DIMENSION, SMALL).unwrap());
        let mut model = Model::new();
        let query = unit(seed);
        for step in steps {
            let open = index.as_ref().unwrap();
            match step {
                Step::Put(document, within, seeds) => {
                    open.apply(&[put(document, within, &seeds)]).unwrap();
                    model.insert(document, (within, seeds));
                }
                Step::Move(document, within) => {
                    if let Some((old, seeds)) = model.get_mut(&document) {
                        *old = within;
                        open.apply(&[put(document, within, seeds)]).unwrap();
                    }
                }
                Step::Remove(document) => {
                    open.apply(&[Change::Remove(DocumentId::from(id(document)))]).unwrap();
                    model.remove(&document);
                }
                Step::Clear => {
                    open.clear().unwrap();
                    model.clear();
                }
                Step::Reopen | Step::LoseCodes(_) => {
                    drop(index.take());
                    if let Step::LoseCodes(whole) = step {
                        let codes = files(directory.path(), "codes");
                        codes.iter().for_each(|path| if whole { std::fs::remove_file(path).unwrap() } else { spoil(path) });
                    }
                    index = Some(Index::open_with(directory.path(), DIMENSION, SMALL).unwrap());
                }
            }
            let open = index.as_ref().unwrap();
            for (collections, limit) in [(&[0, 1, 2][..], 7), (&[1][..], 1_000), (&[][..], 5)] {
                let (found, expected) = (found(open, collections, &query, limit), expected(&model, collections, &query, limit));
                prop_assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(&expected) {
                    // Passages with the same vector may stand in another order where rounding parts them.
                    prop_assert!((found.1 - expected.1).abs() < 1e-5, "{:?} is not {:?}", found, expected);
                }
                let ids = |hits: &[(PassageId, f32)]| hits.iter().map(|(passage, _)| *passage).collect::<BTreeSet<_>>();
                if limit > 100 {
                    prop_assert_eq!(ids(&found), ids(&expected));
                }
            }
            let alive: usize = model.values().map(|(_, seeds)| seeds.len()).sum();
            let state = open.read();
            let (rows, segments) = (state.dense.segments().iter().map(Segment::rows).sum::<usize>(), state.dense.segments());
            prop_assert!(rows <= alive * 2 + 2 * SMALL.segment, "{rows} rows for {alive} that are alive");
            prop_assert_eq!(segments.iter().map(Segment::alive).sum::<usize>(), alive);
            prop_assert_eq!(segments.iter().filter(|segment| segment.is_growing()).count(), 1);
            prop_assert_eq!(files(directory.path(), "log").len(), segments.len());
        }
    }
}

fn many(directory: &Path, probe: usize) -> (Index, Model) {
    let index = Index::open_with(directory, DIMENSION, VectorOptions { segment: 500, probe }).unwrap();
    // Rights that go by what the vectors say: a collection sees one side of the space.
    let side = |seed: u64| u64::from(unit(seed)[0] > 0.1);
    let model: Model = (0..3_000).map(|seed| (seed, (side(seed), vec![seed]))).collect();
    let changes: Vec<Change> = model.iter().map(|(document, (within, seeds))| put(*document, *within, seeds)).collect();
    changes.chunks(250).for_each(|changes| index.apply(changes).unwrap());
    (index, model)
}

#[test]
fn a_part_of_the_clusters_finds_nearly_all_whatever_the_rights() {
    let directory = tempfile::tempdir().unwrap();
    let (index, model) = many(directory.path(), 600);
    assert!(segments(&index) >= 6);
    for collections in [&[0, 1][..], &[0], &[1]] {
        let mut hits = 0;
        for seed in 5_000..5_050 {
            let query = unit(seed);
            let found = found(&index, collections, &query, 10);
            let expected = expected(&model, collections, &query, 10);
            assert_eq!(found.len(), 10);
            hits += expected.iter().filter(|(passage, _)| found.iter().any(|(found, _)| found == passage)).count();
        }
        assert!(hits >= 450, "{hits} of 500 with {collections:?}");
    }
}

#[test]
fn a_merge_that_was_cut_off_before_the_old_log_went_is_finished() {
    let directory = tempfile::tempdir().unwrap();
    let (index, mut model) = many(directory.path(), usize::MAX);
    let logs = files(directory.path(), "log");
    let aside: Vec<(PathBuf, Vec<u8>)> = logs.iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    let gone: Vec<u64> = (0..1_000).filter(|document| document % 3 > 0).collect();
    gone.iter().for_each(|document| drop(model.remove(document)));
    let removed: Vec<Change> = gone.iter().map(|document| Change::Remove(DocumentId::from(id(*document)))).collect();
    index.apply(&removed).unwrap();
    let merged = files(directory.path(), "log");
    assert!(merged.len() < logs.len(), "two segments became one");
    drop(index);
    for (path, bytes) in aside.iter().filter(|(path, _)| !merged.contains(path)) {
        std::fs::write(path, bytes).unwrap();
    }
    let options = VectorOptions { segment: 500, probe: usize::MAX };
    let index = Index::open_with(directory.path(), DIMENSION, options).unwrap();
    assert_eq!(files(directory.path(), "log"), merged);
    let query = unit(7_000);
    let (found, expected) = (found(&index, &[0, 1], &query, 50), expected(&model, &[0, 1], &query, 50));
    assert_eq!(found.iter().map(|hit| hit.0).collect::<Vec<_>>(), expected.iter().map(|hit| hit.0).collect::<Vec<_>>());
}

#[test]
fn a_damaged_vector_of_a_sealed_segment_is_found_out() {
    let directory = tempfile::tempdir().unwrap();
    drop(many(directory.path(), usize::MAX));
    spoil(&files(directory.path(), "log")[1]);
    let damaged = Index::open_with(directory.path(), DIMENSION, SMALL);
    assert!(matches!(damaged, Err(IndexError::Damaged { .. })));
}
