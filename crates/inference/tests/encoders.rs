//! Every encoder family with few random weights, against candle-transformers, or against plain loops where it has none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/tiny.rs"]
mod tiny;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{bert, modernbert, xlm_roberta};
use inference::pack::inspect;
use inference::{Embedder, EmbedderOptions, ModelKind, Precision, Reranker};
use serde_json::{Value, json};
use std::collections::HashMap;
use tiny::{
    HEADS, HIDDEN, LAYERS, Tiny, WIDE, bert_config, bert_tensors, ids, modernbert_config, modernbert_tensors, words,
};

fn builder(tiny: &Tiny) -> VarBuilder<'static> {
    VarBuilder::from_tensors(tiny.tensors.clone(), DType::F32, &Device::Cpu)
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn texts() -> Vec<String> {
    [0, 1, 2, 5, 17, 33, 60, 100].into_iter().enumerate().map(|(seed, count)| words(count, seed)).collect()
}

/// The mean of the tokens of `states` (1, tokens, hidden).
fn mean(states: &Tensor) -> Vec<f32> {
    states.mean(1).unwrap().squeeze(0).unwrap().to_vec1().unwrap()
}

/// Compares with `reference`, which gives a text's last states, (1, tokens, hidden).
fn compare(tiny: &Tiny, reference: impl Fn(&str) -> Tensor) {
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let embedder = Embedder::load_with(tiny.path(), EmbedderOptions { precision: Precision::F32 }).unwrap();
    let ours = embedder.embed(&texts).unwrap();
    let rounded = Embedder::load_with(tiny.path(), EmbedderOptions { precision: Precision::Int8 }).unwrap();
    let coarse = rounded.embed(&texts).unwrap();
    for (index, text) in texts.iter().enumerate() {
        let theirs = mean(&reference(text));
        assert!(cosine(&ours[index], &theirs) > 0.999_999, "{index}: {}", cosine(&ours[index], &theirs));
        assert!(cosine(&coarse[index], &theirs) > 0.998, "{index} in 8 bits: {}", cosine(&coarse[index], &theirs));
        assert!(embedder.embed(&[text]).unwrap()[0] == ours[index], "{index} has other bits alone");
        assert!(rounded.embed(&[text]).unwrap()[0] == coarse[index], "{index} has other bits alone, in 8 bits");
    }
}

#[test]
fn bert_is_the_references() {
    let config = bert_config("bert");
    let tiny = Tiny::write(&config, &bert_tensors("bert", ""));
    let model = bert::BertModel::load(builder(&tiny), &serde_json::from_value(config).unwrap()).unwrap();
    compare(&tiny, |text| {
        let (ids, types) = ids(tiny.path(), text, None);
        model.forward(&ids, &types, None).unwrap()
    });
}

fn xlm_roberta_states(model: &xlm_roberta::XLMRobertaModel, ids: &Tensor) -> Tensor {
    let ones = ids.ones_like().unwrap();
    model.forward(ids, &ones, &ids.zeros_like().unwrap(), None, None, None).unwrap()
}

#[test]
fn roberta_and_xlm_roberta_are_the_references() {
    for name in ["roberta", "xlm-roberta"] {
        let config = bert_config(name);
        let tiny = Tiny::write(&config, &bert_tensors(name, "roberta."));
        let config = serde_json::from_value(config).unwrap();
        let model = xlm_roberta::XLMRobertaModel::new(&config, builder(&tiny).pp("roberta")).unwrap();
        compare(&tiny, |text| xlm_roberta_states(&model, &ids(tiny.path(), text, None).0));
    }
}

fn modernbert_states(model: &modernbert::ModernBert, ids: &Tensor) -> Tensor {
    model.forward(ids, &ids.ones_like().unwrap().to_dtype(DType::F32).unwrap()).unwrap()
}

#[test]
fn modernbert_is_the_references() {
    let config = modernbert_config();
    let tiny = Tiny::write(&config, &modernbert_tensors());
    let model = modernbert::ModernBert::load(builder(&tiny), &serde_json::from_value(config).unwrap()).unwrap();
    compare(&tiny, |text| modernbert_states(&model, &ids(tiny.path(), text, None).0));
}

/// Matrices and vectors of a file, for plain loops.
struct Plain<'a>(&'a HashMap<String, Tensor>);

