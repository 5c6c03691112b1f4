//! One layer: attention and the gated feed-forward part.

use super::experts;
use super::feed_forward::FeedForward;
use super::rope::Rope;
use super::weight::{Input, Weight};
use crate::ModelError;
use crate::decoder::model::{BlockId, Chunk};
use crate::decoder::shape::Shape;
use crate::gguf::GgufFile;
use crate::kernels::{BLOCK_TOKENS, KvLayer, Scores, Span, add, attend, for_rows, rms_norm};
use half::f16;
use std::ops::Range;
use std::sync::Arc;

enum QueryKeyValue {
    Separate { query: Weight, key: Weight, value: Weight },
    Fused(Weight),
}

/// The weights of a layer and what it takes to run it.
pub(super) struct Layer {
    attention_norm: Vec<f32>,
    attention: QueryKeyValue,
    biases: Option<[Vec<f32>; 3]>,
    query_key_norms: Option<[Vec<f32>; 2]>,
    output: Weight,
    post_attention_norm: Option<Vec<f32>>,
    feed_forward_norm: Vec<f32>,
    feed_forward: FeedForward,
    post_feed_forward_norm: Option<Vec<f32>>,
    rope: Arc<Rope>,
    scores: Scores,
    kv: KvLayer,
}

/// Buffers that all layers share.
#[derive(Default)]
pub(super) struct Workspace {
    pub(super) input: Input,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    mixed: Vec<f32>,
    pub(super) gate: Vec<f32>,
    pub(super) up: Vec<f32>,
    pub(super) out: Vec<f32>,
    pub(super) experts: experts::Buffers,
}

impl Layer {
    /// Reads layer `index`.
    pub(super) fn read(
        gguf: &mut GgufFile,
        shape: &Shape,
        index: usize,
        rope: Arc<Rope>,
        bytes: &mut Vec<u8>,
    ) -> Result<Self, ModelError> {
        let family = shape.architecture;
        let name = |part: &str| format!("blk.{index}.{part}");
        let hidden = shape.hidden;
        let queries = shape.heads * shape.head_dimension;
        let keys = shape.kv_heads * shape.head_dimension;
        let weight = |gguf: &mut GgufFile, bytes: &mut Vec<u8>, part: &str, outputs, inputs| {
            Weight::read(gguf, &name(part), outputs, inputs, bytes)
        };
        let attention = if family.fused {
            QueryKeyValue::Fused(weight(gguf, bytes, "attn_qkv.weight", queries + 2 * keys, hidden)?)
        } else {
            QueryKeyValue::Separate {
                query: weight(gguf, bytes, "attn_q.weight", queries, hidden)?,
                key: weight(gguf, bytes, "attn_k.weight", keys, hidden)?,
                value: weight(gguf, bytes, "attn_v.weight", keys, hidden)?,
            }
        };
        let biases = match family.attention_bias {
            true => Some([
                gguf.vector(&name("attn_q.bias"), queries)?,
                gguf.vector(&name("attn_k.bias"), keys)?,
                gguf.vector(&name("attn_v.bias"), keys)?,
            ]),
            false => None,
        };
        let query_key_norms = match family.qk_norm {
            true => Some([
                gguf.vector(&name("attn_q_norm.weight"), shape.head_dimension)?,
                gguf.vector(&name("attn_k_norm.weight"), shape.head_dimension)?,
            ]),
            false => None,
        };
        let mut post_norm = |part: &str| match family.post_norms {
            true => gguf.vector(&name(part), hidden).map(Some),
            false => Ok(None),
        };
        let post_attention_norm = post_norm("post_attention_norm.weight")?;
        let post_feed_forward_norm = post_norm("post_ffw_norm.weight")?;
        let scores = Scores {
            scale: shape.attention_scale,
            softcap: shape.attention_softcap,
            window: shape.layer_window(index),
        };
        Ok(Self {
            attention_norm: gguf.vector(&name("attn_norm.weight"), hidden)?,
            attention,
            biases,
            query_key_norms,
            output: weight(gguf, bytes, "attn_output.weight", hidden, queries)?,
            post_attention_norm,
            feed_forward_norm: gguf.vector(&name("ffn_norm.weight"), hidden)?,
            feed_forward: FeedForward::read(gguf, shape, index, bytes)?,
            post_feed_forward_norm,
            rope,
            scores,
            kv: KvLayer::new(shape.kv_heads, shape.head_dimension),
        })
    }

    pub(super) fn kv(&self) -> &KvLayer {
        &self.kv
    }

    pub(super) fn kv_mut(&mut self) -> &mut KvLayer {
        &mut self.kv
    }

    /// Whether keys can be moved to other places.
    pub(super) fn can_move(&self) -> bool {
        self.rope.can_move()
    }

    /// Appends the keys and values at `places` to `out`, f16.
    pub(super) fn save(&self, blocks: &[BlockId], places: Range<usize>, out: &mut Vec<u16>) {
        let width = self.kv.heads() * self.kv.dimension();
        let mut both = vec![0f32; 2 * width];
        for place in places {
            let (keys, values) = both.split_at_mut(width);
            self.kv.read(blocks[place / BLOCK_TOKENS], place % BLOCK_TOKENS, keys, values);
            out.extend(both.iter().map(|x| f16::from_f32(*x).to_bits()));
        }
    }

    /// Puts what was saved at `position` on, keys rotated by `by` positions.
    pub(super) fn restore(&mut self, numbers: &[u16], blocks: &[BlockId], position: usize, by: isize) {
        let width = self.kv.heads() * self.kv.dimension();
        for (place, numbers) in (position..).zip(numbers.chunks_exact(2 * width)) {
            let mut both: Vec<f32> = numbers.iter().map(|bits| f16::from_bits(*bits).to_f32()).collect();
            let (keys, values) = both.split_at_mut(width);
            self.rope.shift(keys, self.kv.dimension(), by);
            self.kv.write(blocks[place / BLOCK_TOKENS], place % BLOCK_TOKENS, keys, values);
        }
    }

