//! One layer: attention and the gated feed-forward part.

use super::cache::KvCache;
use super::operations::{CausalSoftmax, Gate};
use super::rope::Rope;
use super::shape::Shape;
use super::weight::{Weight, forward_all};
use crate::ModelError;
use crate::gguf::GgufFile;
use candle_core::{D, Result, Tensor};
use candle_nn::ops::rms_norm;

/// Query tokens whose scores exist at once, so that memory for scores grows with the prompt, not with its square.
const QUERY_BLOCK: usize = 128;

enum QueryKeyValue {
    Separate { query: Weight, key: Weight, value: Weight },
    Fused(Weight),
}

enum GateUp {
    Separate { gate: Weight, up: Weight },
    Fused(Weight),
}

/// The weights of a layer and what it takes to run it.
pub(crate) struct Layer {
    index: usize,
    attention_norm: Tensor,
    attention: QueryKeyValue,
    biases: Option<[Tensor; 3]>,
    query_key_norms: Option<[Tensor; 2]>,
    output: Weight,
    post_attention_norm: Option<Tensor>,
    feed_forward_norm: Tensor,
    gate_up: GateUp,
    down: Weight,
    post_feed_forward_norm: Option<Tensor>,
    rope: Rope,
    window: Option<usize>,
}

impl Layer {
    /// Reads layer `index`.
    pub(crate) fn read(
        gguf: &mut GgufFile,
        shape: &Shape,
        index: usize,
        rope: Rope,
    ) -> std::result::Result<Self, ModelError> {
        let family = shape.architecture;
        let name = |part: &str| format!("blk.{index}.{part}");
        let (hidden, inner) = (shape.hidden, shape.feed_forward);
        let queries = shape.heads * shape.head_dimension;
        let keys = shape.kv_heads * shape.head_dimension;
        let attention = if family.fused {
            QueryKeyValue::Fused(Weight::read(gguf, &name("attn_qkv.weight"), queries + 2 * keys, hidden)?)
        } else {
            QueryKeyValue::Separate {
                query: Weight::read(gguf, &name("attn_q.weight"), queries, hidden)?,
                key: Weight::read(gguf, &name("attn_k.weight"), keys, hidden)?,
                value: Weight::read(gguf, &name("attn_v.weight"), keys, hidden)?,
            }
        };
        let gate_up = if family.fused {
            GateUp::Fused(Weight::read(gguf, &name("ffn_up.weight"), 2 * inner, hidden)?)
        } else {
            GateUp::Separate {
                gate: Weight::read(gguf, &name("ffn_gate.weight"), inner, hidden)?,
                up: Weight::read(gguf, &name("ffn_up.weight"), inner, hidden)?,
            }
        };
        let biases = match family.attention_bias {
            true => Some([
                gguf.dense(&name("attn_q.bias"), &[queries])?,
                gguf.dense(&name("attn_k.bias"), &[keys])?,
                gguf.dense(&name("attn_v.bias"), &[keys])?,
            ]),
            false => None,
        };
        let query_key_norms = match family.qk_norm {
            true => Some([
                gguf.dense(&name("attn_q_norm.weight"), &[shape.head_dimension])?,
                gguf.dense(&name("attn_k_norm.weight"), &[shape.head_dimension])?,
            ]),
            false => None,
        };
        let mut post_norm = |part: &str| match family.post_norms {
            true => gguf.dense(&name(part), &[hidden]).map(Some),
            false => Ok(None),
        };
        let post_attention_norm = post_norm("post_attention_norm.weight")?;
        let post_feed_forward_norm = post_norm("post_ffw_norm.weight")?;
        Ok(Self {
            index,
            attention_norm: gguf.dense(&name("attn_norm.weight"), &[hidden])?,
            attention,
            biases,
            query_key_norms,
            output: Weight::read(gguf, &name("attn_output.weight"), hidden, queries)?,
            post_attention_norm,
            feed_forward_norm: gguf.dense(&name("ffn_norm.weight"), &[hidden])?,
            gate_up,
            down: Weight::read(gguf, &name("ffn_down.weight"), hidden, inner)?,
            post_feed_forward_norm,
            rope,
            window: shape.layer_window(index),
        })
    }

    /// The layer's output for `x` of shape (tokens, hidden), whose tokens follow those in `cache`.
    pub(crate) fn forward(&self, x: &Tensor, shape: &Shape, cache: &KvCache) -> Result<Tensor> {
        let normed = rms_norm(x, &self.attention_norm, shape.norm_epsilon)?;
        let attended = self.attend(&normed, shape, cache)?;
        let x = (x + after(attended, self.post_attention_norm.as_ref(), shape.norm_epsilon)?)?;
        let normed = rms_norm(&x, &self.feed_forward_norm, shape.norm_epsilon)?;
        let fed = self.feed_forward(&normed, shape)?;
        &x + after(fed, self.post_feed_forward_norm.as_ref(), shape.norm_epsilon)?
    }