impl Plain<'_> {
    fn vector(&self, name: &str) -> Vec<f32> {
        self.0[name].flatten_all().unwrap().to_vec1().unwrap()
    }

    fn linear(&self, name: &str, x: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let (matrix, bias) = (self.vector(&format!("{name}.weight")), self.vector(&format!("{name}.bias")));
        let product = |row: &Vec<f32>| {
            let weights = matrix.chunks_exact(row.len());
            weights.zip(&bias).map(|(w, b)| b + w.iter().zip(row).map(|(w, x)| w * x).sum::<f32>()).collect()
        };
        x.iter().map(product).collect()
    }

    fn norm(&self, name: &str, x: &mut [Vec<f32>]) {
        let (gain, offset) = (self.vector(&format!("{name}.weight")), self.vector(&format!("{name}.bias")));
        for row in x {
            let mean = row.iter().sum::<f32>() / row.len() as f32;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / row.len() as f32;
            for ((x, gain), offset) in row.iter_mut().zip(&gain).zip(&offset) {
                *x = (*x - mean) / (variance + 1e-5).sqrt() * gain + offset;
            }
        }
    }
}

fn add(x: &mut [Vec<f32>], y: &[Vec<f32>]) {
    x.iter_mut().zip(y).for_each(|(x, y)| x.iter_mut().zip(y).for_each(|(x, y)| *x += y));
}

/// The bucket of MPNet's relative positions, as its authors' code counts.
fn bucket(key: usize, query: usize) -> usize {
    let n = query as isize - key as isize;
    let (ret, n) = (if n < 0 { 16 } else { 0 }, n.unsigned_abs());
    if n < 8 { ret + n } else { ret + 15.min(8 + ((n as f64 / 8.0).ln() / 16_f64.ln() * 8.0) as usize) }
}

fn mpnet_states(tensors: &HashMap<String, Tensor>, ids: &[u32]) -> Tensor {
    let plain = Plain(tensors);
    let rows = |name: &str| plain.vector(name).chunks_exact(HIDDEN).map(<[f32]>::to_vec).collect::<Vec<_>>();
    let (table, positions) =
        (rows("mpnet.embeddings.word_embeddings.weight"), rows("mpnet.embeddings.position_embeddings.weight"));
    let mut x: Vec<Vec<f32>> = ids.iter().map(|&id| table[id as usize].clone()).collect();
    add(&mut x, &positions[2..]);
    plain.norm("mpnet.embeddings.LayerNorm", &mut x);
    let bias = plain.vector("mpnet.encoder.relative_attention_bias.weight");
    let size = HIDDEN / HEADS;
    for layer in (0..LAYERS).map(|layer| format!("mpnet.encoder.layer.{layer}")) {
        let [q, k, v] = ["q", "k", "v"].map(|part| plain.linear(&format!("{layer}.attention.attn.{part}"), &x));
        let mut mixed = vec![vec![0.0; HIDDEN]; x.len()];
        for head in 0..HEADS {
            let part = head * size..(head + 1) * size;
            for query in 0..x.len() {
                let score = |key: usize| {
                    let dot: f32 = q[query][part.clone()].iter().zip(&k[key][part.clone()]).map(|(a, b)| a * b).sum();
                    (dot / (size as f32).sqrt() + bias[bucket(key, query) * HEADS + head]).exp()
                };
                let sum: f32 = (0..x.len()).map(score).sum();
                for (key, value) in v.iter().enumerate() {
                    let share = score(key) / sum;
                    part.clone().for_each(|index| mixed[query][index] += share * value[index]);
                }
            }
        }
        let mut attended = plain.linear(&format!("{layer}.attention.attn.o"), &mixed);
        add(&mut attended, &x);
        plain.norm(&format!("{layer}.attention.LayerNorm"), &mut attended);
        let inner = plain.linear(&format!("{layer}.intermediate.dense"), &attended);
        let inner = Tensor::new(inner, &Device::Cpu).unwrap().gelu_erf().unwrap();
        assert_eq!(inner.dims(), [ids.len(), WIDE]);
        x = plain.linear(&format!("{layer}.output.dense"), &inner.to_vec2().unwrap());
        add(&mut x, &attended);
        plain.norm(&format!("{layer}.output.LayerNorm"), &mut x);
    }
    Tensor::new(x, &Device::Cpu).unwrap().unsqueeze(0).unwrap()
}

