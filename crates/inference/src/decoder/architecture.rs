//! The decoder families as data: what differs between them, and nothing else.
//!
//! Every family here is the pre-norm transformer of Llama (Touvron et al. 2023): RMS norm, rotary positions, grouped
//! query attention, a gated feed-forward part. A row of [`ARCHITECTURES`] says how a family departs from it.

/// Which pairs of a head's elements are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RopeStyle {
    /// Neighbours (2i, 2i+1): Llama's GGUF files, whose rows were permuted when they were converted.
    Interleaved,
    /// Halves (i, i + d/2), as GPT-NeoX has it.
    Halves,
}

/// The gate's nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// x · sigmoid(x).
    Silu,
    /// GELU in its tanh form.
    GeluTanh,
}

/// A family of decoders.
#[derive(Debug)]
pub(crate) struct Architecture {
    /// `general.architecture`, which also begins the names of the family's keys.
    pub(crate) name: &'static str,
    pub(crate) rope: RopeStyle,
    pub(crate) activation: Activation,
    /// Query, key and value projections have biases.
    pub(crate) attention_bias: bool,
    /// Queries and keys are normalised, head by head.
    pub(crate) qk_norm: bool,
    /// The outputs of attention and feed-forward are normalised before they are added.
    pub(crate) post_norms: bool,
    /// One tensor for query, key and value, and one for gate and up.
    pub(crate) fused: bool,
    /// Embeddings are multiplied by the square root of their length.
    pub(crate) embedding_scale: bool,
    /// Of so many layers in a row the last sees everything, the others a window; 1: all see everything.
    pub(crate) global_every: usize,
    /// Layers with a window rotate with this base instead of the file's.
    pub(crate) local_rope_base: Option<f32>,
    /// At this number of layers attention is scaled by the embedding length over the heads, not by the head's length.
    pub(crate) wide_scale_at: Option<usize>,
    /// Files may have experts in the place of one feed-forward part.
    pub(crate) experts: bool,
}

const LLAMA: Architecture = Architecture {
    name: "llama",
    rope: RopeStyle::Interleaved,
    activation: Activation::Silu,
    attention_bias: false,
    qk_norm: false,
    post_norms: false,
    fused: false,
    embedding_scale: false,
    global_every: 1,
    local_rope_base: None,
    wide_scale_at: None,
    // Mixtral.
    experts: true,
};

const DENSE: Architecture = Architecture { experts: false, ..LLAMA };

const QWEN2: Architecture = Architecture { name: "qwen2", rope: RopeStyle::Halves, attention_bias: true, ..DENSE };

const QWEN3: Architecture = Architecture { name: "qwen3", rope: RopeStyle::Halves, qk_norm: true, ..DENSE };

const QWEN3_MOE: Architecture = Architecture { name: "qwen3moe", experts: true, ..QWEN3 };

const PHI3: Architecture = Architecture { name: "phi3", rope: RopeStyle::Halves, fused: true, ..DENSE };

const GEMMA2: Architecture = Architecture {
    name: "gemma2",
    rope: RopeStyle::Halves,
    activation: Activation::GeluTanh,
    post_norms: true,
    embedding_scale: true,
    global_every: 2,
    wide_scale_at: Some(46),
    ..DENSE
};

pub(crate) const GEMMA3: Architecture = Architecture {
    name: "gemma3",
    qk_norm: true,
    global_every: 6,
    local_rope_base: Some(10_000.0),
    wide_scale_at: Some(62),
    ..GEMMA2
};

/// Every family that is implemented.
pub(crate) const ARCHITECTURES: &[Architecture] = &[LLAMA, QWEN2, QWEN3, QWEN3_MOE, PHI3, GEMMA2, GEMMA3];

/// The family of that name.
pub(crate) fn find(name: &str) -> Option<&'static Architecture> {
    ARCHITECTURES.iter().find(|architecture| architecture.name == name)
}

/// The families' names, for messages.
pub(crate) fn supported() -> String {
    ARCHITECTURES.iter().map(|architecture| architecture.name).collect::<Vec<_>>().join(", ")
}
