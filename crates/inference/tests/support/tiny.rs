//! Encoders with few random weights, written for a test.

use candle_core::{Device, Tensor};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use tempfile::TempDir;

/// Words that the tiny tokenizers know: w0, w1, …
pub const WORDS: usize = 50;

/// A model folder and what is in it.
pub struct Tiny {
    pub folder: TempDir,
    pub tensors: HashMap<String, Tensor>,
}

impl Tiny {
    /// Writes a folder with `config`, and `tensors` by name and shape.
    pub fn write(config: &Value, tensors: &[(String, Vec<usize>)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tensors: HashMap<String, Tensor> =
            tensors.iter().map(|(name, shape)| (name.clone(), random(name, shape))).collect();
        candle_core::safetensors::save(&tensors, folder.path().join("model.safetensors")).unwrap();
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let fairseq = config["model_type"] != "bert" && config["model_type"] != "modernbert";
        std::fs::write(folder.path().join("tokenizer.json"), tokenizer(fairseq).to_string()).unwrap();
        Self { folder, tensors }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Adds a file beside the weights.
    pub fn add(&self, name: &str, content: &Value) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content.to_string()).unwrap();
    }
}

/// A text of `count` words.
pub fn words(count: usize, seed: usize) -> String {
    (0..count)
        .map(|index| format!("w{}", (index * 7 + seed * 13 + index * index) % WORDS))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The same numbers for the same name: norms around 1, others around 0.
fn random(name: &str, shape: &[usize]) -> Tensor {
    let mut state = name
        .bytes()
        .fold(1_469_598_103_934_665_603_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211));
    let centre = if name.to_lowercase().contains("norm") && name.ends_with("weight") { 1.0 } else { 0.0 };
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        centre + ((state >> 40) as f32 / (1 << 24) as f32 - 0.5) * 0.6
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// A tokenizer of whole words, with BERT's special tokens or fairseq's.
fn tokenizer(fairseq: bool) -> Value {
    let special = if fairseq { ["<s>", "<pad>", "</s>", "<unk>"] } else { ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] };
    let mut vocabulary: serde_json::Map<String, Value> =
        special.iter().enumerate().map(|(id, token)| ((*token).to_owned(), json!(id))).collect();
    vocabulary.extend((0..WORDS).map(|word| (format!("w{word}"), json!(word + special.len()))));
    let (first, last, unknown) = if fairseq { (0, 2, 3) } else { (2, 3, 1) };
    let token = |id: usize, kind: usize| json!({ "SpecialToken": { "id": special[id], "type_id": kind } });
    let sequence = |name: &str, kind: usize| json!({ "Sequence": { "id": name, "type_id": kind } });
    let pair = if fairseq {
        json!([token(first, 0), sequence("A", 0), token(last, 0), token(last, 0), sequence("B", 0), token(last, 0)])
    } else {
        json!([token(first, 0), sequence("A", 0), token(last, 0), sequence("B", 1), token(last, 1)])
    };
    let known = |id: usize| json!({ "id": special[id], "ids": [id], "tokens": [special[id]] });
    json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [token(first, 0), sequence("A", 0), token(last, 0)],
            "pair": pair,
            "special_tokens": { special[first]: known(first), special[last]: known(last) },
        },
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": special[unknown] },
    })
}

