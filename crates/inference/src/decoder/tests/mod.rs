//! The decoder against candle-transformers' models, on tiny random files and on a real model.

mod families;
mod invariants;
mod reference;
#[path = "../../../tests/support/mod.rs"]
mod support;
pub(crate) mod tiny;

pub(crate) use support::test_model;
pub(super) use tiny::noise;

use super::{Decoder, KvCache};
use crate::gguf::GgufFile;
use std::path::Path;

fn decoder(path: &Path) -> Decoder {
    Decoder::read(&mut GgufFile::open(path).unwrap(), 4096).unwrap()
}

/// The logits behind `tokens`, read in pieces of `chunk`.
fn logits(decoder: &Decoder, cache: &mut KvCache, tokens: &[u32], chunk: usize) -> Vec<f32> {
    let mut logits = Vec::new();
    for tokens in tokens.chunks(chunk) {
        logits = decoder.forward(tokens, cache, true, &mut || true).unwrap().expect("nobody stopped it");
    }
    logits
}

/// Greedy continuation of `tokens`.
fn greedy(decoder: &Decoder, tokens: &[u32], length: usize) -> Vec<u32> {
    let mut cache = decoder.cache();
    let mut output = logits(decoder, &mut cache, tokens, 64);
    let mut written = Vec::new();
    for _ in 0..length {
        let best = best(&output);
        written.push(best);
        output = logits(decoder, &mut cache, &[best], 1);
    }
    written
}

fn best(logits: &[f32]) -> u32 {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    order[0] as u32
}

/// The difference of two vectors, relative to the first one's spread.
pub(crate) fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|x| x * x).sum::<f32>().sqrt();
    norm(&mut a.iter().zip(b).map(|(x, y)| x - y)) / norm(&mut a.iter().copied())
}
