//! The decoder on this machine's processor: our kernels, packed weights, keys and values in blocks.

mod experts;
mod feed_forward;
mod layer;
mod rope;
mod weight;

use super::model::{BlockId, Chunk, Computed, DecoderModel, SavedKv, tapped_layer};
use super::shape::Shape;
use crate::gguf::GgufFile;
use crate::kernels::{BLOCK_TOKENS, rms_norm};
use crate::{ModelError, math};
use layer::{Layer, Workspace};
use rope::Rope;
use std::ops::Range;
use std::sync::Arc;
use weight::{Input, Weight};

/// A model's weights in memory, and the keys and values of the sequences that run.
pub(crate) struct Decoder {
    shape: Shape,
    embeddings: Weight,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    /// `None`: the embeddings serve as the head.
    head: Option<Weight>,
    work: Workspace,
    input: Input,
    x: Vec<f32>,
    blocks: usize,
}

impl Decoder {
    /// Reads and packs all weights. `context` caps the tokens of a sequence.
    pub(crate) fn read(gguf: &mut GgufFile, context: usize) -> Result<Self, ModelError> {
        let shape = Shape::read(gguf, context)?;
        // The largest tensors first, while the rest is not in memory yet.
        let mut bytes = Vec::new();
        let (vocabulary, hidden) = (shape.vocabulary, shape.hidden);
        let head = match gguf.dimensions("output.weight") {
            Some(_) => Some(Weight::read(gguf, "output.weight", vocabulary, hidden, &mut bytes)?),
            None => None,
        };
        let embeddings = Weight::read(gguf, "token_embd.weight", vocabulary, hidden, &mut bytes)?;
        bytes = Vec::new();
        let norm = gguf.vector("output_norm.weight", shape.hidden)?;
        // Layers share their tables: there are at most two kinds.
        let mut ropes: Vec<((f32, bool), Arc<Rope>)> = Vec::new();
        let mut layers = Vec::with_capacity(shape.layers);
        for index in 0..shape.layers {
            let kind = shape.layer_rope(index);
            let rope = match ropes.iter().find(|(known, _)| *known == kind) {
                Some((_, rope)) => Arc::clone(rope),
                None => {
                    let rope = Arc::new(Rope::new(&shape, kind.0, kind.1));
                    ropes.push((kind, Arc::clone(&rope)));
                    rope
                }
            };
            layers.push(Layer::read(gguf, &shape, index, rope, &mut bytes)?);
        }
        Ok(Self {
            shape,
            embeddings,
            layers,
            norm,
            head,
            work: Workspace::default(),
            input: Input::default(),
            x: Vec::new(),
            blocks: 0,
        })
    }

    #[cfg(test)]
    pub(crate) fn set_architecture(&mut self, architecture: &'static super::architecture::Architecture) {
        self.shape.architecture = architecture;
    }

    /// What a caller's mistake would turn into reads outside of the tables.
    fn check(&self, chunks: &[Chunk<'_>]) -> Result<(), ModelError> {
        let wrong = |reason: String| Err(ModelError::Compute { reason });
        for chunk in chunks {
            let end = chunk.position + chunk.tokens.len();
            if end > self.shape.context || chunk.blocks.len() * BLOCK_TOKENS < end {
                return wrong(format!("{end} tokens in a context of {}", self.shape.context));
            }
            if let Some(token) = chunk.tokens.iter().find(|token| **token as usize >= self.shape.vocabulary) {
                return wrong(format!("token {token} is not in the model's vocabulary"));
            }
            if let Some(block) = chunk.blocks.iter().find(|block| **block as usize >= self.blocks) {
                return wrong(format!("block {block} of {}", self.blocks));
            }
        }
        Ok(())
    }
}

impl DecoderModel for Decoder {
    fn vocabulary(&self) -> usize {
        self.shape.vocabulary
    }

    fn hidden(&self) -> usize {
        self.shape.hidden
    }

    fn context(&self) -> usize {
        self.shape.context
    }

