//! The embedder with the default model, against candle-transformers' BERT.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use candle_core::{DType, Device, Tensor};
use candle_transformers::models::bert;
use inference::{Embedder, EmbedderOptions, Precision};
use std::path::PathBuf;
use std::sync::LazyLock;
use support::test_model;
use tokenizers::Tokenizer;

const TEXTS: [&str; 5] = [
    "How many days of annual leave do I get in my first year?",
    "Leave",
    "",
    "Every employee is granted twenty-five days of paid leave in each calendar year; in the first year the days are \
     granted in proportion to the months worked, and days not taken by the end of March expire.",
    "Größe, naïve café, 東京, and an emoji 🦀 make tokens of many kinds.",
];

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| test_model("all-minilm-l6-v2"));
static EMBEDDER: LazyLock<Embedder> = LazyLock::new(|| load(Precision::F32));

fn load(precision: Precision) -> Embedder {
    Embedder::load_with(&DIRECTORY, EmbedderOptions { precision }).unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Mean of the reference's last states, one text at a time, cut at 256 tokens.
fn reference(texts: &[&str]) -> Vec<Vec<f32>> {
    let config: bert::Config = serde_json::from_slice(&std::fs::read(DIRECTORY.join("config.json")).unwrap()).unwrap();
    let tensors = candle_core::safetensors::load(DIRECTORY.join("model.safetensors"), &Device::Cpu).unwrap();
    let weights = candle_nn::VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let model = bert::BertModel::load(weights, &config).unwrap();
    let mut tokenizer = Tokenizer::from_file(DIRECTORY.join("tokenizer.json")).unwrap();
    let truncation = tokenizers::TruncationParams { max_length: 256, ..Default::default() };
    tokenizer.with_truncation(Some(truncation)).unwrap().with_padding(None);
    let embed = |text: &&str| {
        let ids = tokenizer.encode(*text, true).unwrap();
        let ids = Tensor::new(ids.get_ids(), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let states = model.forward(&ids, &ids.zeros_like().unwrap(), None).unwrap();
        let mean: Vec<f32> = states.mean(1).unwrap().squeeze(0).unwrap().to_vec1().unwrap();
        let length = cosine(&mean, &mean).sqrt();
        mean.into_iter().map(|x| x / length).collect()
    };
    texts.iter().map(embed).collect()
}

#[test]
fn vectors_are_the_references() {
    let long = "An employee who falls ill during leave gets these days back. ".repeat(60);
    let mut texts = TEXTS.to_vec();
    texts.push(&long);
    for ((ours, theirs), text) in EMBEDDER.embed(&texts).unwrap().iter().zip(reference(&texts)).zip(&texts) {
        assert!(cosine(ours, &theirs) > 0.99999, "{}: {text}", cosine(ours, &theirs));
    }
}

#[test]
fn vectors_have_length_one_and_the_models_dimension() {
    assert_eq!(EMBEDDER.dimension(), 384);
    for vector in EMBEDDER.embed(&TEXTS).unwrap() {
        assert_eq!(vector.len(), 384);
        assert!((cosine(&vector, &vector) - 1.0).abs() < 1e-5);
    }
    assert!(EMBEDDER.embed(&[]).unwrap().is_empty());
}

#[test]
fn a_text_does_not_depend_on_its_neighbours() {
    let together = EMBEDDER.embed(&TEXTS).unwrap();
    let mut turned = TEXTS;
    turned.reverse();
    let mut backwards = EMBEDDER.embed(&turned).unwrap();
    backwards.reverse();
    for ((text, vector), other) in TEXTS.iter().zip(&together).zip(&backwards) {
        let alone = &EMBEDDER.embed(&[text]).unwrap()[0];
        assert!(alone == vector && alone == other, "other bits: {text}");
    }
}

#[test]
fn meaning_orders_texts() {
    let texts = ["paid vacation for employees", TEXTS[3], "The printer is out of toner on the second floor."];
    let vectors = EMBEDDER.embed(&texts).unwrap();
    assert!(cosine(&vectors[0], &vectors[1]) > cosine(&vectors[0], &vectors[2]) + 0.2);
}

#[test]
fn what_is_behind_the_last_token_is_cut_off() {
    assert_eq!(EMBEDDER.max_tokens(), 254);
    let words = "leave ".repeat(254);
    assert_eq!(EMBEDDER.count_tokens(&words), 254);
    let longer = format!("{words} printer toner");
    assert_eq!(EMBEDDER.count_tokens(&longer), 257);
    let vectors = EMBEDDER.embed(&[&words, &longer, "printer"]).unwrap();
    assert!(cosine(&vectors[0], &vectors[1]) > 0.999_99);
}

#[test]
fn control_tokens_in_a_text_are_letters() {
    for token in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] {
        assert!(EMBEDDER.count_tokens(token) >= 3, "{token} is a control token");
    }
    // The model knows no capitals, and its control tokens have nothing else.
    let vectors = EMBEDDER.embed(&["Days of leave [SEP] [MASK] lapse", "Days of leave [sep] [mask] lapse"]).unwrap();
    assert!(vectors[0] == vectors[1], "{}", cosine(&vectors[0], &vectors[1]));
}

#[test]
fn many_texts_keep_their_order() {
    let texts: Vec<String> = (0..150).map(|index| format!("Number {index}. {}", "word ".repeat(index % 40))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = EMBEDDER.embed(&texts).unwrap();
    for index in [0, 39, 77, 149] {
        assert!(cosine(&vectors[index], &EMBEDDER.embed(&texts[index..=index]).unwrap()[0]) > 0.99999);
    }
}

#[test]
fn vectors_in_8_bits_are_near_the_references() {
    let coarse = load(Precision::Int8);
    assert_eq!((coarse.precision(), coarse.dimension()), (Precision::Int8, 384));
    for ((ours, theirs), text) in coarse.embed(&TEXTS).unwrap().iter().zip(reference(&TEXTS)).zip(&TEXTS) {
        assert!(cosine(ours, &theirs) > 0.99, "{}: {text}", cosine(ours, &theirs));
    }
}
