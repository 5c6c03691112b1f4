//! Operations that candle has no fused form of, each one pass over its data.

use super::architecture::Activation;
use crate::math;
use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result, bail};
use rayon::prelude::*;

/// Numbers below which splitting the work over threads costs more than it saves.
const SERIAL: usize = 16 * 1024;

/// Scales, caps, masks and softmaxes attention scores of shape (key heads, rows, keys) in place.
///
/// Row r belongs to query r mod `queries`. It sees the keys up to its own position, at most `window` of them.
pub(crate) struct CausalSoftmax {
    pub(crate) scale: f32,
    pub(crate) softcap: Option<f32>,
    /// Query tokens in the block.
    pub(crate) queries: usize,
    /// Position of the first query, counted from the first key of the scores.
    pub(crate) first: usize,
    pub(crate) window: Option<usize>,
}

impl CausalSoftmax {
    fn row(&self, index: usize, row: &mut [f32]) {
        let end = (self.first + index % self.queries + 1).min(row.len());
        let start = self.window.map_or(0, |window| end.saturating_sub(window));
        row[..start].fill(0.0);
        row[end..].fill(0.0);
        let visible = &mut row[start..end];
        match self.softcap {
            None => math::softmax(visible, self.scale),
            Some(cap) => {
                visible.iter_mut().for_each(|x| *x = math::softcap(*x * self.scale, cap));
                math::softmax(visible, 1.0);
            }
        }
    }
}

impl InplaceOp1 for CausalSoftmax {
    fn name(&self) -> &'static str {
        "causal-softmax"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(scores), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
            bail!("causal softmax needs contiguous f32 scores")
        };
        let keys = layout.dims().last().copied().unwrap_or(1);
        let scores = &mut scores[start..end];
        if scores.len() < SERIAL {
            scores.chunks_exact_mut(keys).enumerate().for_each(|(index, row)| self.row(index, row));
        } else {
            // Neighbouring queries see nearly the same number of keys; small pieces even the work out.
            let by = 16;
            scores.par_chunks_mut(keys * by).enumerate().for_each(|(chunk, rows)| {
                rows.chunks_exact_mut(keys).enumerate().for_each(|(index, row)| self.row(chunk * by + index, row));
            });
        }
        Ok(())
    }
}

/// `gate = activation(gate) · up`, in place, for two tensors of one shape.
pub(crate) struct Gate(pub(crate) Activation);

impl InplaceOp2 for Gate {
    fn name(&self) -> &'static str {
        "gate"
    }

    fn cpu_fwd(&self, gate: &mut CpuStorage, l1: &Layout, up: &CpuStorage, l2: &Layout) -> Result<()> {
        let (CpuStorage::F32(gate), CpuStorage::F32(up)) = (gate, up) else { bail!("gate needs f32") };
        let (Some((start, end)), Some((up_start, up_end))) = (l1.contiguous_offsets(), l2.contiguous_offsets()) else {
            bail!("gate needs contiguous tensors")
        };
        let (gate, up) = (&mut gate[start..end], &up[up_start..up_end]);
        if gate.len() != up.len() {
            bail!("gate and up differ in shape")
        }
        let apply = |gate: &mut [f32], up: &[f32]| match self.0 {
            Activation::Silu => gate.iter_mut().zip(up).for_each(|(g, u)| *g = math::silu(*g) * u),
            Activation::GeluTanh => gate.iter_mut().zip(up).for_each(|(g, u)| *g = math::gelu_tanh(*g) * u),
        };
        if gate.len() < SERIAL {
            apply(gate, up);
        } else {
            gate.par_chunks_mut(SERIAL).zip(up.par_chunks(SERIAL)).for_each(|(gate, up)| apply(gate, up));
        }
        Ok(())
    }
}
