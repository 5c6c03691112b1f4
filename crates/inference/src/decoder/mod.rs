//! The decoder: tokens in, logits out, over the keys and values of one sequence.

pub(crate) mod architecture;
mod cache;
mod layer;
#[cfg(any(test, feature = "cuda"))]
#[cfg_attr(not(test), allow(dead_code))]
pub(crate) mod model;
mod operations;
mod rope;
pub(crate) mod shape;
mod weight;

pub(crate) use cache::KvCache;
pub(crate) use shape::family;

use crate::gguf::GgufFile;
use crate::{ModelError, math};
use candle_core::quantized::QTensor;
use candle_core::{Device, Tensor};
use candle_nn::ops::rms_norm;
use layer::Layer;
use rope::Rope;
use shape::Shape;
use std::sync::Arc;
use weight::Weight;

/// A model's weights in memory.
pub(crate) struct Decoder {
    shape: Shape,
    embeddings: Arc<QTensor>,
    layers: Vec<Layer>,
    norm: Tensor,
    head: Weight,
}

impl Decoder {
    /// Reads all weights. `context` caps the tokens of a sequence.
    pub(crate) fn read(gguf: &mut GgufFile, context: usize) -> Result<Self, ModelError> {
        let shape = Shape::read(gguf, context)?;
        let embeddings = Arc::new(gguf.tensor("token_embd.weight", &[shape.vocabulary, shape.hidden])?);
        let head = match gguf.dimensions("output.weight") {
            Some(_) => Weight::read(gguf, "output.weight", shape.vocabulary, shape.hidden)?,
            None => Weight::new(Arc::clone(&embeddings))?,
        };
        let norm = gguf.dense("output_norm.weight", &[shape.hidden])?;
        // Layers share their tables: there are at most two kinds.
        let mut ropes: Vec<((f32, bool), Rope)> = Vec::new();
        let mut layers = Vec::with_capacity(shape.layers);
        for index in 0..shape.layers {
            let kind = shape.layer_rope(index);
            let rope = match ropes.iter().find(|(known, _)| *known == kind) {
                Some((_, rope)) => rope.clone(),
                None => {
                    let rope = Rope::new(&shape, kind.0, kind.1)?;
                    ropes.push((kind, rope.clone()));
                    rope
                }
            };
            layers.push(Layer::read(gguf, &shape, index, rope)?);
        }
        Ok(Self { shape, embeddings, layers, norm, head })
    }

    /// Tokens of prompt and answer together.
    pub(crate) fn context(&self) -> usize {
        self.shape.context
    }

    /// An empty cache for a sequence.
    pub(crate) fn cache(&self) -> KvCache {
        KvCache::new(&self.shape)
    }

    /// Runs `tokens` behind those in `cache`, layer by layer as long as `proceed` agrees; `None` when it stopped, with
    /// `cache` as it was. With `logits`, gives those of the last token; otherwise an empty vector.
    pub(crate) fn forward(
        &self,
        tokens: &[u32],
        cache: &mut KvCache,
        logits: bool,
        proceed: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Vec<f32>>, ModelError> {
        cache.reserve(tokens.len())?;
        let ids = Tensor::new(tokens, &Device::Cpu)?;
        let mut x = self.embeddings.embedding(&ids)?;
        if self.shape.architecture.embedding_scale {
            x = (x * (self.shape.hidden as f64).sqrt())?;
        }
        for layer in &self.layers {
            if !proceed() {
                return Ok(None);
            }
            x = layer.forward(&x, &self.shape, cache)?;
        }
        cache.commit(tokens);
        if !logits {
            return Ok(Some(Vec::new()));
        }
        let last = x.narrow(0, tokens.len() - 1, 1)?.contiguous()?;
        let mut logits =
            self.head.forward(&rms_norm(&last, &self.norm, self.shape.norm_epsilon)?)?.squeeze(0)?.to_vec1()?;
        if let Some(cap) = self.shape.logit_softcap {
            logits.iter_mut().for_each(|logit| *logit = math::softcap(*logit, cap));
        }
        Ok(Some(logits))
    }
}

#[cfg(test)]
pub(crate) mod tests;
