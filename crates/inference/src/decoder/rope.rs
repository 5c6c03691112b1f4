//! Rotary positions (Su et al. 2021): tables for every position, and their use on queries and keys.

use super::architecture::RopeStyle;
use super::shape::{RopeScaling, Shape};
use candle_core::{D, Device, Result, Tensor};

/// Cosines and sines of shape (context, rotated elements / 2).
#[derive(Debug, Clone)]
pub(crate) struct Rope {
    cos: Tensor,
    sin: Tensor,
    style: RopeStyle,
    rotated: usize,
}

impl Rope {
    /// Tables for `shape` with `base`; `scaled` applies the model's stretching.
    pub(crate) fn new(shape: &Shape, base: f32, scaled: bool) -> Result<Self> {
        let pairs = shape.rope_dimension / 2;
        let exponent = |pair: usize| -2.0 * pair as f64 / shape.rope_dimension as f64;
        let mut frequencies: Vec<f64> = (0..pairs).map(|pair| f64::from(base).powf(exponent(pair))).collect();
        let mut amplitude = 1.0;
        match &shape.rope_scaling {
            RopeScaling::Linear(factor) if scaled => {
                frequencies.iter_mut().for_each(|frequency| *frequency /= f64::from(*factor));
            }
            RopeScaling::PerFrequency { factors, attention } if scaled => {
                frequencies.iter_mut().zip(factors).for_each(|(frequency, factor)| *frequency /= f64::from(*factor));
                amplitude = f64::from(*attention);
            }
            _ => {}
        }
        let table = |function: fn(f64) -> f64| {
            let values: Vec<f32> = (0..shape.context)
                .flat_map(|position| {
                    frequencies.iter().map(move |frequency| (amplitude * function(position as f64 * frequency)) as f32)
                })
                .collect();
            Tensor::from_vec(values, (shape.context, pairs), &Device::Cpu)
        };
        let (cos, sin) = (table(f64::cos)?, table(f64::sin)?);
        Ok(Self { cos, sin, style: shape.architecture.rope, rotated: shape.rope_dimension })
    }

    /// Rotates `x` of shape (heads, tokens, head dimension), whose first token stands at `position`.
    pub(crate) fn apply(&self, x: &Tensor, position: usize) -> Result<Tensor> {
        let (_, tokens, dimension) = x.dims3()?;
        let (cos, sin) = (self.cos.narrow(0, position, tokens)?, self.sin.narrow(0, position, tokens)?);
        let rotate = |x: &Tensor| {
            let x = x.unsqueeze(0)?.contiguous()?;
            let rotated = match self.style {
                RopeStyle::Interleaved => candle_nn::rotary_emb::rope_i(&x, &cos, &sin)?,
                RopeStyle::Halves => candle_nn::rotary_emb::rope(&x, &cos, &sin)?,
            };
            rotated.squeeze(0)
        };
        if self.rotated == dimension {
            return rotate(x);
        }
        let rest = x.narrow(D::Minus1, self.rotated, dimension - self.rotated)?;
        Tensor::cat(&[rotate(&x.narrow(D::Minus1, 0, self.rotated)?)?, rest], D::Minus1)
    }
}
