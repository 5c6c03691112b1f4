//! Elementwise steps of an encoder layer, fused so that each passes over its data once.

use crate::math;
use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, InplaceOp3, Layout, Result, bail};
use rayon::prelude::*;

/// Rows that a thread takes at a time.
const ROWS: usize = 32;

fn whole<'s>(storage: &'s CpuStorage, layout: &Layout) -> Result<&'s [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("contiguous f32 is needed"),
    }
}

fn whole_mut<'s>(storage: &'s mut CpuStorage, layout: &Layout) -> Result<&'s mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => bail!("contiguous f32 is needed"),
    }
}

/// Adds a bias to each row.
pub(super) struct AddBias;

impl InplaceOp2 for AddBias {
    fn name(&self) -> &'static str {
        "add-bias"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, l1: &Layout, bias: &CpuStorage, l2: &Layout) -> Result<()> {
        let (x, bias) = (whole_mut(x, l1)?, whole(bias, l2)?);
        x.par_chunks_mut(bias.len() * ROWS).for_each(|rows| {
            for row in rows.chunks_exact_mut(bias.len()) {
                row.iter_mut().zip(bias).for_each(|(x, b)| *x += b);
            }
        });
        Ok(())
    }
}

/// Adds a bias to each row, then applies GELU.
pub(super) struct AddBiasGelu;

impl InplaceOp2 for AddBiasGelu {
    fn name(&self) -> &'static str {
        "add-bias-gelu"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, l1: &Layout, bias: &CpuStorage, l2: &Layout) -> Result<()> {
        let (x, bias) = (whole_mut(x, l1)?, whole(bias, l2)?);
        x.par_chunks_mut(bias.len() * ROWS).for_each(|rows| {
            for row in rows.chunks_exact_mut(bias.len()) {
                row.iter_mut().zip(bias).for_each(|(x, b)| *x = math::gelu(*x + b));
            }
        });
        Ok(())
    }
}

/// `x = norm(x + bias + residual)`: operands are x (rows, n), the residual (rows, n), and (3, n): bias, gain, offset.
pub(super) struct AddNorm {
    pub(super) epsilon: f32,
}

impl InplaceOp3 for AddNorm {
    fn name(&self) -> &'static str {
        "add-norm"
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        l1: &Layout,
        residual: &CpuStorage,
        l2: &Layout,
        parameters: &CpuStorage,
        l3: &Layout,
    ) -> Result<()> {
        let (x, residual, parameters) = (whole_mut(x, l1)?, whole(residual, l2)?, whole(parameters, l3)?);
        let n = parameters.len() / 3;
        let (bias, gain_offset) = parameters.split_at(n);
        let (gain, offset) = gain_offset.split_at(n);
        x.par_chunks_mut(n * ROWS).zip(residual.par_chunks(n * ROWS)).for_each(|(rows, residuals)| {
            for (row, residual) in rows.chunks_exact_mut(n).zip(residuals.chunks_exact(n)) {
                row.iter_mut().zip(residual).zip(bias).for_each(|((x, r), b)| *x += r + b);
                normalise(row, gain, offset, self.epsilon);
            }
        });
        Ok(())
    }
}

/// Layer norm (Ba et al. 2016) of one row.
pub(super) fn normalise(row: &mut [f32], gain: &[f32], offset: &[f32], epsilon: f32) {
    let n = row.len() as f32;
    let mean = math::sum(row) / n;
    row.iter_mut().for_each(|x| *x -= mean);
    let inverse = 1.0 / (math::dot(row, row) / n + epsilon).sqrt();
    row.iter_mut().zip(gain).zip(offset).for_each(|((x, g), o)| *x = *x * inverse * g + o);
}

/// Softmax of each row of scaled scores.
pub(super) struct Softmax {
    pub(super) scale: f32,
}

impl InplaceOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, scores: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let keys = layout.dims().last().copied().unwrap_or(1);
        let scores = whole_mut(scores, layout)?;
        scores.par_chunks_mut(keys * ROWS).for_each(|rows| {
            rows.chunks_exact_mut(keys).for_each(|row| math::softmax(row, self.scale));
        });
        Ok(())
    }
}
