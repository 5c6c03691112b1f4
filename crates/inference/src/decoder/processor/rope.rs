//! Rotary positions (Su et al. 2021): tables for every position, and their use on queries and keys.

use crate::decoder::architecture::RopeStyle;
use crate::decoder::shape::{RopeScaling, Shape};
use crate::kernels::{rotate_halves, rotate_neighbours};

/// Cosines and sines of shape (context, rotated elements / 2).
#[derive(Debug)]
pub(crate) struct Rope {
    cos: Vec<f32>,
    sin: Vec<f32>,
    style: RopeStyle,
    rotated: usize,
}

impl Rope {
    /// Tables for `shape` with `base`; `scaled` applies the model's stretching.
    pub(super) fn new(shape: &Shape, base: f32, scaled: bool) -> Self {
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
        let table = |function: fn(f64) -> f64| -> Vec<f32> {
            (0..shape.context)
                .flat_map(|position| frequencies.iter().map(move |frequency| position as f64 * frequency))
                .map(|angle| (amplitude * function(angle)) as f32)
                .collect()
        };
        Self { cos: table(f64::cos), sin: table(f64::sin), style: shape.architecture.rope, rotated: shape.rope_dimension }
    }

    /// Rotates the heads of one token, each of `dimension` numbers, to `position`.
    pub(super) fn apply(&self, heads: &mut [f32], dimension: usize, position: usize) {
        let pairs = self.rotated / 2;
        let (cos, sin) = (&self.cos[position * pairs..][..pairs], &self.sin[position * pairs..][..pairs]);
        for head in heads.chunks_exact_mut(dimension) {
            match self.style {
                RopeStyle::Halves => rotate_halves(&mut head[..self.rotated], cos, sin),
                RopeStyle::Interleaved => rotate_neighbours(&mut head[..self.rotated], cos, sin),
            }
        }
    }
}
