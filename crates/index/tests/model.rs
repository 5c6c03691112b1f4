//! Whatever happens to the index, a search finds exactly what a naive list finds: never one passage too many, never
//! one too few.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{collection, document, passage, principal, unit};
use domain::{AccessScope, Clearance, DocumentId, Label, PassageId};
use index::{Change, DocumentEntry, Hit, Index, Mode, PassageEntry, Query};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const DIMENSION: usize = 4;
const WORDS: [&str; 5] = ["granite", "lantern", "meadow", "violet", "harbor"];

#[derive(Debug, Clone)]
struct Entry {
    document: u128,
    collection: u128,
    label: Label,
    readers: Option<Vec<u128>>,
    /// The words of each passage, and the seed of its vector.
    passages: Vec<(BTreeSet<usize>, Option<u64>)>,
}

#[derive(Debug, Clone)]
enum Step {
    Apply(Vec<Result<Entry, u128>>),
    Relabel(u128, Label, Option<Vec<u128>>),
    Reopen,
    Clear,
}

#[derive(Debug, Clone)]
struct Look {
    principals: Vec<u128>,
    collections: Vec<u128>,
    clearance: Label,
    words: BTreeSet<usize>,
    vector: u64,
    limit: usize,
}

fn label() -> impl Strategy<Value = Label> {
    proptest::sample::select(Label::ALL.to_vec())
}

fn readers() -> impl Strategy<Value = Option<Vec<u128>>> {
    proptest::option::weighted(0.4, proptest::collection::vec(0..3_u128, 0..3))
}

fn some_words(size: std::ops::Range<usize>) -> impl Strategy<Value = BTreeSet<usize>> {
    proptest::collection::btree_set(0..WORDS.len(), size)
}

