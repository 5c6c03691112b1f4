//! Measures the dense leg on generated vectors:
//! `cargo run --release -p index --example million -- [PASSAGES] [QUERIES] [SECONDS]`
//!
//! Prints a JSON object: how long filling and opening took, memory, and for each scope the latency of a search and the
//! share of the truly nearest ten that it found. SECONDS are waited before
//! measuring. Rights go by topic in half of the scopes, as real ones do, and by chance in the others.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use domain::{AccessScope, Clearance, CollectionId, DocumentId, Environment, Label, PassageId};
use index::{Change, DocumentEntry, Index, Mode, PassageEntry, Query};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::error::Error;
use std::time::{Duration, Instant};

const DIMENSION: usize = 384;
const TOPICS: u64 = 2_000;
/// Passages of a document: about one topic, under one set of rights.
const TOGETHER: u64 = 20;
const BATCH: u64 = 10_000;
/// Shares of topics, and of documents of a topic, whose rights are alike: the first 1 %, the next 9 %, 20 %, 70 %.
const BANDS: [f64; 4] = [0.01, 0.10, 0.30, 1.0];

/// Splitmix64.
fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0xD134_2543_DE82_EF95);
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

fn share(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

/// Roughly normal values: the sum of four uniform ones. Later places vary less, as in the vectors of real models.
fn normal(seed: u64) -> impl Iterator<Item = f32> {
    let mut next = numbers(seed);
    (0..DIMENSION).map(move |place| {
        let bits = next();
        let sum: f32 = (0..4).map(|part| ((bits >> (part * 16)) & 0xFFFF) as f32 / 65_536.0 - 0.5).sum();
        sum / (1.0 + place as f32 / 96.0)
    })
}

/// Topics are of unequal size, as they are in an archive.
fn topic(document: u64) -> u64 {
    let place = share(numbers(document + 77)());
    (place * place * TOPICS as f64) as u64
}

/// A unit vector: its topic, its document and itself, a third each.
fn vector(seed: u64, document: u64) -> Vec<f32> {
    let topic = normal(topic(document) + (1 << 40)).zip(normal(document + (1 << 41)));
    let vector: Vec<f32> =
        topic.zip(normal(seed + (1 << 42))).map(|((topic, document), own)| topic + document + own).collect();
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.into_iter().map(|value| value / length).collect()
}

fn band(share: f64) -> usize {
    BANDS.iter().position(|end| share < *end).unwrap_or(BANDS.len() - 1)
}

/// By its topic, and by chance.
fn bands(document: u64) -> (usize, usize) {
    (band(share(numbers(topic(document) + 99)())), band(share(numbers(document + 55)())))
}

/// A passage id that tells its number.
fn passage(number: u64) -> PassageId {
    uuid::Uuid::from_u128(u128::from(number) + 1).into()
}

struct Scope {
    name: &'static str,
    sees: fn((usize, usize)) -> bool,
}

const SCOPES: [Scope; 7] = [
    Scope { name: "1 % by topic", sees: |(topic, _)| topic == 0 },
    Scope { name: "10 % by topic", sees: |(topic, _)| topic <= 1 },
    Scope { name: "30 % by topic", sees: |(topic, _)| topic <= 2 },
    Scope { name: "1 % by chance", sees: |(_, chance)| chance == 0 },
    Scope { name: "10 % by chance", sees: |(_, chance)| chance <= 1 },
    Scope { name: "30 % by chance", sees: |(_, chance)| chance <= 2 },
    Scope { name: "100 %", sees: |_| true },
];

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.chunks_exact(16), b.chunks_exact(16));
    let mut sums = [0.0_f32; 16];
    a.zip(b).for_each(|(a, b)| (0..16).for_each(|lane| sums[lane] += a[lane] * b[lane]));
    sums.into_iter().sum()
}

