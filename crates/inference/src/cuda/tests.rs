//! The arithmetic on the CPU, against the CPU's own decoder, on tiny random models of each family.

use super::{BLOCK_TOKENS, CudaDecoder, Place};
use crate::decoder::Decoder;
use crate::decoder::model::{BlockId, Chunk, Computed, DecoderModel};
use crate::decoder::tests::difference;
use crate::decoder::tests::tiny::{Experts, TinyModel, VOCABULARY, tokens};
use crate::gguf::GgufFile;
use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device};
use std::path::Path;

const BLOCKS: u32 = 64;

/// The CPU keeps keys and values in 16 bits, and these tests in 32.
const NEAR: f32 = 4e-3;

/// Its inputs of quantised products are rounded to 8 bits, these are not.
const ROUNDED: f32 = 0.03;

/// What the CPU's decoder gives behind `tokens`.
fn reference(path: &Path, tokens: &[u32]) -> Vec<f32> {
    computed(path, tokens).logits
}

fn computed(path: &Path, tokens: &[u32]) -> Computed {
    let mut decoder = Decoder::read(&mut GgufFile::open(path).unwrap(), 4096).unwrap();
    decoder.allocate(BLOCKS as usize).unwrap();
    let blocks: Vec<BlockId> = (0..BLOCKS).collect();
    let mut computed = Computed::default();
    let chunk = Chunk { tokens, position: 0, blocks: &blocks, logits: 1, states: 1 };
    decoder.step(&[chunk], &mut computed, &mut || true).unwrap();
    computed
}

fn decoder_in(path: &Path, compact: DType) -> CudaDecoder {
    let place = Place { device: Device::Cpu, compact };
    let mut decoder = CudaDecoder::read(&mut GgufFile::open(path).unwrap(), 4096, place).unwrap();
    decoder.allocate(BLOCKS as usize).unwrap();
    decoder
}

fn decoder(path: &Path) -> CudaDecoder {
    decoder_in(path, DType::F32)
}

/// Block tables that no two sequences share and that are in no order.
fn blocks(sequence: u32) -> Vec<BlockId> {
    (0..16).map(|index| (sequence * 16 + index * 7 % 16) % BLOCKS).collect()
}

fn chunk<'a>(tokens: &'a [u32], position: usize, blocks: &'a [BlockId], logits: usize) -> Chunk<'a> {
    Chunk { tokens: &tokens[position..], position, blocks, logits, states: logits }
}

