//! A tiny cross-encoder with random weights: no judge of anything, but one whose order can be told apart.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const HIDDEN: usize = 32;
const WIDE: usize = 64;
const LAYERS: usize = 2;
const POSITIONS: usize = 256;
const SPECIAL: [&str; 4] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];

/// Writes a BERT with a classification head of one label into `folder`: the words of `text`, lower case, are its tokens.
/// Weights follow from `seed` and their names.
///
/// # Panics
/// If the files cannot be written.
pub fn write_cross_encoder(folder: &Path, text: &str, seed: u64) {
    std::fs::create_dir_all(folder).expect("the folder can be made");
    let words: BTreeSet<String> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    let size = words.len() + SPECIAL.len();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).expect("the file is written");
    write("config.json", config(size).to_string().as_bytes());
    write("tokenizer.json", tokenizer(&words).to_string().as_bytes());
    write("model.safetensors", &safetensors(&tensors(size), seed));
}

fn config(vocabulary: usize) -> Value {
    json!({
        "model_type": "bert", "architectures": ["BertForSequenceClassification"], "id2label": { "0": "LABEL_0" },
        "hidden_size": HIDDEN, "intermediate_size": WIDE, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
        "max_position_embeddings": POSITIONS, "vocab_size": vocabulary, "type_vocab_size": 2, "layer_norm_eps": 1e-5,
        "hidden_act": "gelu", "position_embedding_type": "absolute", "pad_token_id": 0,
    })
}

fn tokenizer(words: &BTreeSet<String>) -> Value {
    let all = SPECIAL.iter().map(|token| (*token).to_owned()).chain(words.iter().cloned());
    let vocabulary: serde_json::Map<String, Value> = all.enumerate().map(|(id, word)| (word, json!(id))).collect();
    let token = |id: usize, kind: usize| json!({ "SpecialToken": { "id": SPECIAL[id], "type_id": kind } });
    let sequence = |name: &str, kind: usize| json!({ "Sequence": { "id": name, "type_id": kind } });
    let known = |id: usize| json!({ "id": SPECIAL[id], "ids": [id], "tokens": [SPECIAL[id]] });
    json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": { "type": "Lowercase" },
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [token(2, 0), sequence("A", 0), token(3, 0)],
            "pair": [token(2, 0), sequence("A", 0), token(3, 0), sequence("B", 1), token(3, 1)],
            "special_tokens": { "[CLS]": known(2), "[SEP]": known(3) },
        },
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]" },
    })
}

fn tensors(vocabulary: usize) -> Vec<(String, Vec<usize>)> {
    let mut tensors = Vec::new();
    for (name, rows) in [("word", vocabulary), ("position", POSITIONS), ("token_type", 2)] {
        tensors.push((format!("bert.embeddings.{name}_embeddings.weight"), vec![rows, HIDDEN]));
    }
    let mut both = |name: String, shape: &[usize]| {
        tensors.push((format!("{name}.weight"), shape.to_vec()));
        tensors.push((format!("{name}.bias"), vec![shape[0]]));
    };
    both("bert.embeddings.LayerNorm".to_owned(), &[HIDDEN]);
    for layer in (0..LAYERS).map(|layer| format!("bert.encoder.layer.{layer}")) {
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            both(format!("{layer}.attention.{part}"), &[HIDDEN, HIDDEN]);
        }
        both(format!("{layer}.attention.output.LayerNorm"), &[HIDDEN]);
        both(format!("{layer}.intermediate.dense"), &[WIDE, HIDDEN]);
        both(format!("{layer}.output.dense"), &[HIDDEN, WIDE]);
        both(format!("{layer}.output.LayerNorm"), &[HIDDEN]);
    }
    both("bert.pooler.dense".to_owned(), &[HIDDEN, HIDDEN]);
    both("classifier".to_owned(), &[1, HIDDEN]);
    tensors
}

/// <https://github.com/huggingface/safetensors#format>: the header's length, the header, the numbers.
fn safetensors(tensors: &[(String, Vec<usize>)], seed: u64) -> Vec<u8> {
    let (mut header, mut numbers) = (serde_json::Map::new(), Vec::new());
    for (name, shape) in tensors {
        let begin = numbers.len();
        numbers.extend(random(name, shape.iter().product(), seed).flat_map(f32::to_le_bytes));
        let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [begin, numbers.len()] });
        header.insert(name.clone(), entry);
    }
    let mut header = Value::Object(header).to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &numbers].concat()
}

/// The same numbers for the same name and seed: gains of norms around 1, others around 0.
fn random(name: &str, count: usize, seed: u64) -> impl Iterator<Item = f32> {
    let mut state = name
        .bytes()
        .fold(seed ^ 1_469_598_103_934_665_603, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211));
    let centre = if name.contains("Norm") && name.ends_with("weight") { 1.0 } else { 0.0 };
    (0..count).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        centre + ((state >> 40) as f32 / (1 << 24) as f32 - 0.5) * 0.6
    })
}
