//! One layer: attention and the gated feed-forward part.

use super::Place;
use super::attention::attend;
use super::feed_forward::FeedForward;
use super::memory::Memory;
use super::plan::Plan;
use super::rope::PlacedRope;
use super::weight::{Weight, split};
use crate::ModelError;
use crate::decoder::shape::Shape;
use crate::gguf::GgufFile;
use candle_core::{Result, Tensor};
use candle_nn::ops::rms_norm;

/// The weights of a layer.
pub(super) struct Layer {
    index: usize,
    attention_norm: Tensor,
    /// Query, key and value: three matrices, or one in families that fuse them.
    attention: Vec<Weight>,
    biases: Option<[Tensor; 3]>,
    query_key_norms: Option<[Tensor; 2]>,
    output: Weight,
    post_attention_norm: Option<Tensor>,
    feed_forward_norm: Tensor,
    feed_forward: FeedForward,
    post_feed_forward_norm: Option<Tensor>,
}

impl Layer {
    /// Reads layer `index`.
    pub(super) fn read(
        gguf: &mut GgufFile,
        shape: &Shape,
        index: usize,
        place: &Place,
    ) -> std::result::Result<Self, ModelError> {
        let family = shape.architecture;
        let name = |part: &str| format!("blk.{index}.{part}");
        let hidden = shape.hidden;
        let queries = shape.heads * shape.head_dimension;
        let keys = shape.kv_heads * shape.head_dimension;
        let mut weight =
            |part: &str, outputs: usize, inputs: usize| Weight::read(gguf, &name(part), [outputs, inputs], place);
        let attention = if family.fused {
            vec![weight("attn_qkv.weight", queries + 2 * keys, hidden)?]
        } else {
            vec![
                weight("attn_q.weight", queries, hidden)?,
                weight("attn_k.weight", keys, hidden)?,
                weight("attn_v.weight", keys, hidden)?,
            ]
        };
        let output = weight("attn_output.weight", hidden, queries)?;
        let feed_forward = FeedForward::read(gguf, shape, index, place)?;
        let mut vector = |part: &str, length: usize| -> std::result::Result<Tensor, ModelError> {
            Ok(gguf.dense(&name(part), &[length])?.to_device(&place.device)?)
        };
        let biases = match family.attention_bias {
            true => Some([vector("attn_q.bias", queries)?, vector("attn_k.bias", keys)?, vector("attn_v.bias", keys)?]),
            false => None,
        };
        let head = shape.head_dimension;
        let query_key_norms = match family.qk_norm {
            true => Some([vector("attn_q_norm.weight", head)?, vector("attn_k_norm.weight", head)?]),
            false => None,
        };
        let [post_attention_norm, post_feed_forward_norm] = match family.post_norms {
            true => {
                [Some(vector("post_attention_norm.weight", hidden)?), Some(vector("post_ffw_norm.weight", hidden)?)]
            }
            false => [None, None],
        };
        Ok(Self {
            index,
            attention_norm: vector("attn_norm.weight", hidden)?,
            attention,
            biases,
            query_key_norms,
            output,
            post_attention_norm,
            feed_forward_norm: vector("ffn_norm.weight", hidden)?,
            feed_forward,
            post_feed_forward_norm,
        })
    }

    /// The layer's output for `x`, the plan's tokens of shape (tokens, hidden); their keys and values go to `memory`.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        shape: &Shape,
        plan: &Plan,
        angles: &PlacedRope,
        memory: &Memory,
    ) -> Result<Tensor> {
        let epsilon = shape.norm_epsilon;
        let after = |x: Tensor, norm: &Option<Tensor>| match norm {
            None => Ok(x),
            Some(norm) => rms_norm(&x, norm, epsilon),
        };
        let attended = self.attend(&rms_norm(x, &self.attention_norm, epsilon)?, shape, plan, angles, memory)?;
        let x = (x + after(attended, &self.post_attention_norm)?)?;
        let fed = self.feed_forward.forward(&rms_norm(&x, &self.feed_forward_norm, epsilon)?, shape)?;
        &x + after(fed, &self.post_feed_forward_norm)?
    }

    fn attend(&self, x: &Tensor, shape: &Shape, plan: &Plan, angles: &PlacedRope, memory: &Memory) -> Result<Tensor> {
        let (tokens, dimension) = (x.dim(0)?, shape.head_dimension);
        let (queries, keys) = (shape.heads * dimension, shape.kv_heads * dimension);
        let mut projected = split(&self.attention, x, [queries, keys, keys])?;
        if let Some(biases) = &self.biases {
            for (part, bias) in projected.iter_mut().zip(biases) {
                *part = part.broadcast_add(bias)?;
            }
        }
        let [query, key, value] = &projected;
        let mut query = query.reshape((tokens, shape.heads, dimension))?;
        let mut key = key.reshape((tokens, shape.kv_heads, dimension))?;
        if let Some([query_norm, key_norm]) = &self.query_key_norms {
            query = rms_norm(&query, query_norm, shape.norm_epsilon)?;
            key = rms_norm(&key, key_norm, shape.norm_epsilon)?;
        }
        let query = angles.apply(&query.transpose(0, 1)?, self.index, shape)?;
        let key = angles.apply(&key.transpose(0, 1)?, self.index, shape)?;
        let key = key.transpose(0, 1)?.reshape((tokens, keys))?;
        memory.write(self.index, &plan.written, &key, value)?;
        let mut mixed = Vec::with_capacity(plan.groups.len());
        for group in &plan.groups {
            let [keys, values] = memory.read(self.index, &group.read)?;
            mixed.push(attend(&query, &keys, &values, group, shape, shape.layer_window(self.index))?);
        }
        let mixed = if mixed.len() == 1 { mixed.swap_remove(0) } else { Tensor::cat(&mixed, 0)? };
        self.output.forward(&mixed)
    }
}