    fn block_tokens(&self) -> usize {
        BLOCK_TOKENS
    }

    fn block_bytes(&self) -> usize {
        self.layers.iter().map(|layer| layer.kv().block_bytes()).sum()
    }

    fn allocate(&mut self, blocks: usize) -> Result<(), ModelError> {
        self.layers.iter_mut().for_each(|layer| layer.kv_mut().allocate(blocks));
        self.blocks = blocks;
        Ok(())
    }

    fn save(&self, blocks: &[BlockId], places: Range<usize>) -> Option<SavedKv> {
        if !self.layers.iter().all(Layer::can_move) {
            return None;
        }
        let mut numbers = Vec::new();
        self.layers.iter().for_each(|layer| layer.save(blocks, places.clone(), &mut numbers));
        Some(SavedKv { position: places.start, tokens: places.len(), numbers })
    }

    fn restore(&mut self, saved: &SavedKv, skip: usize, blocks: &[BlockId], position: usize) -> bool {
        let by = position as isize - (saved.position + skip) as isize;
        let per_layer = saved.numbers.len() / self.layers.len();
        let per_token = per_layer / saved.tokens;
        for (layer, numbers) in self.layers.iter_mut().zip(saved.numbers.chunks_exact(per_layer)) {
            layer.restore(&numbers[skip * per_token..], blocks, position, by);
        }
        true
    }

    fn copy(&mut self, from: BlockId, to: BlockId) -> Result<bool, ModelError> {
        self.layers.iter_mut().for_each(|layer| layer.kv_mut().copy(from, to));
        Ok(true)
    }

    fn step(
        &mut self,
        chunks: &[Chunk<'_>],
        computed: &mut Computed,
        proceed: &mut dyn FnMut() -> bool,
    ) -> Result<bool, ModelError> {
        self.check(chunks)?;
        let hidden = self.shape.hidden;
        let tokens: Vec<u32> = chunks.iter().flat_map(|chunk| chunk.tokens).copied().collect();
        self.x.resize(tokens.len() * hidden, 0.0);
        for (x, &token) in self.x.chunks_exact_mut(hidden).zip(&tokens) {
            self.embeddings.row(token as usize, x);
            if self.shape.architecture.embedding_scale {
                let scale = (hidden as f32).sqrt();
                x.iter_mut().for_each(|x| *x *= scale);
            }
        }
        let tapped = tapped_layer(self.layers.len());
        for (index, layer) in self.layers.iter_mut().enumerate() {
            if !proceed() {
                return Ok(false);
            }
            layer.forward(&mut self.x, chunks, &self.shape, &mut self.work);
            if index + 1 == tapped {
                let mut end = 0;
                for chunk in chunks {
                    end += chunk.tokens.len();
                    let wanted = end - chunk.states.min(chunk.tokens.len())..end;
                    computed.states.extend_from_slice(&self.x[wanted.start * hidden..wanted.end * hidden]);
                }
            }
        }
        let mut wanted = Vec::new();
        let mut end = 0;
        for chunk in chunks {
            end += chunk.tokens.len();
            wanted.extend(end - chunk.logits.min(chunk.tokens.len())..end);
        }
        if wanted.is_empty() {
            return Ok(true);
        }
        let head = self.head.as_ref().unwrap_or(&self.embeddings);
        let (x, norm, epsilon) = (&self.x, &self.norm, self.shape.norm_epsilon);
        self.input.set(wanted.len(), hidden, &[head], &|row, out| {
            rms_norm(&x[wanted[row] * hidden..(wanted[row] + 1) * hidden], norm, epsilon, out);
        });
        let mut rows = Vec::new();
        self.input.multiply(&mut [(head, &mut rows)]);
        if let Some(cap) = self.shape.logit_softcap {
            rows.iter_mut().for_each(|logit| *logit = math::softcap(*logit, cap));
        }
        if computed.logits.is_empty() {
            computed.logits = rows;
        } else {
            computed.logits.extend(rows);
        }
        Ok(true)
    }
}