/// The ids of `text` or of a pair, as a batch of one, and their types.
pub fn ids(folder: &Path, text: &str, second: Option<&str>) -> (Tensor, Tensor) {
    let tokenizer = tokenizers::Tokenizer::from_file(folder.join("tokenizer.json")).unwrap();
    let encoding = match second {
        Some(second) => tokenizer.encode((text, second), true).unwrap(),
        None => tokenizer.encode(text, true).unwrap(),
    };
    let row = |numbers: &[u32]| Tensor::new(numbers, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    (row(encoding.get_ids()), row(encoding.get_type_ids()))
}

/// Sizes of the tiny models.
pub const HIDDEN: usize = 48;
pub const WIDE: usize = 112;
pub const HEADS: usize = 4;
pub const LAYERS: usize = 4;
pub const POSITIONS: usize = 128;

/// The tensors of a BERT, RoBERTa, XLM-R or MPNet encoder. `prefix` ends in a dot or is empty.
pub fn bert_tensors(model_type: &str, prefix: &str) -> Vec<(String, Vec<usize>)> {
    let mpnet = model_type == "mpnet";
    let types = if model_type == "bert" { 2 } else { 1 };
    let mut tensors = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![WORDS + 4, HIDDEN]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![POSITIONS, HIDDEN]),
    ];
    if mpnet {
        tensors.push(("encoder.relative_attention_bias.weight".to_owned(), vec![32, HEADS]));
    } else {
        tensors.push(("embeddings.token_type_embeddings.weight".to_owned(), vec![types, HIDDEN]));
    }
    let mut both = |name: String, shape: &[usize]| {
        tensors.push((format!("{name}.weight"), shape.to_vec()));
        tensors.push((format!("{name}.bias"), vec![shape[0]]));
    };
    both("embeddings.LayerNorm".to_owned(), &[HIDDEN]);
    let (projections, output, norm) = match mpnet {
        true => (["attn.q", "attn.k", "attn.v"], "attention.attn.o", "attention.LayerNorm"),
        false => (["self.query", "self.key", "self.value"], "attention.output.dense", "attention.output.LayerNorm"),
    };
    for layer in (0..LAYERS).map(|layer| format!("encoder.layer.{layer}")) {
        for projection in projections {
            both(format!("{layer}.attention.{projection}"), &[HIDDEN, HIDDEN]);
        }
        both(format!("{layer}.{output}"), &[HIDDEN, HIDDEN]);
        both(format!("{layer}.{norm}"), &[HIDDEN]);
        both(format!("{layer}.intermediate.dense"), &[WIDE, HIDDEN]);
        both(format!("{layer}.output.dense"), &[HIDDEN, WIDE]);
        both(format!("{layer}.output.LayerNorm"), &[HIDDEN]);
    }
    tensors.into_iter().map(|(name, shape)| (format!("{prefix}{name}"), shape)).collect()
}

/// The `config.json` of such an encoder.
pub fn bert_config(model_type: &str) -> Value {
    json!({
        "model_type": model_type, "hidden_size": HIDDEN, "intermediate_size": WIDE, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "max_position_embeddings": POSITIONS, "vocab_size": WORDS + 4,
        "type_vocab_size": if model_type == "bert" { 2 } else { 1 }, "layer_norm_eps": 1e-5, "hidden_act": "gelu",
        "position_embedding_type": "absolute", "pad_token_id": if model_type == "bert" { 0 } else { 1 },
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.02,
    })
}

/// The tensors of ModernBERT's encoder.
pub fn modernbert_tensors() -> Vec<(String, Vec<usize>)> {
    let mut tensors = vec![
        ("model.embeddings.tok_embeddings.weight".to_owned(), vec![WORDS + 4, HIDDEN]),
        ("model.embeddings.norm.weight".to_owned(), vec![HIDDEN]),
        ("model.final_norm.weight".to_owned(), vec![HIDDEN]),
    ];
    for layer in 0..LAYERS {
        let mut add = |name: &str, shape: &[usize]| {
            tensors.push((format!("model.layers.{layer}.{name}.weight"), shape.to_vec()));
        };
        if layer > 0 {
            add("attn_norm", &[HIDDEN]);
        }
        add("attn.Wqkv", &[3 * HIDDEN, HIDDEN]);
        add("attn.Wo", &[HIDDEN, HIDDEN]);
        add("mlp_norm", &[HIDDEN]);
        add("mlp.Wi", &[2 * WIDE, HIDDEN]);
        add("mlp.Wo", &[HIDDEN, WIDE]);
    }
    tensors
}

/// The `config.json` of such an encoder, with windows of nine tokens.
pub fn modernbert_config() -> Value {
    json!({
        "model_type": "modernbert", "hidden_size": HIDDEN, "intermediate_size": WIDE, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "max_position_embeddings": POSITIONS, "vocab_size": WORDS + 4,
        "layer_norm_eps": 1e-5, "norm_eps": 1e-5, "hidden_activation": "gelu", "pad_token_id": 0,
        "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_attention": 8,
        "local_rope_theta": 10000.0, "attention_bias": false, "mlp_bias": false, "norm_bias": false,
        "position_embedding_type": "absolute",
    })
}
