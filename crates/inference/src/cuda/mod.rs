//! The decoder on NVIDIA GPUs, by candle's tensors: several sequences a step, over keys and values in blocks.
//!
//! Nothing here is bound to a GPU but [`CudaDecoder::load`]: the arithmetic is tested on the CPU, against the decoder
//! that runs there. Activations are in f32; keys, values and unquantised weights in the place's compact format.
//! Unlike on the CPU a sequence's logits may differ in their last bits with what else is in a step: the libraries'
//! kernels depend on the number of rows.

mod attention;
mod feed_forward;
mod layer;
mod memory;
mod plan;
mod rope;
mod weight;

use crate::decoder::model::{BlockId, Chunk, Computed, DecoderModel, tapped_layer};
use crate::decoder::shape::Shape;
use crate::gguf::GgufFile;
use crate::{ModelError, math};
use candle_core::quantized::QTensor;
use candle_core::{DType, Device, Tensor};
use candle_nn::ops::rms_norm;
use layer::Layer;
use memory::Memory;
use plan::Plan;
use rope::Rope;
use std::sync::Arc;
use weight::Weight;

/// Tokens of a block: few enough that short sequences waste little.
const BLOCK_TOKENS: usize = 32;

/// Where and in what format a model is computed.
#[derive(Debug, Clone)]
struct Place {
    device: Device,
    /// Of keys, values and weights that the file has unquantised.
    compact: DType,
}

/// A model's weights, and its keys and values, on a device.
pub(crate) struct CudaDecoder {
    shape: Shape,
    place: Place,
    embeddings: Arc<QTensor>,
    layers: Vec<Layer>,
    rope: Rope,
    norm: Tensor,
    head: Weight,
    memory: Memory,
}

impl CudaDecoder {
    /// Reads all weights onto the first GPU. `context` caps the tokens of a sequence.
    #[cfg(feature = "cuda")]
    pub(crate) fn load(gguf: &mut GgufFile, context: usize) -> Result<Self, ModelError> {
        let absent = |error: candle_core::Error| ModelError::NoGpu { reason: error.to_string() };
        let device = Device::new_cuda(0).map_err(absent)?;
        Self::read(gguf, context, Place { device, compact: DType::BF16 })
    }

    fn read(gguf: &mut GgufFile, context: usize, place: Place) -> Result<Self, ModelError> {
        let shape = Shape::read(gguf, context)?;
        let (vocabulary, hidden) = (shape.vocabulary, shape.hidden);
        let embeddings = Arc::new(gguf.tensor_on("token_embd.weight", &[vocabulary, hidden], &place.device)?);
        let head = match gguf.dimensions("output.weight") {
            Some(_) => Weight::read(gguf, "output.weight", [vocabulary, hidden], &place)?,
            None => Weight::new(Arc::clone(&embeddings), &place)?,
        };
        let norm = gguf.dense("output_norm.weight", &[hidden])?.to_device(&place.device)?;
        let rope = Rope::new(&shape, &place.device)?;
        let layers =
            (0..shape.layers).map(|index| Layer::read(gguf, &shape, index, &place)).collect::<Result<_, _>>()?;
        let memory = Memory::new(&shape, &place);
        Ok(Self { shape, place, embeddings, layers, rope, norm, head, memory })
    }

    /// The hidden states behind the last layer, of shape (tokens of the plan, hidden), and those of the tapped layer for the
    /// tokens whose states are wanted; `None` when stopped.
    fn states(&self, plan: &Plan, proceed: &mut dyn FnMut() -> bool) -> Result<Option<(Tensor, Vec<f32>)>, ModelError> {
        let angles = self.rope.at(&plan.positions)?;
        let mut x = self.embeddings.embedding(&plan.tokens)?;
        if self.shape.architecture.embedding_scale {
            x = (x * (self.shape.hidden as f64).sqrt())?;
        }
        let (tapped, mut states) = (tapped_layer(self.layers.len()), Vec::new());
        for (index, layer) in self.layers.iter().enumerate() {
            // A GPU works behind the thread that asks it to: what was asked for before still runs.
            if !proceed() {
                return Ok(None);
            }
            x = layer.forward(&x, &self.shape, plan, &angles, &self.memory)?;
            if let Some(rows) = plan.states.as_ref().filter(|_| index + 1 == tapped) {
                states = x.index_select(rows, 0)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            }
        }
        Ok(Some((x, states)))
    }
}

impl DecoderModel for CudaDecoder {
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
        self.memory.block_bytes()
    }

    /// Takes all of the memory at once: a GPU has no pages that are filled on first use.
    fn allocate(&mut self, blocks: usize) -> Result<(), ModelError> {
        Ok(self.memory.allocate(blocks)?)
    }

    fn step(
        &mut self,
        chunks: &[Chunk<'_>],
        computed: &mut Computed,
        proceed: &mut dyn FnMut() -> bool,
    ) -> Result<bool, ModelError> {
        if chunks.is_empty() {
            return Ok(true);
        }
        let plan = Plan::new(chunks, &self.shape, &self.memory, &self.place.device)?;
        let Some((states, tapped)) = self.states(&plan, proceed)? else { return Ok(false) };
        computed.states.extend(tapped);
        let Some(wanted) = &plan.wanted else { return Ok(true) };
        let rows = rms_norm(&states.index_select(wanted, 0)?, &self.norm, self.shape.norm_epsilon)?;
        let logits = &mut computed.logits;
        let start = logits.len();
        logits.extend(self.head.forward(&rows)?.flatten_all()?.to_vec1::<f32>()?);
        if let Some(cap) = self.shape.logit_softcap {
            logits.iter_mut().skip(start).for_each(|logit| *logit = math::softcap(*logit, cap));
        }
        Ok(true)
    }

    fn copy(&mut self, from: BlockId, to: BlockId) -> Result<bool, ModelError> {
        self.memory.copy(from, to)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
