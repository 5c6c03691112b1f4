//! The decoder against candle-transformers' models, on tiny random files and on a real model.

mod families;
mod invariants;
mod reference;
#[path = "../../../tests/support/mod.rs"]
mod support;
pub(crate) mod tiny;

pub(crate) use support::test_model;

use super::model::{BlockId, Chunk, Computed, DecoderModel};
use super::processor::Decoder;
use crate::gguf::GgufFile;
use std::path::Path;

const CONTEXT: usize = 4096;

fn decoder(path: &Path) -> Decoder {
    let mut decoder = Decoder::read(&mut GgufFile::open(path).unwrap(), CONTEXT).unwrap();
    decoder.allocate(2 * CONTEXT / decoder.block_tokens()).unwrap();
    decoder
}

/// One sequence in blocks of its own, out of order.
struct Sequence<'d> {
    decoder: &'d mut Decoder,
    blocks: Vec<BlockId>,
    length: usize,
}

impl<'d> Sequence<'d> {
    fn new(decoder: &'d mut Decoder) -> Self {
        let count = (CONTEXT / decoder.block_tokens()) as u32;
        Self { decoder, blocks: (0..count).map(|block| (block * 37 + 5) % count).collect(), length: 0 }
    }

    /// The logits behind `tokens`, read in pieces of `chunk`.
    fn read(&mut self, tokens: &[u32], chunk: usize) -> Vec<f32> {
        self.compute(tokens, chunk).logits
    }

    fn compute(&mut self, tokens: &[u32], chunk: usize) -> Computed {
        let mut computed = Computed::default();
        for tokens in tokens.chunks(chunk) {
            computed = Computed::default();
            let chunk = Chunk { tokens, position: self.length, blocks: &self.blocks, logits: 1, states: 1 };
            assert!(self.decoder.step(&[chunk], &mut computed, &mut || true).unwrap(), "nobody stopped it");
            self.length += tokens.len();
        }
        computed
    }
}

/// The logits behind `tokens` alone.
fn logits(decoder: &mut Decoder, tokens: &[u32], chunk: usize) -> Vec<f32> {
    Sequence::new(decoder).read(tokens, chunk)
}

/// What is computed behind `tokens` alone.
fn computed(decoder: &mut Decoder, tokens: &[u32], chunk: usize) -> Computed {
    Sequence::new(decoder).compute(tokens, chunk)
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
