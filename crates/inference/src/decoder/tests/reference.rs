//! Same logits and same greedy text as candle-transformers' models.

use super::tiny::{Experts, TinyModel, tokens};
use super::{Sequence, best, decoder, difference, logits, test_model};
use crate::decoder::architecture::{Activation, Architecture, GEMMA3};
use candle_core::quantized::{GgmlDType, gguf_file};
use candle_core::{Device, Tensor};
use candle_transformers::models::{
    quantized_gemma3, quantized_llama, quantized_phi3, quantized_qwen2, quantized_qwen3,
};
use std::fs::File;
use std::path::Path;

/// Keys and values are kept in 16 bits.
const TOLERANCE: f32 = 4e-3;

/// Inputs of quantised products are rounded to 8 bits, which the reference does not do for so many rows.
const ROUNDED: f32 = 0.03;

/// A reference: logits of the last of some tokens, at a position.
type Reference = Box<dyn FnMut(&[u32], usize) -> Vec<f32>>;

fn reference(path: &Path) -> Reference {
    let mut file = File::open(path).unwrap();
    let content = gguf_file::Content::read(&mut file).unwrap();
    let family = content.metadata["general.architecture"].to_string().unwrap().clone();
    let ids = |tokens: &[u32]| Tensor::new(tokens, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    let row = |logits: Tensor| logits.flatten_all().unwrap().to_vec1().unwrap();
    macro_rules! model {
        ($model:expr) => {{
            let mut model = $model.unwrap();
            Box::new(move |tokens: &[u32], position| row(model.forward(&ids(tokens), position).unwrap()))
        }};
    }
    match family.as_str() {
        "llama" => model!(quantized_llama::ModelWeights::from_gguf(content, &mut file, &Device::Cpu)),
        "qwen2" => model!(quantized_qwen2::ModelWeights::from_gguf(content, &mut file, &Device::Cpu)),
        "qwen3" => model!(quantized_qwen3::ModelWeights::from_gguf(content, &mut file, &Device::Cpu)),
        "gemma3" => model!(quantized_gemma3::ModelWeights::from_gguf(content, &mut file, &Device::Cpu)),
        "phi3" => model!(quantized_phi3::ModelWeights::from_gguf(false, content, &mut file, &Device::Cpu)),
        other => panic!("no reference for {other}"),
    }
}

/// The logits behind `prompt`, and then the greedy text of the reference: at each of its places our choice must be the
/// same, or one that the reference holds to be as good within the tolerance.
fn check(path: &Path, prompt: &[u32], tolerance: f32, length: usize) {
    let (mut ours, mut theirs) = (decoder(path), reference(path));
    let mut sequence = Sequence::new(&mut ours);
    let mut found = sequence.read(prompt, prompt.len());
    let mut expected = theirs(prompt, 0);
    for position in prompt.len()..prompt.len() + length {
        let difference = difference(&expected, &found);
        assert!(difference < tolerance, "logits differ by {difference} at {position}");
        let (their_choice, our_choice) = (best(&expected), best(&found));
        let spread = (expected.iter().map(|x| x * x).sum::<f32>() / expected.len() as f32).sqrt();
        let loss = expected[their_choice as usize] - expected[our_choice as usize];
        assert!(loss <= 4.0 * tolerance * spread, "{our_choice} instead of {their_choice}, worse by {loss}");
        found = sequence.read(&[their_choice], 1);
        expected = theirs(&[their_choice], position);
    }
}

#[test]
fn llama_agrees() {
    for dtype in [GgmlDType::F32, GgmlDType::Q8_0, GgmlDType::Q4K] {
        let model = TinyModel::llama().with_weights(dtype).write();
        check(model.path(), &tokens(40), if dtype == GgmlDType::F32 { TOLERANCE } else { ROUNDED }, 12);
    }
}

#[test]
fn qwen2_agrees() {
    for dtype in [GgmlDType::F32, GgmlDType::Q6K] {
        let model = TinyModel::qwen2().with_weights(dtype).write();
        check(model.path(), &tokens(40), if dtype == GgmlDType::F32 { TOLERANCE } else { ROUNDED }, 12);
    }
}

#[test]
fn qwen3_agrees() {
    check(TinyModel::qwen3().write().path(), &tokens(40), TOLERANCE, 12);
}

#[test]
fn mixtral_agrees() {
    for dtype in [GgmlDType::F32, GgmlDType::Q8_0, GgmlDType::Q4K] {
        let model = TinyModel::mixtral(Experts::Apart).with_weights(dtype).write();
        // A router turns what rounding does to its scores into other shares of its experts.
        check(model.path(), &tokens(40), if dtype == GgmlDType::F32 { TOLERANCE } else { 2.0 * ROUNDED }, 12);
    }
}

#[test]
fn phi3_agrees() {
    check(TinyModel::phi3().write().path(), &tokens(40), TOLERANCE, 12);
}

#[test]
fn gemma3_agrees() {
    // The reference has another activation than Gemma 3's paper and llama.cpp; with it, all the rest must agree.
    static WITH_SILU: Architecture = Architecture { activation: Activation::Silu, ..GEMMA3 };
    let model = TinyModel::gemma3().write();
    // Short enough that the window, which the reference counts one token wider, hides nothing.
    let prompt = tokens(12);
    let mut ours = decoder(model.path());
    ours.set_architecture(&WITH_SILU);
    let expected = reference(model.path())(&prompt, 0);
    let found = logits(&mut ours, &prompt, prompt.len());
    assert!(difference(&expected, &found) < TOLERANCE, "logits differ by {}", difference(&expected, &found));
}

#[test]
fn a_real_model_agrees() {
    let path = test_model("smollm2-135m-instruct-q4_1.gguf");
    // "The capital of France is the city of"
    let prompt = [504, 3575, 282, 4649, 314, 260, 2240, 282];
    // Both round their inputs to 8 bits in every product of thirty layers, differently: each is 3 % from f32.
    let mut ours = decoder(&path);
    let found = logits(&mut ours, &prompt, prompt.len());
    let difference = difference(&reference(&path)(&prompt, 0), &found);
    assert!(difference < 0.08, "logits differ by {difference}");
}
