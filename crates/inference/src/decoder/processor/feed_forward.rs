//! The gated feed-forward part of a layer: one for every token, or experts of which each token takes a few.

use super::experts::Experts;
use super::layer::Workspace;
use super::weight::Weight;
use crate::ModelError;
use crate::decoder::architecture::Activation;
use crate::decoder::shape::Shape;
use crate::gguf::GgufFile;
use crate::kernels::{gelu_gate, silu_gate};

pub(super) enum FeedForward {
    Separate {
        gate: Weight,
        up: Weight,
        down: Weight,
    },
    /// Gate and up are one matrix.
    Fused {
        gate_up: Weight,
        down: Weight,
    },
    Experts(Experts),
}

impl FeedForward {
    /// Reads that of layer `index`.
    pub(super) fn read(
        gguf: &mut GgufFile,
        shape: &Shape,
        index: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<Self, ModelError> {
        if let Some(experts) = &shape.experts {
            return Experts::read(gguf, shape, experts, index, bytes).map(Self::Experts);
        }
        let (hidden, inner) = (shape.hidden, shape.feed_forward);
        let mut weight = |part: &str, outputs, inputs| {
            Weight::read(gguf, &format!("blk.{index}.{part}.weight"), outputs, inputs, bytes)
        };
        if shape.architecture.fused {
            let gate_up = weight("ffn_up", 2 * inner, hidden)?;
            return Ok(Self::Fused { gate_up, down: weight("ffn_down", hidden, inner)? });
        }
        let gate = weight("ffn_gate", inner, hidden)?;
        let up = weight("ffn_up", inner, hidden)?;
        Ok(Self::Separate { gate, up, down: weight("ffn_down", hidden, inner)? })
    }

    /// What it makes of `rows` rows that `fill(row, buffer)` gives, into `work.out`, shape (rows, hidden).
    pub(super) fn forward(
        &self,
        rows: usize,
        fill: &(dyn Fn(usize, &mut [f32]) + Sync),
        shape: &Shape,
        work: &mut Workspace,
    ) {
        let (hidden, inner, activation) = (shape.hidden, shape.feed_forward, shape.architecture.activation);
        match self {
            Self::Separate { gate, up, down } => {
                work.input.set(rows, hidden, &[gate, up], fill);
                work.input.multiply(&mut [(gate, &mut work.gate), (up, &mut work.up)]);
                let (gate, up) = (&work.gate, &work.up);
                work.input.set(rows, inner, &[down], &|row, out| {
                    let part = row * inner..(row + 1) * inner;
                    gated(activation, &gate[part.clone()], &up[part], out);
                });
                work.input.multiply(&mut [(down, &mut work.out)]);
            }
            Self::Fused { gate_up, down } => {
                work.input.set(rows, hidden, &[gate_up], fill);
                work.input.multiply(&mut [(gate_up, &mut work.gate)]);
                let both = &work.gate;
                work.input.set(rows, inner, &[down], &|row, out| {
                    let (gate, up) = both[2 * row * inner..2 * (row + 1) * inner].split_at(inner);
                    gated(activation, gate, up, out);
                });
                work.input.multiply(&mut [(down, &mut work.out)]);
            }
            Self::Experts(experts) => experts.forward(rows, fill, shape, work),
        }
    }
}

/// `out = activation(gate) · up`.
pub(super) fn gated(activation: Activation, gate: &[f32], up: &[f32], out: &mut [f32]) {
    match activation {
        Activation::Silu => silu_gate(gate, up, out),
        Activation::GeluTanh => gelu_gate(gate, up, out),
    }
}