fn step(decoder: &mut CudaDecoder, chunks: &[Chunk<'_>]) -> Vec<Vec<f32>> {
    let mut computed = Computed::default();
    assert!(decoder.step(chunks, &mut computed, &mut || true).unwrap());
    computed.logits.chunks(VOCABULARY).map(<[f32]>::to_vec).collect()
}

/// Logits behind `tokens`, read alone in pieces of `length`.
fn alone(decoder: &mut CudaDecoder, sequence: u32, tokens: &[u32], length: usize) -> Vec<f32> {
    let table = blocks(sequence);
    let mut last = Vec::new();
    for start in (0..tokens.len()).step_by(length) {
        let end = tokens.len().min(start + length);
        last = step(decoder, &[chunk(&tokens[..end], start, &table, 1)]);
    }
    last.pop().unwrap()
}

fn check(model: TinyModel, tolerance: f32) {
    let file = model.write();
    let prompt = tokens(75);
    let found = alone(&mut decoder(file.path()), 0, &prompt, prompt.len());
    let difference = difference(&reference(file.path(), &prompt), &found);
    assert!(difference < tolerance, "logits differ by {difference}");
}

#[test]
fn every_family_agrees_with_the_decoder_of_the_cpu() {
    check(TinyModel::llama(), NEAR);
    check(TinyModel::qwen2(), NEAR);
    check(TinyModel::qwen3(), NEAR);
    check(TinyModel::qwen3_moe(Experts::Together), NEAR);
    check(TinyModel::mixtral(Experts::Apart), NEAR);
    check(TinyModel::phi3(), NEAR);
    check(TinyModel::gemma2(), NEAR);
    check(TinyModel::gemma3(), NEAR);
}

#[test]
fn quantised_weights_and_stretched_angles_agree() {
    check(TinyModel::llama().with_weights(GgmlDType::Q4K), ROUNDED);
    check(TinyModel::qwen2().with_weights(GgmlDType::Q8_0), ROUNDED);
    check(TinyModel::mixtral(Experts::Together).with_weights(GgmlDType::Q4K), 2.0 * ROUNDED);
    check(TinyModel::qwen2().with_weights(GgmlDType::Q6K), ROUNDED);
    check(TinyModel::llama().with_vector("rope_freqs.weight", vec![8.0; 32]), NEAR);
    check(TinyModel::llama().with_text("rope.scaling.type", "linear").with_float("rope.scaling.factor", 4.0), NEAR);
}

#[test]
fn half_the_bits_cost_little() {
    let file = TinyModel::qwen2().write();
    let prompt = tokens(75);
    let found = alone(&mut decoder_in(file.path(), DType::BF16), 0, &prompt, 40);
    let difference = difference(&reference(file.path(), &prompt), &found);
    assert!((1e-6..0.03).contains(&difference), "{difference}");
}

#[test]
fn pieces_and_blocks_do_not_matter() {
    for model in [TinyModel::llama(), TinyModel::gemma2()] {
        let file = model.write();
        let prompt = tokens(200);
        let mut decoder = decoder(file.path());
        let whole = reference(file.path(), &prompt);
        for length in [1, 33, 64, 199] {
            let difference = difference(&whole, &alone(&mut decoder, 1, &prompt, length));
            assert!(difference < NEAR, "pieces of {length}: {difference}");
        }
    }
}

#[test]
fn sequences_in_one_step_do_not_see_each_other() {
    let file = TinyModel::gemma2().write();
    let mut decoder = decoder(file.path());
    let (long, short, fresh) = (tokens(140), tokens(37)[5..].to_vec(), tokens(60)[10..].to_vec());
    let tables = [blocks(0), blocks(1), blocks(2)];
    let expected: Vec<_> =
        [&long, &short, &fresh].map(|sequence| reference(file.path(), sequence)).into_iter().collect();
    for (sequence, table) in [(&long, &tables[0]), (&short, &tables[1])] {
        step(&mut decoder, &[chunk(&sequence[..sequence.len() - 1], 0, table, 0)]);
    }
    // Two write a token each, one reads its whole prompt, and the longest chunk comes first.
    let found = step(
        &mut decoder,
        &[
            chunk(&fresh, 0, &tables[2], 1),
            chunk(&long, long.len() - 1, &tables[0], 1),
            chunk(&short, short.len() - 1, &tables[1], 1),
        ],
    );
    for (expected, found) in [&expected[2], &expected[0], &expected[1]].into_iter().zip(&found) {
        assert!(difference(expected, found) < NEAR);
    }
}

#[test]
fn logits_of_several_tokens_are_those_of_each_alone() {
    let file = TinyModel::qwen3().write();
    let mut decoder = decoder(file.path());
    let prompt = tokens(50);
    let table = blocks(0);
    assert!(step(&mut decoder, &[chunk(&prompt[..46], 0, &table, 0)]).is_empty());
    let found = step(&mut decoder, &[chunk(&prompt, 46, &table, 3)]);
    assert_eq!(found.len(), 3);
    for (length, found) in (48..=50).zip(&found) {
        assert!(difference(&reference(file.path(), &prompt[..length]), found) < NEAR, "{length}");
    }
}

#[test]
fn hidden_states_are_those_of_the_last_tokens() {
    let file = TinyModel::llama().write();
    let mut decoder = decoder(file.path());
    let (long, short) = (tokens(50), tokens(9));
    let tables = [blocks(0), blocks(1)];
    let mut found = Computed::default();
    let chunks = [chunk(&long, 0, &tables[0], 1), chunk(&short, 0, &tables[1], 1)];
    assert!(decoder.step(&chunks, &mut found, &mut || true).unwrap());
    for (prompt, state) in [long, short].iter().zip(found.states.chunks(decoder.hidden())) {
        assert!(difference(&computed(file.path(), prompt).states, state) < NEAR);
    }
}

#[test]
fn a_stopped_step_can_be_made_again() {
    let file = TinyModel::llama().write();
    let mut decoder = decoder(file.path());
    let (prompt, table) = (tokens(40), blocks(3));
    let (mut nothing, mut layers) = (Computed::default(), 0);
    let mut twice = || {
        layers += 1;
        layers < 3
    };
    assert!(!decoder.step(&[chunk(&prompt, 0, &table, 1)], &mut nothing, &mut twice).unwrap());
    assert!(nothing.logits.is_empty() && nothing.states.is_empty());
    assert!(difference(&reference(file.path(), &prompt), &alone(&mut decoder, 3, &prompt, 40)) < NEAR);
}

#[test]
fn a_copied_block_serves_another_sequence() {
    let file = TinyModel::llama().write();
    let mut decoder = decoder(file.path());
    let (first, mut second) = (tokens(45), tokens(45));
    second[40..].iter_mut().for_each(|token| *token = (*token + 1) % 90);
    let (table, mut other) = (blocks(0), blocks(1));
    step(&mut decoder, &[chunk(&first, 0, &table, 0)]);
    // The first block is shared, the second begun from a copy.
    other[0] = table[0];
    assert!(decoder.copy(table[1], other[1]).unwrap());
    let found = step(&mut decoder, &[chunk(&second, 40, &other, 1)]);
    assert!(difference(&reference(file.path(), &second), &found[0]) < NEAR);
    let unchanged = step(&mut decoder, &[chunk(&first, 44, &table, 1)]);
    assert!(difference(&reference(file.path(), &first), &unchanged[0]) < NEAR);
}

#[test]
fn chunks_that_do_not_fit_are_errors() {
    let file = TinyModel::llama().write();
    let mut decoder = decoder(file.path());
    let prompt = tokens(BLOCK_TOKENS + 1);
    let mut refused = |tokens: &[u32], blocks: &[BlockId]| {
        let chunk = Chunk { tokens, position: 0, blocks, logits: 1, states: 0 };
        assert!(decoder.step(&[chunk], &mut Computed::default(), &mut || true).is_err());
    };
    refused(&prompt, &[0]);
    refused(&prompt, &[0, BLOCKS]);
    refused(&[], &[0]);
    refused(&[VOCABULARY as u32], &[0]);
    assert!(decoder.copy(0, BLOCKS).is_err());
    assert_eq!((decoder.vocabulary(), decoder.context(), decoder.block_tokens()), (VOCABULARY, 4096, BLOCK_TOKENS));
    assert_eq!(decoder.block_bytes(), 2 * 3 * BLOCK_TOKENS * 128 * 4);
}
