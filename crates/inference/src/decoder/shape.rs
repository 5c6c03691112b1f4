//! A model's numbers, read from its GGUF metadata and checked.

use super::architecture::{self, Architecture};
use crate::ModelError;
use crate::gguf::GgufFile;

/// How rotary angles are stretched beyond the length that a model was trained on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RopeScaling {
    /// As trained.
    None,
    /// Positions divided by a factor (Chen et al. 2023).
    Linear(f32),
    /// Each frequency divided by its own factor (Llama 3, LongRoPE), and the result multiplied by `attention`.
    PerFrequency { factors: Vec<f32>, attention: f32 },
}

/// Experts in the place of one feed-forward part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExpertShape {
    pub(crate) count: usize,
    /// How many of them a token takes.
    pub(crate) used: usize,
    /// The inner length of each.
    pub(crate) feed_forward: usize,
}

/// The sizes of a decoder.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) architecture: &'static Architecture,
    pub(crate) layers: usize,
    pub(crate) hidden: usize,
    pub(crate) feed_forward: usize,
    pub(crate) experts: Option<ExpertShape>,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dimension: usize,
    pub(crate) rope_dimension: usize,
    pub(crate) rope_base: f32,
    pub(crate) rope_scaling: RopeScaling,
    pub(crate) norm_epsilon: f32,
    pub(crate) vocabulary: usize,
    /// Tokens of prompt and answer that the model was trained for.
    pub(crate) context: usize,
    pub(crate) attention_scale: f32,
    /// Attention scores are squashed to ± this by tanh.
    pub(crate) attention_softcap: Option<f32>,
    /// Logits are squashed to ± this by tanh.
    pub(crate) logit_softcap: Option<f32>,
    /// How many tokens back a layer with a window sees.
    pub(crate) window: Option<usize>,
}

impl Shape {
    /// Reads and checks the numbers in `gguf`. `context` caps the trained length; it also picks LongRoPE's factors.
    pub(crate) fn read(gguf: &mut GgufFile, context: usize) -> Result<Self, ModelError> {
        let architecture = family(gguf)?;
        let name = architecture.name;
        let key = |suffix: &str| format!("{name}.{suffix}");
        let hidden = gguf.require_integer(&key("embedding_length"))?;
        let heads = gguf.require_integer(&key("attention.head_count"))?;
        let kv_heads = gguf.integer(&key("attention.head_count_kv")).filter(|heads| *heads > 0).unwrap_or(heads);
        let head_dimension = gguf.integer(&key("attention.key_length")).unwrap_or(hidden / heads);
        let layers = gguf.require_integer(&key("block_count"))?;
        let trained = gguf.require_integer(&key("context_length"))?;
        let damaged = |reason: String| ModelError::damaged(gguf.path(), reason);
        if heads % kv_heads != 0 || head_dimension == 0 || !head_dimension.is_multiple_of(2) {
            return Err(damaged(format!("{heads} heads of {head_dimension} do not fit {kv_heads} key heads")));
        }
        let vocabulary = gguf
            .dimensions("token_embd.weight")
            .and_then(|dimensions| dimensions.first().copied())
            .ok_or_else(|| ModelError::missing(gguf.path(), "the tensor token_embd.weight"))?;
        let rope_dimension = gguf.integer(&key("rope.dimension_count")).unwrap_or(head_dimension);
        if rope_dimension == 0 || !rope_dimension.is_multiple_of(2) || rope_dimension > head_dimension {
            return Err(damaged(format!("{rope_dimension} rotated elements in a head of {head_dimension}")));
        }
        let context = context.min(trained);
        let scaled = if architecture.wide_scale_at == Some(layers) { hidden / heads } else { head_dimension };
        Ok(Self {
            architecture,
            layers,
            hidden,
            feed_forward: gguf.require_integer(&key("feed_forward_length"))?,
            experts: experts(gguf, architecture)?,
            heads,
            kv_heads,
            head_dimension,
            rope_dimension,
            rope_base: gguf.float(&key("rope.freq_base")).unwrap_or(10_000.0),
            rope_scaling: rope_scaling(gguf, name, rope_dimension / 2, context)?,
            norm_epsilon: gguf.float(&key("attention.layer_norm_rms_epsilon")).unwrap_or(1e-5),
            vocabulary,
            context,
            attention_scale: 1.0 / (scaled as f32).sqrt(),
            attention_softcap: gguf.float(&key("attn_logit_softcapping")).filter(|cap| *cap > 0.0),
            logit_softcap: gguf.float(&key("final_logit_softcapping")).filter(|cap| *cap > 0.0),
            window: gguf.integer(&key("attention.sliding_window")).filter(|window| *window > 0),
        })
    }