    /// Runs the layer on `x` (tokens, hidden), the chunks' tokens one behind the other, in place.
    pub(super) fn forward(&mut self, x: &mut [f32], chunks: &[Chunk<'_>], shape: &Shape, work: &mut Workspace) {
        self.attend(x, chunks, shape, work);
        add_normed(x, &mut work.out, self.post_attention_norm.as_deref(), shape);
        let (normed, hidden) = (&*x, shape.hidden);
        let fill = |row: usize, out: &mut [f32]| {
            let row = &normed[row * hidden..(row + 1) * hidden];
            rms_norm(row, &self.feed_forward_norm, shape.norm_epsilon, out);
        };
        self.feed_forward.forward(normed.len() / hidden, &fill, shape, work);
        add_normed(x, &mut work.out, self.post_feed_forward_norm.as_deref(), shape);
    }

    /// Attention of `x`, into `work.out`.
    fn attend(&mut self, x: &[f32], chunks: &[Chunk<'_>], shape: &Shape, work: &mut Workspace) {
        let (hidden, dimension) = (shape.hidden, shape.head_dimension);
        let rows = x.len() / hidden;
        let fill = |row: usize, out: &mut [f32]| {
            rms_norm(&x[row * hidden..(row + 1) * hidden], &self.attention_norm, shape.norm_epsilon, out);
        };
        let (queries, keys) = (shape.heads * dimension, shape.kv_heads * dimension);
        match &self.attention {
            QueryKeyValue::Separate { query, key, value } => {
                work.input.set(rows, hidden, &[query, key, value], &fill);
                let outputs = [(query, &mut work.query), (key, &mut work.key), (value, &mut work.value)];
                work.input.multiply(&mut { outputs });
            }
            QueryKeyValue::Fused(all) => {
                work.input.set(rows, hidden, &[all], &fill);
                work.input.multiply(&mut [(all, &mut work.out)]);
                let width = queries + 2 * keys;
                split(&work.out, width, 0, queries, &mut work.query);
                split(&work.out, width, queries, keys, &mut work.key);
                split(&work.out, width, queries + keys, keys, &mut work.value);
            }
        }
        self.place(chunks, shape, work);

        work.mixed.resize(rows * queries, 0.0);
        let mut row = 0;
        let spans: Vec<Span<'_>> = chunks
            .iter()
            .map(|chunk| {
                let span = Span { row, tokens: chunk.tokens.len(), position: chunk.position, blocks: chunk.blocks };
                row += span.tokens;
                span
            })
            .collect();
        attend(&spans, shape.heads, self.scores, &self.kv, &work.query, &mut work.mixed);
        let mixed = &work.mixed;
        work.input.set(rows, queries, &[&self.output], &|row, out| {
            out.copy_from_slice(&mixed[row * queries..(row + 1) * queries]);
        });
        work.input.multiply(&mut [(&self.output, &mut work.out)]);
    }

    /// Adds biases to queries, keys and values, normalises and rotates them, and puts keys and values into their blocks.
    fn place(&mut self, chunks: &[Chunk<'_>], shape: &Shape, work: &mut Workspace) {
        let dimension = shape.head_dimension;
        let (queries, keys) = (shape.heads * dimension, shape.kv_heads * dimension);
        let positions: Vec<usize> =
            chunks.iter().flat_map(|chunk| chunk.position..chunk.position + chunk.tokens.len()).collect();
        let buffers = [(&mut work.query[..], queries), (&mut work.key[..], keys), (&mut work.value[..], keys)];
        for_rows(buffers, &|row, [query, key, value]| {
            if let Some([query_bias, key_bias, value_bias]) = &self.biases {
                add(query, query_bias);
                add(key, key_bias);
                add(value, value_bias);
            }
            if let Some([query_norm, key_norm]) = &self.query_key_norms {
                for (heads, norm) in [(&mut *query, query_norm), (&mut *key, key_norm)] {
                    for head in heads.chunks_exact_mut(dimension) {
                        let normed = head.to_vec();
                        rms_norm(&normed, norm, shape.norm_epsilon, head);
                    }
                }
            }
            self.rope.apply(query, dimension, positions[row]);
            self.rope.apply(key, dimension, positions[row]);
        });
        let mut row = 0;
        for chunk in chunks {
            for position in chunk.position..chunk.position + chunk.tokens.len() {
                let part = row * keys..(row + 1) * keys;
                let block = chunk.blocks[position / BLOCK_TOKENS];
                self.kv.write(block, position % BLOCK_TOKENS, &work.key[part.clone()], &work.value[part]);
                row += 1;
            }
        }
    }
}

/// `x += part`, which is normalised first in families that do so.
fn add_normed(x: &mut [f32], part: &mut [f32], norm: Option<&[f32]>, shape: &Shape) {
    for_rows([(x, shape.hidden), (part, shape.hidden)], &|_, [x, part]| {
        if let Some(norm) = norm {
            let plain = part.to_vec();
            rms_norm(&plain, norm, shape.norm_epsilon, part);
        }
        add(x, part);
    });
}

/// Copies `length` of every row's `width` numbers, from `begin` on.
fn split(all: &[f32], width: usize, begin: usize, length: usize, out: &mut Vec<f32>) {
    out.clear();
    out.extend(all.chunks_exact(width).flat_map(|row| &row[begin..begin + length]));
}
