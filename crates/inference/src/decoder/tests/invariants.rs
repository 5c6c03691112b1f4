//! What must hold for every sequence, however it is read and whatever is read beside it.

use super::tiny::{Experts, TinyModel, tokens};
use super::{Sequence, computed, decoder, logits};
use crate::decoder::model::{BlockId, Chunk, Computed, DecoderModel};
use candle_core::quantized::GgmlDType;

fn models() -> [TinyModel; 5] {
    [
        TinyModel::llama(),
        TinyModel::gemma2(),
        TinyModel::qwen2().with_weights(GgmlDType::Q4K),
        TinyModel::qwen3().with_weights(GgmlDType::Q8_0),
        TinyModel::mixtral(Experts::Together).with_weights(GgmlDType::Q4K),
    ]
}

#[test]
fn reading_in_pieces_changes_no_bit() {
    for model in models() {
        let file = model.write();
        let mut decoder = decoder(file.path());
        let prompt = tokens(300);
        let whole = computed(&mut decoder, &prompt, prompt.len());
        for chunk in [1, 7, 64, 299] {
            let pieces = computed(&mut decoder, &prompt, chunk);
            assert_eq!(
                (pieces.logits, pieces.states),
                (whole.logits.clone(), whole.states.clone()),
                "pieces of {chunk}"
            );
        }
    }
}

#[test]
fn company_changes_no_bit() {
    for model in models() {
        let file = model.write();
        let mut decoder = decoder(file.path());
        let prompts: Vec<Vec<u32>> = [40, 7, 65].iter().map(|&length| tokens(length)).collect();
        let alone: Vec<Computed> = prompts.iter().map(|prompt| computed(&mut decoder, prompt, 64)).collect();
        let blocks: [Vec<BlockId>; 3] = [vec![9, 2], vec![30], vec![4, 7, 1]];
        // The last token apart, so that chunks of one token and of many run together.
        let chunk = |index: usize, range: std::ops::Range<usize>, logits| {
            let position = range.start;
            let tokens: &[u32] = &prompts[index][range];
            Chunk { tokens, position, blocks: &blocks[index], logits, states: logits }
        };
        let mut none = Computed::default();
        let first = [chunk(0, 0..39, 0), chunk(2, 0..20, 0)];
        decoder.step(&first, &mut none, &mut || true).unwrap();
        assert!(none.logits.is_empty() && none.states.is_empty(), "nothing was wanted");
        let mut together = Computed::default();
        let second = [chunk(2, 20..65, 1), chunk(0, 39..40, 1), chunk(1, 0..7, 1)];
        decoder.step(&second, &mut together, &mut || true).unwrap();
        assert_eq!(together.logits, [&alone[2].logits[..], &alone[0].logits, &alone[1].logits].concat());
        assert_eq!(together.states, [&alone[2].states[..], &alone[0].states, &alone[1].states].concat());
    }
}

#[test]
fn logits_of_several_tokens_are_those_of_each() {
    let file = TinyModel::llama().with_weights(GgmlDType::Q4K).write();
    let mut decoder = decoder(file.path());
    let prompt = tokens(20);
    let mut all = Computed::default();
    let blocks = [3];
    let chunk = Chunk { tokens: &prompt, position: 0, blocks: &blocks, logits: 5, states: 5 };
    decoder.step(&[chunk], &mut all, &mut || true).unwrap();
    for (index, row) in all.logits.chunks(decoder.vocabulary()).enumerate() {
        assert_eq!(logits(&mut decoder, &prompt[..16 + index], 64), row);
    }
}

#[test]
fn a_reused_prefix_is_as_good_as_a_fresh_one() {
    let file = TinyModel::llama().write();
    let mut decoder = decoder(file.path());
    let (first, mut second) = (tokens(120), tokens(120));
    second[70..].iter_mut().for_each(|token| *token = (*token + 1) % 90);
    let fresh = logits(&mut decoder, &second, 64);
    let mut sequence = Sequence::new(&mut decoder);
    sequence.read(&first, 64);
    sequence.length = 70;
    assert_eq!(sequence.read(&second[70..], 64), fresh);
}

#[test]
fn stopping_changes_nothing_that_was_there() {
    let file = TinyModel::llama().write();
    let mut decoder = decoder(file.path());
    let prompt = tokens(50);
    let fresh = logits(&mut decoder, &prompt, 50);
    let mut sequence = Sequence::new(&mut decoder);
    sequence.read(&prompt[..20], 20);
    let mut layers = 0;
    let mut twice = || {
        layers += 1;
        layers < 3
    };
    let chunk = Chunk { tokens: &prompt[20..], position: 20, blocks: &sequence.blocks, logits: 1, states: 0 };
    assert!(!sequence.decoder.step(&[chunk], &mut Computed::default(), &mut twice).unwrap());
    assert_eq!(sequence.read(&prompt[20..], 30), fresh);
}

#[test]
fn what_does_not_fit_is_refused() {
    let file = TinyModel::llama().write();
    let mut decoder = decoder(file.path());
    let mut refused = |tokens: &[u32], position, blocks: &[BlockId]| {
        let chunk = Chunk { tokens, position, blocks, logits: 1, states: 0 };
        decoder.step(&[chunk], &mut Computed::default(), &mut || true).is_err()
    };
    assert!(refused(&[1], 32, &[0]), "a table that is too short");
    assert!(refused(&[1], 0, &[100_000]), "a block that is not there");
    assert!(refused(&[100_000], 0, &[0]), "a token that is not there");
    assert!(refused(&[1], 4096, &[0; 200]), "more than the context");
    assert!(!refused(&[1], 31, &[0]));
}

#[test]
fn saved_keys_and_values_serve_in_other_blocks() {
    for model in models() {
        let file = model.write();
        let mut decoder = decoder(file.path());
        let prompt = tokens(90);
        let fresh = logits(&mut decoder, &prompt, 90);
        let (own, other) = ([5, 6, 7], [1, 9, 3]);
        let step = |decoder: &mut crate::decoder::Decoder, blocks: &[BlockId], range: std::ops::Range<usize>| {
            let mut computed = Computed::default();
            let chunk = Chunk { tokens: &prompt[range.clone()], position: range.start, blocks, logits: 1, states: 0 };
            decoder.step(&[chunk], &mut computed, &mut || true).unwrap();
            computed.logits
        };
        step(&mut decoder, &own, 0..80);
        let saved = decoder.save(&own, 20..80).expect("this model rotates without stretching");
        step(&mut decoder, &other, 0..33);
        assert!(decoder.restore(&saved, 13, &other, 33));
        assert_eq!(step(&mut decoder, &other, 80..90), fresh);
    }
}
