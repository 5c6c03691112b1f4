//! Parts of families that the references lack or count differently, against arithmetic written out plainly.

use super::tiny::{Experts, TinyModel, VOCABULARY, tokens};
use super::{decoder, difference, logits};
use crate::ModelError;
use crate::decoder::Decoder;
use crate::gguf::GgufFile;
use candle_core::quantized::GgmlDType;

fn output(model: TinyModel, prompt: &[u32]) -> Vec<f32> {
    let file = model.write();
    logits(&mut decoder(file.path()), prompt, prompt.len())
}

#[test]
fn a_window_hides_what_is_further_back() {
    // Three layers, each seeing 4 tokens back: the last token sees 3 · 3 tokens before itself and no more.
    let windowed = || TinyModel::llama().with_number("attention.sliding_window", 4);
    let prompt = tokens(40);
    let last = output(windowed(), &prompt);
    let (mut near, mut far) = (prompt.clone(), prompt);
    far[29] = (far[29] + 1) % 90;
    near[31] = (near[31] + 1) % 90;
    assert!(difference(&last, &output(windowed(), &far)) < 1e-6);
    assert!(difference(&last, &output(windowed(), &near)) > 1e-4);
}

#[test]
fn a_wide_window_is_none() {
    let prompt = tokens(40);
    let windowed = TinyModel::llama().with_number("attention.sliding_window", 40);
    assert!(difference(&output(TinyModel::llama(), &prompt), &output(windowed, &prompt)) < 1e-6);
}

#[test]
fn gemma2_caps_its_logits() {
    let prompt = tokens(20);
    let capped = output(TinyModel::gemma2(), &prompt);
    let open = output(TinyModel::gemma2().with_float("final_logit_softcapping", 0.0), &prompt);
    assert_eq!(capped.len(), VOCABULARY);
    let expected: Vec<f32> = open.iter().map(|logit| 30.0 * (logit / 30.0).tanh()).collect();
    assert!(difference(&expected, &capped) < 1e-5);
    assert!(difference(&open, &capped) > 1e-5);
}

#[test]
fn attention_is_capped_too() {
    let prompt = tokens(20);
    let with = |cap| output(TinyModel::gemma2().with_float("attn_logit_softcapping", cap), &prompt);
    // A cap far above every score changes nothing; one far below does.
    assert!(difference(&with(0.0), &with(1e4)) < 1e-3);
    assert!(difference(&with(0.0), &with(0.05)) > 1e-3);
}

#[test]
fn factors_of_one_do_not_stretch_and_others_do() {
    let prompt = tokens(30);
    let plain = output(TinyModel::llama(), &prompt);
    let with = |factor| output(TinyModel::llama().with_vector("rope_freqs.weight", vec![factor; 32]), &prompt);
    assert!(difference(&plain, &with(1.0)) < 1e-6);
    let linear = TinyModel::llama().with_text("rope.scaling.type", "linear").with_float("rope.scaling.factor", 8.0);
    let stretched = output(linear, &prompt);
    assert!(difference(&stretched, &with(8.0)) < 1e-5);
    assert!(difference(&plain, &stretched) > 1e-3);
}

#[test]
fn experts_in_one_tensor_are_those_of_many() {
    for dtype in [GgmlDType::F32, GgmlDType::Q4K, GgmlDType::Q2K] {
        let with = |experts| output(TinyModel::mixtral(experts).with_weights(dtype), &tokens(40));
        assert_eq!(with(Experts::Together), with(Experts::Apart), "{dtype:?}");
    }
}

#[test]
fn experts_that_are_all_alike_are_one_feed_forward_part() {
    let prompt = tokens(40);
    let dense = output(TinyModel::qwen3(), &prompt);
    // Sums over equal experts round differently, which 16-bit keys and values show.
    let alike = difference(&dense, &output(TinyModel::qwen3_moe(Experts::Alike), &prompt));
    assert!(alike < 1e-3, "{alike}");
    assert!(difference(&dense, &output(TinyModel::qwen3_moe(Experts::Together), &prompt)) > 1e-2);
}

#[test]
fn experts_that_cannot_be_computed_are_refused() {
    let refused = |model: TinyModel| {
        let file = model.write();
        Decoder::read(&mut GgufFile::open(file.path()).unwrap(), 4096).err().expect("refused").to_string()
    };
    let mixtral = || TinyModel::mixtral(Experts::Together);
    let many = refused(mixtral().with_number("expert_used_count", 5));
    assert!(many.contains("5 experts a token of 4"), "{many}");
    let few = refused(mixtral().with_number("expert_count", 3));
    assert!(few.contains("blk.0.ffn_gate_inp.weight has the shape [4, 256]"), "{few}");
    let shared = refused(TinyModel::qwen3_moe(Experts::Together).with_number("expert_shared_feed_forward_length", 64));
    assert!(shared.contains("shared experts"), "{shared}");
    let partly = refused(TinyModel::qwen3_moe(Experts::Together).with_number("leading_dense_block_count", 1));
    assert!(partly.contains("some layers"), "{partly}");
    let crooked = refused(mixtral().with_number("feed_forward_length", 511));
    assert!(crooked.contains("blk.0.ffn_gate_exps.weight has the shape [4, 512, 256]"), "{crooked}");
    let family = refused(TinyModel::gemma3().with_number("expert_count", 4));
    assert!(family.contains("gemma3 with experts"), "{family}");
}

#[test]
fn unknown_stretching_is_refused() {
    let file = TinyModel::llama().with_text("rope.scaling.type", "yarn").write();
    let refused = Decoder::read(&mut GgufFile::open(file.path()).unwrap(), 4096).err().expect("refused");
    assert!(matches!(refused, ModelError::Unsupported { what: "rope scaling", .. }), "{refused}");
}

#[test]
fn tensors_of_a_wrong_shape_are_refused() {
    let file = TinyModel::llama().with_number("feed_forward_length", 511).write();
    let refused = Decoder::read(&mut GgufFile::open(file.path()).unwrap(), 4096).err().expect("refused");
    assert!(refused.to_string().contains("blk.0.ffn_gate.weight has the shape [512, 256]"), "{refused}");
}
