//! The gated feed-forward part of a layer: one for every token, or experts of which each token takes a few.

use super::Place;
use super::weight::{Weight, split};
use crate::ModelError;
use crate::decoder::architecture::Activation;
use crate::decoder::routes::Routes;
use crate::decoder::shape::{ExpertShape, Shape};
use crate::gguf::GgufFile;
use candle_core::{Result, Tensor};
use candle_nn::ops::silu;

pub(super) enum FeedForward {
    One(Gated),
    Experts { router: Weight, experts: Vec<Gated> },
}

/// Gate and up, or one matrix of both, and down.
pub(super) struct Gated {
    gate_up: Vec<Weight>,
    down: Weight,
}

impl FeedForward {
    /// Reads that of layer `index`.
    pub(super) fn read(
        gguf: &mut GgufFile,
        shape: &Shape,
        index: usize,
        place: &Place,
    ) -> std::result::Result<Self, ModelError> {
        let name = |part: &str| format!("blk.{index}.{part}.weight");
        let (hidden, inner) = (shape.hidden, shape.feed_forward);
        if let Some(ExpertShape { count, feed_forward: inner, .. }) = shape.experts {
            let router = Weight::read(gguf, &name("ffn_gate_inp"), [count, hidden], place)?;
            let mut all = |part: &str, outputs: usize, inputs: usize| -> std::result::Result<Vec<Weight>, ModelError> {
                if gguf.dimensions(&name(&format!("{part}.0"))).is_some() {
                    let each = |index| Weight::read(gguf, &name(&format!("{part}.{index}")), [outputs, inputs], place);
                    return (0..count).map(each).collect();
                }
                Weight::read_several(gguf, &name(&format!("{part}_exps")), [count, outputs, inputs], place)
            };
            let (gates, ups) = (all("ffn_gate", inner, hidden)?, all("ffn_up", inner, hidden)?);
            let downs = all("ffn_down", hidden, inner)?;
            let gated = |((gate, up), down)| Gated { gate_up: vec![gate, up], down };
            return Ok(Self::Experts { router, experts: gates.into_iter().zip(ups).zip(downs).map(gated).collect() });
        }
        let mut weight = |part: &str, outputs, inputs| Weight::read(gguf, &name(part), [outputs, inputs], place);
        let gate_up = if shape.architecture.fused {
            vec![weight("ffn_up", 2 * inner, hidden)?]
        } else {
            vec![weight("ffn_gate", inner, hidden)?, weight("ffn_up", inner, hidden)?]
        };
        Ok(Self::One(Gated { gate_up, down: weight("ffn_down", hidden, inner)? }))
    }

    /// What it makes of `x`, shape (tokens, hidden). Experts are picked on the processor, which waits for the GPU to
    /// know which.
    pub(super) fn forward(&self, x: &Tensor, shape: &Shape) -> Result<Tensor> {
        match self {
            Self::One(gated) => gated.forward(x, shape.feed_forward, shape),
            Self::Experts { router, experts } => {
                let Some(ExpertShape { used, feed_forward, .. }) = shape.experts else {
                    candle_core::bail!("experts without a shape")
                };
                let mut routes = Routes::default();
                routes.set(&router.forward(x)?.flatten_all()?.to_vec1::<f32>()?, experts.len(), used);
                let mut sum = x.zeros_like()?;
                for (expert, span) in &routes.spans {
                    let rows: Vec<u32> = routes.rows[span.clone()].iter().map(|row| *row as u32).collect();
                    let rows = Tensor::new(rows, x.device())?;
                    let weights = Tensor::new(&routes.weights[span.clone()], x.device())?.unsqueeze(1)?;
                    let given = experts[*expert].forward(&x.index_select(&rows, 0)?, feed_forward, shape)?;
                    sum = sum.index_add(&rows, &given.broadcast_mul(&weights)?, 0)?;
                }
                Ok(sum)
            }
        }
    }
}

impl Gated {
    fn forward(&self, x: &Tensor, inner: usize, shape: &Shape) -> Result<Tensor> {
        let [gate, up] = split(&self.gate_up, x, [inner; 2])?;
        let gate = match shape.architecture.activation {
            Activation::Silu => silu(&gate)?,
            Activation::GeluTanh => gate.gelu()?,
        };
        self.down.forward(&(gate * up)?)
    }
}
