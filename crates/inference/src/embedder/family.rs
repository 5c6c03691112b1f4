//! The encoder families, as data: what their tensors are called and in what they differ.

/// Where an encoder layer normalises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NormOrder {
    /// What came in plus what came out (BERT).
    After,
    /// What goes in (ModernBERT).
    Before,
}

/// How a model knows the order of its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Positions {
    /// A learned vector for each position, counted from 0.
    Learned,
    /// As `Learned`, counted from the padding token's id plus 1 (fairseq's way).
    LearnedBehindPadding,
    /// Queries and keys are turned by their position (RoPE).
    Rotary,
}

/// Names of the projections to queries, keys and values.
#[derive(Debug, Clone, Copy)]
pub(super) enum Projections {
    Apart([&'static str; 3]),
    Together(&'static str),
}

/// An encoder family. Names are those of a layer's tensors unless said otherwise, without `.weight` and `.bias`.
#[derive(Debug)]
pub(super) struct Family {
    /// `model_type` in `config.json`.
    pub(super) name: &'static str,
    /// In front of all names if the file holds more than the encoder.
    pub(super) prefix: &'static str,
    pub(super) positions: Positions,
    pub(super) order: NormOrder,
    /// Whether products and norms have biases.
    pub(super) biases: bool,
    /// Whether the feed-forward part multiplies by a gate, which lies behind the inner projection's outputs.
    pub(super) gated: bool,
    /// Model: word, position and type embeddings.
    pub(super) words: &'static str,
    pub(super) position_table: Option<&'static str>,
    pub(super) type_table: Option<&'static str>,
    /// Model: the norm of embeddings, and the one behind the last layer.
    pub(super) first_norm: &'static str,
    pub(super) last_norm: Option<&'static str>,
    /// Model: what is added to scores by distance.
    pub(super) distance_bias: Option<&'static str>,
    /// Model: what a layer's number stands behind.
    pub(super) layers: &'static str,
    pub(super) projections: Projections,
    pub(super) output: &'static str,
    pub(super) attention_norm: &'static str,
    pub(super) inner: &'static str,
    pub(super) outer: &'static str,
    pub(super) outer_norm: &'static str,
}

const BERT: Family = Family {
    name: "bert",
    prefix: "bert.",
    positions: Positions::Learned,
    order: NormOrder::After,
    biases: true,
    gated: false,
    words: "embeddings.word_embeddings",
    position_table: Some("embeddings.position_embeddings"),
    type_table: Some("embeddings.token_type_embeddings"),
    first_norm: "embeddings.LayerNorm",
    last_norm: None,
    distance_bias: None,
    layers: "encoder.layer",
    projections: Projections::Apart(["attention.self.query", "attention.self.key", "attention.self.value"]),
    output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    inner: "intermediate.dense",
    outer: "output.dense",
    outer_norm: "output.LayerNorm",
};

const ROBERTA: Family =
    Family { name: "roberta", prefix: "roberta.", positions: Positions::LearnedBehindPadding, ..BERT };

/// BERT (Devlin et al. 2018), RoBERTa (Liu et al. 2019), XLM-R (Conneau et al. 2020), MPNet (Song et al. 2020),
/// ModernBERT (Warner et al. 2024).
static FAMILIES: [Family; 5] = [
    BERT,
    ROBERTA,
    Family { name: "xlm-roberta", ..ROBERTA },
    Family {
        name: "mpnet",
        prefix: "mpnet.",
        type_table: None,
        distance_bias: Some("encoder.relative_attention_bias"),
        projections: Projections::Apart(["attention.attn.q", "attention.attn.k", "attention.attn.v"]),
        output: "attention.attn.o",
        attention_norm: "attention.LayerNorm",
        ..ROBERTA
    },
    Family {
        name: "modernbert",
        prefix: "model.",
        positions: Positions::Rotary,
        order: NormOrder::Before,
        biases: false,
        gated: true,
        words: "embeddings.tok_embeddings",
        position_table: None,
        type_table: None,
        first_norm: "embeddings.norm",
        last_norm: Some("final_norm"),
        distance_bias: None,
        layers: "layers",
        projections: Projections::Together("attn.Wqkv"),
        output: "attn.Wo",
        attention_norm: "attn_norm",
        inner: "mlp.Wi",
        outer: "mlp.Wo",
        outer_norm: "mlp_norm",
    },
];

impl Family {
    /// The family of a `model_type`, or the names of those that are implemented.
    pub(super) fn of(model_type: &str) -> Result<&'static Self, String> {
        let names = || FAMILIES.iter().map(|family| family.name).collect::<Vec<_>>().join(", ");
        FAMILIES.iter().find(|family| family.name == model_type).ok_or_else(names)
    }
}