    fn feed_forward(&self, x: &Tensor, shape: &Shape) -> Result<Tensor> {
        let [gate, up] = match &self.gate_up {
            GateUp::Separate { gate, up } => forward_all([gate, up], x)?,
            GateUp::Fused(both) => {
                let both = both.forward(x)?;
                let part = |index| both.narrow(D::Minus1, index * shape.feed_forward, shape.feed_forward)?.contiguous();
                // A copy of its own: the gate is written in place.
                [part(0)?.copy()?, part(1)?]
            }
        };
        gate.inplace_op2(&up, &Gate(shape.architecture.activation))?;
        self.down.forward(&gate)
    }

    /// Query, key and value, each (heads, tokens, head dimension), with biases, norms and rotation.
    fn project(&self, x: &Tensor, shape: &Shape, position: usize) -> Result<[Tensor; 3]> {
        let mut projected = match &self.attention {
            QueryKeyValue::Separate { query, key, value } => {
                // Value is often of a finer type than the other two, which can then share their input.
                let [query, key] = forward_all([query, key], x)?;
                [query, key, value.forward(x)?]
            }
            QueryKeyValue::Fused(all) => {
                let all = all.forward(x)?;
                let (queries, keys) = (shape.heads * shape.head_dimension, shape.kv_heads * shape.head_dimension);
                [
                    all.narrow(D::Minus1, 0, queries)?,
                    all.narrow(D::Minus1, queries, keys)?,
                    all.narrow(D::Minus1, queries + keys, keys)?,
                ]
            }
        };
        if let Some(biases) = &self.biases {
            for (part, bias) in projected.iter_mut().zip(biases) {
                *part = part.broadcast_add(bias)?;
            }
        }
        let tokens = x.dim(0)?;
        let heads = |part: &Tensor, heads: usize| part.reshape((tokens, heads, shape.head_dimension));
        let [query, key, value] = &projected;
        let mut query = heads(query, shape.heads)?;
        let mut key = heads(key, shape.kv_heads)?;
        if let Some([query_norm, key_norm]) = &self.query_key_norms {
            query = rms_norm(&query.contiguous()?, query_norm, shape.norm_epsilon)?;
            key = rms_norm(&key.contiguous()?, key_norm, shape.norm_epsilon)?;
        }
        Ok([
            self.rope.apply(&query.transpose(0, 1)?, position)?,
            self.rope.apply(&key.transpose(0, 1)?, position)?,
            heads(value, shape.kv_heads)?.transpose(0, 1)?.contiguous()?,
        ])
    }

    fn attend(&self, x: &Tensor, shape: &Shape, cache: &KvCache) -> Result<Tensor> {
        let (tokens, past) = (x.dim(0)?, cache.len());
        let (kv_heads, group, dimension) = (shape.kv_heads, shape.group(), shape.head_dimension);
        let [query, key, value] = self.project(x, shape, past)?;
        let (keys, values) = cache.append(self.index, &key, &value)?;
        // Query heads that share a key head become rows of one product: keys and values aren't repeated.
        let query = query.reshape((kv_heads, group, tokens, dimension))?;
        let mut blocks = Vec::with_capacity(tokens.div_ceil(QUERY_BLOCK));
        for start in (0..tokens).step_by(QUERY_BLOCK) {
            let queries = QUERY_BLOCK.min(tokens - start);
            let end = past + start + queries;
            let first_key = self.window.map_or(0, |window| (past + start + 1).saturating_sub(window));
            let visible = end - first_key;
            let rows =
                query.narrow(2, start, queries)?.contiguous()?.reshape((kv_heads, group * queries, dimension))?;
            let scores = rows.matmul(&keys.narrow(1, first_key, visible)?.t()?)?;
            scores.inplace_op1(&CausalSoftmax {
                scale: shape.attention_scale,
                softcap: shape.attention_softcap,
                queries,
                first: past + start - first_key,
                window: self.window,
            })?;
            let mixed = scores.matmul(&values.narrow(1, first_key, visible)?)?;
            blocks.push(mixed.reshape((shape.heads, queries, dimension))?);
        }
        let mixed = if blocks.len() == 1 { blocks.swap_remove(0) } else { Tensor::cat(&blocks, 1)? };
        self.output.forward(&mixed.transpose(0, 1)?.contiguous()?.reshape((tokens, shape.heads * dimension))?)
    }
}

/// `x`, normalised in families that do so after a part.
fn after(x: Tensor, norm: Option<&Tensor>, epsilon: f32) -> Result<Tensor> {
    match norm {
        None => Ok(x),
        Some(norm) => rms_norm(&x, norm, epsilon),
    }
}