fn entry() -> impl Strategy<Value = Entry> {
    let passages = proptest::collection::vec((some_words(0..4), proptest::option::weighted(0.8, 0..6_u64)), 0..4);
    (0..6_u128, 0..3_u128, label(), readers(), passages).prop_map(|(document, collection, label, readers, passages)| {
        Entry { document, collection, label, readers, passages }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let change = prop_oneof![4 => entry().prop_map(Ok), 1 => (0..6_u128).prop_map(Err)];
    prop_oneof![
        6 => proptest::collection::vec(change, 1..4).prop_map(Step::Apply),
        3 => (0..6_u128, label(), readers()).prop_map(|(id, label, readers)| Step::Relabel(id, label, readers)),
        2 => Just(Step::Reopen),
        1 => Just(Step::Clear),
    ]
}

fn look() -> impl Strategy<Value = Look> {
    let few = || proptest::collection::vec(0..3_u128, 0..3);
    (few(), few(), label(), some_words(1..4), 0..6_u64, 1..5_usize).prop_map(
        |(principals, collections, clearance, words, vector, limit)| Look {
            principals,
            collections,
            clearance,
            words,
            vector,
            limit,
        },
    )
}

fn change(entry: &Entry) -> Change {
    let passages = entry.passages.iter().zip(0..).map(|((words, seed), ordinal)| PassageEntry {
        id: passage(entry.document * 10 + ordinal),
        heading: String::new(),
        text: words.iter().map(|word| WORDS[*word]).collect::<Vec<_>>().join(" "),
        vector: seed.map(|seed| unit(seed, DIMENSION)),
    });
    Change::Put {
        document: DocumentEntry {
            id: document(entry.document),
            collection: collection(entry.collection),
            label: entry.label,
            readers: entry.readers.as_ref().map(|readers| readers.iter().copied().map(principal).collect()),
            title: String::new(),
            language: Some("en".into()),
        },
        passages: passages.collect(),
    }
}

type Model = BTreeMap<u128, Entry>;

/// What must be found: passage, document and cosine, if it has a vector.
fn expected(model: &Model, look: &Look, scope: &AccessScope, mode: Mode) -> Vec<(PassageId, DocumentId, Option<f32>)> {
    let query = unit(look.vector, DIMENSION);
    let mut found = Vec::new();
    for entry in model.values() {
        let readers: Option<Vec<_>> =
            entry.readers.as_ref().map(|readers| readers.iter().copied().map(principal).collect());
        if !scope.allows(collection(entry.collection), entry.label, readers.as_deref()) {
            continue;
        }
        for ((words, seed), ordinal) in entry.passages.iter().zip(0..) {
            let cosine = seed.map(|seed| unit(seed, DIMENSION).iter().zip(&query).map(|(a, b)| a * b).sum());
            let by_words = !words.is_disjoint(&look.words);
            let matches = match mode {
                Mode::Lexical => by_words,
                Mode::Dense => cosine.is_some(),
                Mode::Hybrid => by_words || cosine.is_some(),
            };
            if matches {
                found.push((passage(entry.document * 10 + ordinal), document(entry.document), cosine));
            }
        }
    }
    found.sort_by_key(|(passage, ..)| *passage);
    found
}

fn check(index: &Index, model: &Model, look: &Look) -> Result<(), TestCaseError> {
    let scope = AccessScope::issue(
        look.principals.iter().copied().map(principal),
        look.collections.iter().copied().map(collection),
        Clearance(look.clearance),
    );
    let text = look.words.iter().map(|word| WORDS[*word]).collect::<Vec<_>>().join(" ");
    let vector = unit(look.vector, DIMENSION);
    for mode in Mode::ALL {
        let ask = |limit| {
            index.search(&Query { text: &text, vector: Some(&vector), mode, within: None, limit }, &scope).unwrap()
        };
        let hits = ask(1_000);
        let expected = expected(model, look, &scope, mode);

        let mut found: Vec<&Hit> = hits.iter().collect();
        found.sort_by_key(|hit| hit.passage);
        let ids: Vec<_> = found.iter().map(|hit| (hit.passage, hit.document)).collect();
        prop_assert_eq!(ids, expected.iter().map(|(p, d, _)| (*p, *d)).collect::<Vec<_>>(), "{}", mode);
        for (hit, (.., cosine)) in found.iter().zip(&expected) {
            prop_assert_eq!(hit.cosine.is_some(), cosine.is_some());
            prop_assert!((hit.cosine.unwrap_or(0.0) - cosine.unwrap_or(0.0)).abs() < 1e-5);
        }
        let ordered = hits.is_sorted_by(|a, b| a.score > b.score || (a.score == b.score && a.passage < b.passage));
        prop_assert!(ordered, "{mode}: {hits:?}");

        let few = ask(look.limit);
        prop_assert_eq!(few.len(), hits.len().min(look.limit));
        for (few, all) in few.iter().zip(&hits) {
            prop_assert!((few.score - all.score).abs() < 1e-5, "a limit changes no score: {:?} {:?}", few, all);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn finds_what_a_naive_list_finds(
        steps in proptest::collection::vec((step(), proptest::collection::vec(look(), 1..4)), 1..12),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut index = Index::open(directory.path(), DIMENSION).unwrap();
        let mut model = Model::new();
        for (step, looks) in steps {
            match step {
                Step::Apply(changes) => {
                    for step in &changes {
                        match step {
                            Ok(entry) => model.insert(entry.document, entry.clone()),
                            Err(id) => model.remove(id),
                        };
                    }
                    let changes: Vec<Change> = changes
                        .iter()
                        .map(|step| step.as_ref().map_or_else(|id| Change::Remove(document(*id)), change))
                        .collect();
                    index.apply(&changes).unwrap();
                }
                Step::Relabel(id, label, readers) => {
                    if let Some(entry) = model.get_mut(&id) {
                        (entry.label, entry.readers) = (label, readers);
                        index.apply(&[change(entry)]).unwrap();
                    }
                }
                Step::Reopen => {
                    drop(index);
                    index = Index::open(directory.path(), DIMENSION).unwrap();
                }
                Step::Clear => {
                    index.clear().unwrap();
                    model.clear();
                }
            }
            prop_assert_eq!(index.passages(), model.values().map(|entry| entry.passages.len()).sum::<usize>());
            for look in &looks {
                check(&index, &model, look)?;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Hidden passages count for nothing: what is found, and its scores, are those of an index that holds what the scope sees
    /// and nothing else.
    #[test]
    fn scores_tell_nothing_of_what_is_hidden(
        entries in proptest::collection::vec(entry(), 1..30),
        gone in proptest::collection::btree_set(0..30_u128, 0..5),
        look in look(),
        within in proptest::option::of(proptest::collection::btree_set(0..30_u128, 0..20)),
    ) {
        let entries: Vec<Entry> =
            entries.into_iter().zip(0..).map(|(entry, document)| Entry { document, ..entry }).collect();
        let scope = AccessScope::issue(
            look.principals.iter().copied().map(principal),
            look.collections.iter().copied().map(collection),
            Clearance(look.clearance),
        );
        let readers = |entry: &Entry| {
            entry.readers.as_ref().map(|readers| readers.iter().copied().map(principal).collect::<Vec<_>>())
        };
        let is_seen = |entry: &Entry| scope.allows(collection(entry.collection), entry.label, readers(entry).as_deref());
        let open = |directory: &tempfile::TempDir| Index::open(directory.path(), DIMENSION).unwrap();
        let (with_hidden, without) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());

        // In several segments, with passages that are gone, and with some that this scope never sees.
        let index = open(&with_hidden);
        for some in entries.chunks(7) {
            index.apply(&some.iter().map(change).collect::<Vec<_>>()).unwrap();
        }
        let passages = vec![((0..WORDS.len()).collect(), None); 3];
        let never = Entry { document: 99, collection: 9, label: Label::Secret, readers: None, passages };
        index.apply(&[change(&never)]).unwrap();
        index.apply(&gone.iter().map(|id| Change::Remove(document(*id))).collect::<Vec<_>>()).unwrap();

        let alone = open(&without);
        let seen = entries.iter().filter(|entry| is_seen(entry) && !gone.contains(&entry.document));
        alone.apply(&seen.map(change).collect::<Vec<_>>()).unwrap();

        let text = look.words.iter().map(|word| WORDS[*word]).collect::<Vec<_>>().join(" ");
        let within: Option<BTreeSet<DocumentId>> = within.map(|ids| ids.into_iter().map(document).collect());
        let query = Query { text: &text, vector: None, mode: Mode::Lexical, within: within.as_ref(), limit: 1_000 };
        let found = |index: &Index| {
            let hits = index.search(&query, &scope).unwrap();
            hits.into_iter().map(|hit| (hit.passage, hit)).collect::<BTreeMap<_, _>>()
        };
        let expected = found(&alone);
        let at_once = found(&index);
        drop(index);
        for hits in [at_once, found(&open(&with_hidden))] {
            prop_assert_eq!(hits.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
            for (hit, expected) in hits.values().zip(expected.values()) {
                prop_assert!((hit.score - expected.score).abs() < 1e-5, "{:?} {:?}", hit, expected);
                prop_assert!((hit.bm25.unwrap() - expected.bm25.unwrap()).abs() < 1e-5, "{:?} {:?}", hit, expected);
            }
        }
    }
}

/// The writer's clock must not go back at a clearing: removals from before it would take away what comes after it.
#[test]
fn what_is_added_after_a_clearing_stays() {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(directory.path(), DIMENSION).unwrap();
    let entry = Entry {
        document: 0,
        collection: 0,
        label: Label::Public,
        readers: None,
        passages: vec![(BTreeSet::from([1]), None)],
    };
    for _ in 0..4 {
        index.apply(&[change(&entry), Change::Remove(document(1))]).unwrap();
        index.apply(&[change(&Entry { passages: Vec::new(), ..entry.clone() })]).unwrap();
        index.clear().unwrap();
        index.apply(&[change(&entry)]).unwrap();
        assert_eq!(index.passages(), 1);
    }
}