    /// Cosines and sines of the rotary angles, each (context, rotated elements / 2); `scaled` applies the model's
    /// stretching.
    pub(crate) fn angles(&self, base: f32, scaled: bool) -> [Vec<f32>; 2] {
        let pairs = self.rope_dimension / 2;
        let exponent = |pair: usize| -2.0 * pair as f64 / self.rope_dimension as f64;
        let mut frequencies: Vec<f64> = (0..pairs).map(|pair| f64::from(base).powf(exponent(pair))).collect();
        let mut amplitude = 1.0;
        match &self.rope_scaling {
            RopeScaling::Linear(factor) if scaled => {
                frequencies.iter_mut().for_each(|frequency| *frequency /= f64::from(*factor));
            }
            RopeScaling::PerFrequency { factors, attention } if scaled => {
                frequencies.iter_mut().zip(factors).for_each(|(frequency, factor)| *frequency /= f64::from(*factor));
                amplitude = f64::from(*attention);
            }
            _ => {}
        }
        [f64::cos, f64::sin].map(|function: fn(f64) -> f64| {
            (0..self.context)
                .flat_map(|position| frequencies.iter().map(move |frequency| position as f64 * frequency))
                .map(|angle| (amplitude * function(angle)) as f32)
                .collect()
        })
    }

    /// Query heads that share one key head.
    #[cfg(any(test, feature = "cuda"))]
    pub(crate) fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// The window of `layer`, if it has one.
    pub(crate) fn layer_window(&self, layer: usize) -> Option<usize> {
        let every = self.architecture.global_every;
        // Families without alternation that name a window (Phi-3, early Mistral) have it in every layer.
        let local = every == 1 || layer % every != every - 1;
        self.window.filter(|_| local)
    }

    /// The base of the rotary angles of `layer`, and whether the scaling for long contexts applies to it.
    pub(crate) fn layer_rope(&self, layer: usize) -> (f32, bool) {
        match self.architecture.local_rope_base {
            Some(base) if self.layer_window(layer).is_some() => (base, false),
            _ => (self.rope_base, true),
        }
    }
}

/// The family of a file.
pub(crate) fn family(gguf: &GgufFile) -> Result<&'static Architecture, ModelError> {
    let name = gguf
        .string("general.architecture")
        .ok_or_else(|| ModelError::missing(gguf.path(), "the key general.architecture"))?;
    architecture::find(name).ok_or_else(|| ModelError::Unsupported {
        what: "architecture",
        found: name.to_owned(),
        supported: architecture::supported(),
    })
}

/// The experts of a file, if it has any.
fn experts(gguf: &GgufFile, family: &Architecture) -> Result<Option<ExpertShape>, ModelError> {
    let key = |suffix: &str| format!("{}.{suffix}", family.name);
    let positive = |suffix: &str| gguf.integer(&key(suffix)).filter(|number| *number > 0);
    let unsupported = |what: &str| ModelError::Unsupported {
        what: "architecture",
        found: format!("{} with {what}", family.name),
        supported: architecture::supported(),
    };
    let Some(count) = positive("expert_count") else { return Ok(None) };
    if !family.experts {
        return Err(unsupported("experts"));
    }
    // Layers without experts, and an expert that every token takes: other families' ways.
    if positive("leading_dense_block_count").is_some() {
        return Err(unsupported("experts in some layers only"));
    }
    if positive("expert_shared_feed_forward_length").is_some() || positive("expert_shared_count").is_some() {
        return Err(unsupported("shared experts"));
    }
    let used = gguf.require_integer(&key("expert_used_count"))?;
    if used > count {
        return Err(ModelError::damaged(gguf.path(), format!("{used} experts a token of {count}")));
    }
    let feed_forward = match positive("expert_feed_forward_length") {
        Some(length) => length,
        None => gguf.require_integer(&key("feed_forward_length"))?,
    };
    Ok(Some(ExpertShape { count, used, feed_forward }))
}

fn rope_scaling(gguf: &mut GgufFile, name: &str, pairs: usize, context: usize) -> Result<RopeScaling, ModelError> {
    let key = |suffix: &str| format!("{name}.rope.scaling.{suffix}");
    let attention = gguf.float(&key("attn_factor")).unwrap_or(1.0);
    let original = gguf.integer(&key("original_context_length")).unwrap_or(usize::MAX);
    let long = if context > original { "rope_factors_long.weight" } else { "rope_factors_short.weight" };
    for tensor in ["rope_freqs.weight", long] {
        if gguf.dimensions(tensor).is_some() {
            let factors = gguf.dense(tensor, &[pairs])?.to_vec1()?;
            return Ok(RopeScaling::PerFrequency { factors, attention });
        }
    }
    match gguf.string(&key("type")) {
        None | Some("none" | "longrope") => Ok(RopeScaling::None),
        Some("linear") => Ok(RopeScaling::Linear(gguf.float(&key("factor")).unwrap_or(1.0).max(1.0))),
        Some(other) => Err(ModelError::Unsupported {
            what: "rope scaling",
            found: other.to_owned(),
            supported: "linear, longrope, llama3".to_owned(),
        }),
    }
}