/// The truly nearest ten of those that are seen.
fn nearest(vectors: &[Vec<f32>], query: &[f32], sees: &[bool]) -> Vec<PassageId> {
    let mut all: Vec<(f32, u64)> = vectors
        .par_chunks(BATCH as usize)
        .enumerate()
        .flat_map_iter(|(part, chunk)| {
            let mut best: Vec<(f32, u64)> = (part as u64 * BATCH..)
                .zip(chunk)
                .filter(|(number, _)| sees[(number / TOGETHER) as usize])
                .map(|(number, vector)| (dot(vector, query), number))
                .collect();
            best.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
            best.truncate(10);
            best
        })
        .collect();
    all.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    all.into_iter().take(10).map(|(_, number)| passage(number)).collect()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// A line of `/proc/self/status` in MiB.
fn memory(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().ok()? / 1_024)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let passages = arguments.next().unwrap_or(Ok(1_000_000))?;
    let queries = arguments.next().unwrap_or(Ok(200))?;
    let wait = arguments.next().unwrap_or(Ok(0))?;
    let environment = Environment::system();
    let files = tempfile::tempdir()?;
    let collections: Vec<Vec<CollectionId>> =
        BANDS.iter().map(|_| BANDS.iter().map(|_| CollectionId::new(&environment)).collect()).collect();
    let vectors: Vec<Vec<f32>> =
        (0..passages).into_par_iter().map(|number| vector(number, number / TOGETHER)).collect();

    let index = Index::open(files.path(), DIMENSION)?;
    let begin = Instant::now();
    for first in (0..passages).step_by(BATCH as usize) {
        let documents = (first..passages.min(first + BATCH)).step_by(TOGETHER as usize);
        let changes = documents.map(|start| {
            let (topic, chance) = bands(start / TOGETHER);
            let entry = |number: u64| PassageEntry {
                id: passage(number),
                heading: String::new(),
                text: "word".into(),
                vector: Some(vectors[number as usize].clone()),
            };
            Change::Put {
                document: DocumentEntry {
                    id: DocumentId::new(&environment),
                    collection: collections[topic][chance],
                    label: Label::Public,
                    readers: None,
                    title: String::new(),
                    language: Some("en".to_owned()),
                },
                passages: (start..passages.min(start + TOGETHER)).map(entry).collect(),
            }
        });
        index.apply(&changes.collect::<Vec<_>>())?;
    }
    let filled = begin.elapsed();
    drop(index);

    let sees = |scope: &Scope| -> Vec<bool> {
        (0..passages.div_ceil(TOGETHER)).map(|document| (scope.sees)(bands(document))).collect()
    };
    // Questions are about all topics, those that may not be seen as well. Every other one is about a document that is there.
    let about = |query: u64| {
        let documents = passages / TOGETHER;
        if query.is_multiple_of(2) { query * (documents / queries.max(1)) % documents } else { (1 << 30) + query }
    };
    let questions: Vec<Vec<f32>> = (0..queries).map(|query| vector((1 << 50) + query, about(query))).collect();
    let truth = |scope: &Scope| -> Vec<Vec<PassageId>> {
        let sees = sees(scope);
        questions.iter().map(|question| nearest(&vectors, question, &sees)).collect()
    };
    let truths: Vec<Vec<Vec<PassageId>>> = SCOPES.iter().map(truth).collect();
    eprintln!("measuring in {wait} s");
    std::thread::sleep(Duration::from_secs(wait));

    let begin = Instant::now();
    let index = Index::open(files.path(), DIMENSION)?;
    let opened = begin.elapsed();
    let mut rows: Vec<Value> = Vec::new();
    for (scope, truths) in SCOPES.iter().zip(&truths) {
        let allowed = (0..BANDS.len()).flat_map(|topic| (0..BANDS.len()).map(move |chance| (topic, chance)));
        let allowed = allowed.filter(|bands| (scope.sees)(*bands)).map(|(topic, chance)| collections[topic][chance]);
        let access = AccessScope::issue([], allowed, Clearance(Label::Secret));
        let (mut times, mut found, mut expected) = (Vec::new(), [0; 2], [0; 2]);
        for ((query, truth), kind) in questions.iter().zip(truths).zip([0, 1].into_iter().cycle()) {
            let begin = Instant::now();
            let hits = index.search(
                &Query { text: "", vector: Some(query), mode: Mode::Dense, within: None, limit: 10 },
                &access,
            )?;
            times.push(begin.elapsed());
            let hits: HashSet<PassageId> = hits.iter().map(|hit| hit.passage).collect();
            found[kind] += truth.iter().filter(|passage| hits.contains(passage)).count();
            expected[kind] += truth.len();
        }
        times.sort();
        let recall = |kind: usize| found[kind] as f64 / expected[kind].max(1) as f64;
        rows.push(json!({
            "scope": scope.name,
            "visible": sees(scope).iter().filter(|sees| **sees).count() as u64 * TOGETHER,
            "recall_at_10": { "about a document": recall(0), "about nothing that is there": recall(1) },
            "p50_ms": milliseconds(times[times.len() / 2]),
            "p95_ms": milliseconds(times[times.len() * 95 / 100]),
        }));
    }
    let figures = json!({
        "passages": passages,
        "dimension": DIMENSION,
        "filled_s": filled.as_secs_f64(),
        "opened_ms": milliseconds(opened),
        "rss_mib": memory("VmRSS:"),
        "scopes": rows,
    });
    println!("{figures:#}");
    Ok(())
}