#[test]
fn mpnet_is_the_references() {
    let tiny = Tiny::write(&bert_config("mpnet"), &bert_tensors("mpnet", "mpnet."));
    compare(&tiny, |text| {
        let ids: Vec<u32> = ids(tiny.path(), text, None).0.flatten_all().unwrap().to_vec1().unwrap();
        mpnet_states(&tiny.tensors, &ids)
    });
}

fn classifier(mut config: Value, labels: usize) -> Value {
    config["architectures"] = json!(["AnythingForSequenceClassification"]);
    config["id2label"] = (0..labels).map(|label| (label.to_string(), json!(format!("LABEL_{label}")))).collect();
    config["label2id"] = (0..labels).map(|label| (format!("LABEL_{label}"), json!(label.to_string()))).collect();
    config
}

/// A query and passages, the last longer than the model takes.
fn pairs() -> (String, Vec<String>) {
    (words(6, 3), [1, 7, 30, 80, 300].into_iter().enumerate().map(|(seed, count)| words(count, seed + 5)).collect())
}

/// Compares with `reference`, which scores the ids and types of a pair.
fn compare_scores(tiny: &Tiny, special: usize, longest: usize, reference: impl Fn(&Tensor, &Tensor) -> f32) {
    let (query, passages) = pairs();
    let passages: Vec<&str> = passages.iter().map(String::as_str).collect();
    let reranker = Reranker::load_with(tiny.path(), EmbedderOptions { precision: Precision::F32 }).unwrap();
    assert_eq!(reranker.info().kind, ModelKind::Rerank);
    let scores = reranker.rerank(&query, &passages).unwrap();
    for (passage, score) in passages.iter().zip(&scores) {
        let kept: Vec<&str> = passage.split(' ').take(longest - special - 6).collect();
        let (ids, types) = ids(tiny.path(), &query, Some(&kept.join(" ")));
        let expected = reference(&ids, &types);
        assert!((score - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{score} for {expected}");
        assert!(reranker.rerank(&query, &[passage]).unwrap()[0] == *score, "other bits alone");
    }
    assert!(scores.iter().any(|score| (score - scores[0]).abs() > 1e-3), "{scores:?}");
    assert!(reranker.rerank(&query, &[]).unwrap().is_empty());
    // A query that fills the model by itself leaves the passage its half.
    let long = reranker.rerank(&words(500, 1), &passages).unwrap();
    assert!(long.iter().any(|score| (score - long[0]).abs() > 1e-6), "{long:?}");
}

#[test]
fn a_bert_reranker_is_the_references() {
    let config = classifier(bert_config("bert"), 1);
    let mut tensors = bert_tensors("bert", "bert.");
    for (name, shape) in [
        ("bert.pooler.dense.weight", vec![HIDDEN, HIDDEN]),
        ("bert.pooler.dense.bias", vec![HIDDEN]),
        ("classifier.weight", vec![1, HIDDEN]),
        ("classifier.bias", vec![1]),
    ] {
        tensors.push((name.to_owned(), shape));
    }
    let tiny = Tiny::write(&config, &tensors);
    let model = bert::BertModel::load(builder(&tiny), &serde_json::from_value(config).unwrap()).unwrap();
    let plain = Plain(&tiny.tensors);
    compare_scores(&tiny, 3, 128, |ids, types| {
        let states = model.forward(ids, types, None).unwrap().squeeze(0).unwrap();
        let first: Vec<f32> = states.get(0).unwrap().to_vec1().unwrap();
        let pooled = plain.linear("bert.pooler.dense", &[first])[0].iter().map(|x| x.tanh()).collect();
        plain.linear("classifier", &[pooled])[0][0]
    });
}

#[test]
fn an_xlm_roberta_reranker_is_the_references() {
    let config = classifier(bert_config("xlm-roberta"), 1);
    let mut tensors = bert_tensors("xlm-roberta", "roberta.");
    for (name, shape) in [
        ("dense.weight", vec![HIDDEN, HIDDEN]),
        ("dense.bias", vec![HIDDEN]),
        ("out_proj.weight", vec![1, HIDDEN]),
        ("out_proj.bias", vec![1]),
    ] {
        tensors.push((format!("classifier.{name}"), shape));
    }
    let tiny = Tiny::write(&config, &tensors);
    let config = serde_json::from_value(config).unwrap();
    let model = xlm_roberta::XLMRobertaForSequenceClassification::new(1, &config, builder(&tiny)).unwrap();
    compare_scores(&tiny, 4, 126, |ids, types| {
        let logits = model.forward(ids, &ids.ones_like().unwrap(), types).unwrap();
        logits.flatten_all().unwrap().to_vec1::<f32>().unwrap()[0]
    });
}

#[test]
fn a_modernbert_reranker_is_the_references() {
    let mut config = classifier(modernbert_config(), 1);
    config["classifier_pooling"] = json!("mean");
    let mut tensors = modernbert_tensors();
    for (name, shape) in [
        ("head.dense.weight", vec![HIDDEN, HIDDEN]),
        ("head.norm.weight", vec![HIDDEN]),
        ("classifier.weight", vec![1, HIDDEN]),
        ("classifier.bias", vec![1]),
    ] {
        tensors.push((name.to_owned(), shape));
    }
    let tiny = Tiny::write(&config, &tensors);
    let model = modernbert::ModernBert::load(builder(&tiny), &serde_json::from_value(config).unwrap()).unwrap();
    compare_scores(&tiny, 3, 128, |ids, _| {
        let pooled = Tensor::new(vec![mean(&modernbert_states(&model, ids))], &Device::Cpu).unwrap();
        let inner = pooled.matmul(&tiny.tensors["head.dense.weight"].t().unwrap()).unwrap().gelu_erf().unwrap();
        let zeros = Tensor::zeros(HIDDEN, DType::F32, &Device::Cpu).unwrap();
        let inner = candle_nn::ops::layer_norm(&inner, &tiny.tensors["head.norm.weight"], &zeros, 1e-5).unwrap();
        let logit = inner.matmul(&tiny.tensors["classifier.weight"].t().unwrap()).unwrap();
        let bias: Vec<f32> = tiny.tensors["classifier.bias"].to_vec1().unwrap();
        logit.flatten_all().unwrap().to_vec1::<f32>().unwrap()[0] + bias[0]
    });
}

#[test]
fn kinds_are_told_apart() {
    let embedder = Tiny::write(&bert_config("bert"), &bert_tensors("bert", ""));
    assert_eq!(inspect(embedder.path()).unwrap().kind, ModelKind::Embed);
    let refused = Reranker::load(embedder.path()).unwrap_err().to_string();
    assert!(refused.contains("`embed` is not supported; supported: rerank"), "{refused}");

    let reranker = Tiny::write(&classifier(bert_config("bert"), 1), &bert_tensors("bert", ""));
    let info = inspect(reranker.path()).unwrap();
    assert_eq!((info.kind, info.dimension), (ModelKind::Rerank, None));
    let refused = Embedder::load(reranker.path()).unwrap_err().to_string();
    assert!(refused.contains("`rerank` is not supported; supported: embed"), "{refused}");
    let refused = Reranker::load(reranker.path()).unwrap_err().to_string();
    assert!(refused.contains("lacks the tensor"), "{refused}");

    let sentiment = Tiny::write(&classifier(bert_config("bert"), 3), &bert_tensors("bert", ""));
    let refused = inspect(sentiment.path()).unwrap_err().to_string();
    assert!(refused.contains("3 labels"), "{refused}");
}

#[test]
fn weights_in_half_precision_count_as_the_numbers_that_they_are() {
    let tiny = Tiny::write(&bert_config("bert"), &bert_tensors("bert", ""));
    let save = |kind: DType| {
        let as_half = |tensor: &Tensor| tensor.to_dtype(DType::F16).unwrap().to_dtype(kind).unwrap();
        let tensors: HashMap<String, Tensor> = tiny.tensors.iter().map(|(n, t)| (n.clone(), as_half(t))).collect();
        candle_core::safetensors::save(&tensors, tiny.path().join("model.safetensors")).unwrap();
        Embedder::load(tiny.path()).unwrap().embed(&["w1 w5 w9", "w2"]).unwrap()
    };
    assert_eq!(save(DType::F16), save(DType::F32));
}

#[test]
fn vectors_are_taken_from_the_centre_that_the_model_brings() {
    let tiny = Tiny::write(&bert_config("bert"), &bert_tensors("bert", ""));
    let vector = |vectors: Vec<Vec<f32>>| vectors.into_iter().next().unwrap();
    let bare = Embedder::load(tiny.path()).unwrap();
    let raw = vector(bare.embed_queries(&["w9"]).unwrap());
    let centre: Vec<f32> = raw.iter().rev().map(|x| x / 2.0).collect();
    tiny.add("centre.json", &json!({ "query": centre }));
    let centred = Embedder::load(tiny.path()).unwrap();
    let found = vector(centred.embed_queries(&["w9"]).unwrap());
    let difference: Vec<f32> = raw.iter().zip(&centre).map(|(x, middle)| x - middle).collect();
    let length = difference.iter().map(|x| x * x).sum::<f32>().sqrt();
    for (x, y) in found.iter().zip(&difference) {
        assert!((x - y / length).abs() < 1e-6);
    }
    assert_eq!(vector(centred.embed_passages(&["w9"]).unwrap()), raw, "passages have no centre here");
    assert_eq!(vector(centred.embed(&["w9"]).unwrap()), raw);

    tiny.add("centre.json", &json!({ "query": [0.1, 0.2] }));
    assert!(Embedder::load(tiny.path()).unwrap_err().to_string().contains("centre"));
}

#[test]
fn prefixes_stand_in_front_of_queries_and_passages() {
    let tiny = Tiny::write(&bert_config("bert"), &bert_tensors("bert", ""));
    tiny.add("config_sentence_transformers.json", &json!({ "prompts": { "query": "w1 w2 ", "document": "w3 " } }));
    let embedder = Embedder::load(tiny.path()).unwrap();
    let vector = |vectors: Vec<Vec<f32>>| vectors.into_iter().next().unwrap();
    assert_eq!(vector(embedder.embed_queries(&["w9 w8"]).unwrap()), vector(embedder.embed(&["w1 w2 w9 w8"]).unwrap()));
    assert_eq!(vector(embedder.embed_passages(&["w9 w8"]).unwrap()), vector(embedder.embed(&["w3 w9 w8"]).unwrap()));
    assert_eq!(embedder.max_tokens(), 128 - 2 - 1);
    let bare = Tiny::write(&bert_config("bert"), &bert_tensors("bert", ""));
    let bare = Embedder::load(bare.path()).unwrap();
    assert_eq!(bare.embed_queries(&["w9"]).unwrap(), bare.embed_passages(&["w9"]).unwrap());
}

#[test]
fn control_tokens_among_the_pieces_of_a_unigram_model_are_left_out_of_texts() {
    let tiny = Tiny::write(&bert_config("xlm-roberta"), &bert_tensors("xlm-roberta", "roberta."));
    let written = std::fs::read(tiny.path().join("tokenizer.json")).unwrap();
    let mut tokenizer: Value = serde_json::from_slice(&written).unwrap();
    let special = ["<s>", "<pad>", "</s>", "<unk>"];
    let added = |(id, token): (usize, &&str)| {
        json!({
            "id": id, "content": token, "special": true, "normalized": false, "single_word": false, "lstrip": false,
            "rstrip": false,
        })
    };
    tokenizer["added_tokens"] = special.iter().enumerate().map(added).collect();
    let pieces: Vec<Value> = special.iter().map(|token| json!([token, 0.0])).collect();
    let words = (0..tiny::WORDS).map(|word| json!([format!("▁w{word}"), -3.0]));
    let pieces: Vec<Value> = pieces.into_iter().chain(words).collect();
    tokenizer["model"] = json!({ "type": "Unigram", "unk_id": 3, "byte_fallback": false, "vocab": pieces });
    tokenizer["pre_tokenizer"] =
        json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true });
    tiny.add("tokenizer.json", &tokenizer);

    let embedder = Embedder::load(tiny.path()).unwrap();
    let vectors = embedder.embed(&["w1 w2", "w1</s> w2<s>", "w1 w2 ?"]).unwrap();
    assert!(vectors[0] == vectors[1], "a control token counts: {}", cosine(&vectors[0], &vectors[1]));
    assert!(vectors[0] != vectors[2], "what the vocabulary lacks counts");
}

#[test]
fn the_first_token_stands_for_the_text_where_the_model_says_so() {
    let config = bert_config("bert");
    let tiny = Tiny::write(&config, &bert_tensors("bert", ""));
    tiny.add("1_Pooling/config.json", &json!({ "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false }));
    let model = bert::BertModel::load(builder(&tiny), &serde_json::from_value(config).unwrap()).unwrap();
    let (ids, types) = ids(tiny.path(), "w1 w5 w9", None);
    let first: Vec<f32> = model.forward(&ids, &types, None).unwrap().get(0).unwrap().get(0).unwrap().to_vec1().unwrap();
    let ours = Embedder::load(tiny.path()).unwrap().embed(&["w1 w5 w9"]).unwrap();
    assert!(cosine(&ours[0], &first) > 0.999_999);
}
