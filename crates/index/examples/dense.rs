//! Measures the dense leg on generated vectors: `cargo run --release -p index --example dense -- PASSAGES [SECONDS]`.
//! With SECONDS it measures again after that time, when the graph of a large index may be there.
#![allow(clippy::print_stdout)]

use domain::{AccessScope, Clearance, CollectionId, DocumentId, Environment, Label, PassageId};
use index::{Change, DocumentEntry, Index, Mode, PassageEntry, Query};
use std::collections::HashSet;
use std::error::Error;
use std::time::{Duration, Instant};

const DIMENSION: usize = 384;
const CENTRES: u64 = 1_000;
const QUERIES: u64 = 200;

/// Splitmix64, as values around 0.
fn values(seed: u64) -> impl Iterator<Item = f32> {
    let mut state = seed.wrapping_mul(0xD134_2543_DE82_EF95);
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    })
}

/// A unit vector near one of the centres, as texts lie near their topics.
fn vector(seed: u64) -> Vec<f32> {
    let near = values(seed % CENTRES).zip(values(seed + 1_000_000)).map(|(centre, own)| centre + own);
    let vector: Vec<f32> = near.take(DIMENSION).collect();
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.into_iter().map(|value| value / length).collect()
}

fn measure(index: &Index, what: &str, collections: &[CollectionId]) -> Result<Vec<Vec<PassageId>>, Box<dyn Error>> {
    let scope = AccessScope::issue([], collections.iter().copied(), Clearance(Label::Secret));
    let (mut times, mut found) = (Vec::new(), Vec::new());
    for seed in 0..QUERIES {
        let vector = vector(1_000_000_000 + seed);
        let start = Instant::now();
        let hits = index
            .search(&Query { text: "", vector: Some(&vector), mode: Mode::Dense, within: None, limit: 10 }, &scope)?;
        times.push(start.elapsed());
        found.push(hits.iter().map(|hit| hit.passage).collect());
    }
    times.sort();
    println!("{what}: median {:?}, p95 {:?}", times[times.len() / 2], times[times.len() * 95 / 100]);
    Ok(found)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let passages = arguments.next().unwrap_or(Ok(100_000))?;
    let wait = arguments.next().transpose()?;
    let environment = Environment::system();
    let files = tempfile::tempdir()?;
    let [most, tenth] = [(); 2].map(|()| CollectionId::new(&environment));

    let index = Index::open(files.path(), DIMENSION)?;
    let start = Instant::now();
    for first in (0..passages).step_by(10_000) {
        let changes = (first..passages.min(first + 10_000)).step_by(20).map(|start| {
            let collection = if start % 200 == 0 { tenth } else { most };
            let id = DocumentId::new(&environment);
            let language = Some("en".to_owned());
            Change::Put {
                document: DocumentEntry {
                    id,
                    collection,
                    label: Label::Public,
                    readers: None,
                    title: String::new(),
                    language,
                },
                passages: (start..passages.min(start + 20))
                    .map(|seed| PassageEntry {
                        id: PassageId::new(&environment),
                        heading: String::new(),
                        text: "word".into(),
                        vector: Some(vector(seed)),
                    })
                    .collect(),
            }
        });
        index.apply(&changes.collect::<Vec<_>>())?;
    }
    println!("{passages} × {DIMENSION} put in {:?}", start.elapsed());
    let before = measure(&index, "all visible", &[most, tenth])?;
    measure(&index, "a tenth visible", &[tenth])?;
    if let Some(seconds) = wait {
        std::thread::sleep(Duration::from_secs(seconds));
        let after = measure(&index, "all visible, later", &[most, tenth])?;
        let same: usize = before
            .iter()
            .zip(&after)
            .map(|(exact, found)| {
                let exact: HashSet<_> = exact.iter().collect();
                found.iter().filter(|passage| exact.contains(passage)).count()
            })
            .sum();
        println!("of the first answers' hits found again: {:.3}", same as f64 / (10 * QUERIES) as f64);
    }
    drop(index);
    let start = Instant::now();
    Index::open(files.path(), DIMENSION)?;
    println!("opened in {:?}", start.elapsed());
    Ok(())
}
