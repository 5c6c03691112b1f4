//! `config.json` of an encoder, checked.

use super::family::{Family, Positions};
use super::folder::{read_json, unsupported};
use crate::ModelError;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;

/// The keys that matter, as they stand in the file.
#[derive(Debug, Clone, Deserialize)]
struct Keys {
    #[serde(default)]
    model_type: String,
    #[serde(default)]
    architectures: Vec<String>,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    vocab_size: usize,
    type_vocab_size: Option<usize>,
    layer_norm_eps: Option<f64>,
    norm_eps: Option<f64>,
    hidden_act: Option<String>,
    hidden_activation: Option<String>,
    position_embedding_type: Option<String>,
    pad_token_id: Option<usize>,
    relative_attention_num_buckets: Option<usize>,
    global_attn_every_n_layers: Option<usize>,
    global_rope_theta: Option<f64>,
    local_rope_theta: Option<f64>,
    local_attention: Option<usize>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default)]
    norm_bias: bool,
    classifier_pooling: Option<String>,
    num_labels: Option<usize>,
    id2label: Option<HashMap<String, String>>,
}

/// An encoder's shape.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(super) family: &'static Family,
    pub(crate) hidden: usize,
    /// Outputs of the inner projection, those of a gate not among them.
    pub(super) wide: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) vocabulary: usize,
    /// Rows of the position table.
    pub(super) positions: usize,
    /// Number of the first position in that table.
    pub(super) first_position: usize,
    /// Rows of the type table.
    pub(super) types: usize,
    pub(super) epsilon: f32,
    /// Rows of the table of distance biases.
    pub(super) buckets: usize,
    pub(super) rotary: Rotary,
    /// Labels of a classification head; `None` for a model without one.
    pub(crate) labels: Option<usize>,
    /// Whether a classification head looks at the mean of the tokens instead of the first.
    pub(crate) classifies_mean: bool,
}

/// RoPE and sliding windows, for families that have them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rotary {
    /// Every so manieth layer, from the first on, looks at everything.
    pub(super) global_every: usize,
    pub(super) global_base: f64,
    pub(super) local_base: f64,
    /// Tokens that the other layers look back, and forward.
    pub(super) reach: usize,
}

impl Rotary {
    /// How far layer `index` looks, if not everywhere.
    pub(super) fn reach(&self, index: usize) -> Option<usize> {
        (!index.is_multiple_of(self.global_every)).then_some(self.reach)
    }
}

impl Config {
    /// Reads and checks the file in `directory`.
    pub(super) fn read(directory: &Path) -> Result<Self, ModelError> {
        let path = directory.join("config.json");
        let keys: Keys = read_json(&path)?.ok_or_else(|| ModelError::missing(directory, "config.json"))?;
        let family = Family::of(&keys.model_type)
            .map_err(|supported| unsupported("architecture", &keys.model_type, &supported))?;
        match keys.hidden_act.as_deref().or(keys.hidden_activation.as_deref()) {
            None | Some("gelu") => {}
            Some(other) => return Err(unsupported("activation", other, "gelu")),
        }
        match keys.position_embedding_type.as_deref() {
            None | Some("absolute") => {}
            // ModernBERT's files may say so of themselves.
            Some("rope" | "sans_pos") if family.positions == Positions::Rotary => {}
            Some(other) => return Err(unsupported("position embedding", other, "absolute")),
        }
        if !family.biases && (keys.attention_bias || keys.mlp_bias || keys.norm_bias) {
            return Err(unsupported("variant", "modernbert with biases", "modernbert without biases"));
        }
        let (hidden, heads) = (keys.hidden_size, keys.num_attention_heads);
        if heads == 0 || hidden == 0 || !hidden.is_multiple_of(heads) {
            return Err(ModelError::damaged(&path, "its heads do not divide its hidden size"));
        }
        if family.positions == Positions::Rotary && !(hidden / heads).is_multiple_of(2) {
            return Err(ModelError::damaged(&path, "its heads have an odd length"));
        }
        let first_position = match family.positions {
            Positions::LearnedBehindPadding => keys.pad_token_id.unwrap_or(1).saturating_add(1),
            Positions::Learned | Positions::Rotary => 0,
        };
        let classifies = keys.architectures.iter().any(|name| name.ends_with("ForSequenceClassification"));
        // Without a word about labels there are two, as the format has it.
        let labels = keys.id2label.map(|labels| labels.len()).or(keys.num_labels).unwrap_or(2);
        Ok(Self {
            family,
            hidden,
            wide: keys.intermediate_size,
            layers: keys.num_hidden_layers,
            heads,
            vocabulary: keys.vocab_size,
            positions: keys.max_position_embeddings,
            first_position,
            types: keys.type_vocab_size.unwrap_or(2),
            epsilon: keys.layer_norm_eps.or(keys.norm_eps).unwrap_or(1e-12) as f32,
            buckets: keys.relative_attention_num_buckets.unwrap_or(32),
            rotary: Rotary {
                global_every: keys.global_attn_every_n_layers.unwrap_or(3).max(1),
                global_base: keys.global_rope_theta.unwrap_or(160_000.0),
                local_base: keys.local_rope_theta.unwrap_or(10_000.0),
                reach: keys.local_attention.unwrap_or(128) / 2,
            },
            labels: classifies.then_some(labels),
            classifies_mean: keys.classifier_pooling.as_deref() == Some("mean"),
        })
    }

    /// The family's name.
    pub(crate) fn family_name(&self) -> &'static str {
        self.family.name
    }

    /// Tokens that have a position, special ones included.
    pub(super) fn longest(&self) -> usize {
        self.positions.saturating_sub(self.first_position)
    }
}
