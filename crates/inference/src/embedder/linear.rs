//! `y = x · Wᵀ + b`, in f32 or in 8 bits.

use super::Precision;
use crate::kernels::dense::{After, Dense, DenseBytes, Lines, Rounded};

/// Weights and bias, packed for the processor.
#[derive(Debug)]
pub(crate) struct Linear {
    weights: Weights,
    /// Empty if there is none.
    bias: Vec<f32>,
}

#[derive(Debug)]
enum Weights {
    F32(Dense),
    Int8(DenseBytes),
}

/// What follows a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    None,
    Gelu,
}

impl Linear {
    /// Packs `weights` (outputs, inputs) and `bias` (outputs, or empty).
    pub(crate) fn pack(weights: &[f32], bias: Vec<f32>, inputs: usize, precision: Precision) -> Self {
        let outputs = weights.len() / inputs;
        let weights = match precision {
            Precision::F32 => Weights::F32(Dense::pack(weights, outputs, inputs)),
            Precision::Int8 => Weights::Int8(DenseBytes::pack(weights, outputs, inputs)),
        };
        Self { weights, bias }
    }

    /// The product with `x` (tokens, inputs) in `out`, which becomes (tokens, outputs). `rounded` is memory that may
    /// be used.
    pub(crate) fn run(&self, x: &[f32], rounded: &mut Rounded, out: &mut Lines, activation: Activation) {
        let after = match activation {
            Activation::Gelu => After::BiasGelu(&self.bias),
            Activation::None if self.bias.is_empty() => After::Nothing,
            Activation::None => After::Bias(&self.bias),
        };
        match &self.weights {
            Weights::F32(weights) => {
                weights.multiply(x, out.resize(x.len() / weights.columns() * weights.rows()), after);
            }
            Weights::Int8(weights) => {
                rounded.set(x, weights.columns());
                weights.multiply(rounded, out.resize(x.len() / weights.columns() * weights.rows()), after);
            }
        }
    }
}
