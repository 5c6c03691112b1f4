//! Builders for the tests of this crate.
#![allow(dead_code, clippy::unwrap_used)]

use domain::{AccessScope, Clearance, CollectionId, DocumentId, Label, PassageId, PrincipalId};
use index::{Change, DocumentEntry, Hit, Index, Mode, PassageEntry, Query};
use uuid::Uuid;

pub fn collection(number: u128) -> CollectionId {
    Uuid::from_u128(0xC0_0000 + number).into()
}

pub fn document(number: u128) -> DocumentId {
    Uuid::from_u128(0xD0_0000 + number).into()
}

pub fn passage(number: u128) -> PassageId {
    Uuid::from_u128(0xA0_0000 + number).into()
}

pub fn principal(number: u128) -> PrincipalId {
    Uuid::from_u128(0xB0_0000 + number).into()
}

/// A public document in collection 0 with one passage of the same number.
pub fn put(number: u128, language: Option<&str>, text: &str, vector: Option<Vec<f32>>) -> Change {
    Change::Put {
        document: DocumentEntry {
            id: document(number),
            collection: collection(0),
            label: Label::Public,
            readers: None,
            title: String::new(),
            language: language.map(str::to_owned),
        },
        passages: vec![PassageEntry { id: passage(number), heading: String::new(), text: text.to_owned(), vector }],
    }
}

/// Sees collection 0, all labels.
pub fn everyone() -> AccessScope {
    AccessScope::issue([principal(0)], [collection(0)], Clearance(Label::Secret))
}

pub fn search(index: &Index, mode: Mode, text: &str, vector: Option<&[f32]>) -> Vec<Hit> {
    index.search(&Query { text, vector, mode, within: None, limit: 100_000 }, &everyone()).unwrap()
}

/// The passages found by words, best first.
pub fn words(index: &Index, text: &str) -> Vec<PassageId> {
    search(index, Mode::Lexical, text, None).iter().map(|hit| hit.passage).collect()
}

/// A unit vector that differs with `seed`.
pub fn unit(seed: u64, dimension: usize) -> Vec<f32> {
    // splitmix64
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    };
    let vector: Vec<f32> = (0..dimension).map(|_| next()).collect();
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.into_iter().map(|value| value / length).collect()
}
