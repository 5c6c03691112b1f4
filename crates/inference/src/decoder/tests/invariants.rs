//! What must hold for every sequence, however it is read.

use super::tiny::{TinyModel, tokens};
use super::{decoder, difference, logits};
use candle_core::quantized::GgmlDType;

#[test]
fn reading_in_pieces_changes_nothing() {
    let quantised = TinyModel::qwen2().with_weights(GgmlDType::Q4K);
    // Where inputs are rounded to 8 bits, a last bit's difference may become a whole step.
    for (model, tolerance) in [(TinyModel::llama(), 1e-4), (TinyModel::gemma2(), 1e-4), (quantised, 0.04)] {
        let file = model.write();
        let decoder = decoder(file.path());
        let prompt = tokens(300);
        let whole = logits(&decoder, &mut decoder.cache(), &prompt, prompt.len());
        for chunk in [1, 7, 64, 299] {
            let pieces = logits(&decoder, &mut decoder.cache(), &prompt, chunk);
            let difference = difference(&whole, &pieces);
            assert!(difference < tolerance, "pieces of {chunk}: {difference}");
        }
    }
}

#[test]
fn a_reused_prefix_is_as_good_as_a_fresh_one() {
    let file = TinyModel::llama().write();
    let decoder = decoder(file.path());
    let (first, mut second) = (tokens(120), tokens(120));
    second[70..].iter_mut().for_each(|token| *token = (*token + 1) % 90);
    let fresh = logits(&decoder, &mut decoder.cache(), &second, 64);
    let mut cache = decoder.cache();
    logits(&decoder, &mut cache, &first, 64);
    cache.truncate(70);
    let reused = logits(&decoder, &mut cache, &second[70..], 64);
    assert!(difference(&fresh, &reused) < 1e-4);
}

#[test]
fn the_cache_grows_without_losing_anything() {
    let file = TinyModel::llama().write();
    let decoder = decoder(file.path());
    let prompt = tokens(1100);
    let mut cache = decoder.cache();
    logits(&decoder, &mut cache, &prompt[..1000], 500);
    let grown = logits(&decoder, &mut cache, &prompt[1000..], 100);
    let whole = logits(&decoder, &mut decoder.cache(), &prompt, 1100);
    assert!(difference(&whole, &grown) < 1e-4);
    assert!(cache.reserve(4096).is_err(), "the context is 4,096 tokens");
}

#[test]
fn stopping_leaves_the_cache_as_it_was() {
    let file = TinyModel::llama().write();
    let decoder = decoder(file.path());
    let prompt = tokens(50);
    let mut cache = decoder.cache();
    logits(&decoder, &mut cache, &prompt[..20], 20);
    let mut layers = 0;
    let mut twice = || {
        layers += 1;
        layers < 3
    };
    assert!(decoder.forward(&prompt[20..], &mut cache, true, &mut twice).unwrap().is_none());
    assert_eq!(cache.len(), 20);
    let after = logits(&decoder, &mut cache, &prompt[20..], 30);
    assert!(difference(&logits(&decoder, &mut decoder.cache(), &prompt, 50), &after) < 1e-4);
}
