//! A weight matrix in the form that its kernel wants, and activations in the form that the weight wants.

use crate::ModelError;
use crate::gguf::GgufFile;
use crate::kernels::{Activations, Element, FloatMatrix, Matrix, multiply_all};
use candle_core::Device;
use candle_core::quantized::GgmlDType;

/// A matrix of shape (outputs, inputs).
#[derive(Debug)]
pub(super) enum Weight {
    Packed(Matrix),
    Float(FloatMatrix),
}

impl Weight {
    /// Reads and packs the tensor `name`, by way of `bytes`.
    pub(super) fn read(
        gguf: &mut GgufFile,
        name: &str,
        outputs: usize,
        inputs: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<Self, ModelError> {
        let dtype = gguf.bytes(name, &[outputs, inputs], bytes)?;
        let element = match dtype {
            GgmlDType::F32 => Some(Element::F32),
            GgmlDType::F16 => Some(Element::F16),
            GgmlDType::BF16 => Some(Element::Bf16),
            _ => None,
        };
        let weight = match element {
            Some(element) => FloatMatrix::pack(element, bytes, outputs, inputs).map(Self::Float),
            None => Matrix::pack(dtype, bytes, outputs, inputs).map(Self::Packed),
        };
        if let Some(weight) = weight {
            return Ok(weight);
        }
        // The types without a packed form (Q2_K, Q3_K): in 8 bits, at an error far below that of their own rounding.
        let values: Vec<f32> =
            gguf.tensor(name, &[outputs, inputs])?.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()?;
        Matrix::quantise8(&values, outputs, inputs).map(Self::Packed).ok_or_else(|| {
            ModelError::damaged(
                gguf.path(),
                format!("tensor {name} has rows of {inputs} numbers, not a multiple of 32"),
            )
        })
    }

    fn outputs(&self) -> usize {
        match self {
            Self::Packed(matrix) => matrix.rows(),
            Self::Float(matrix) => matrix.rows(),
        }
    }

    /// Writes row `row` as f32 to `out`.
    pub(super) fn row(&self, row: usize, out: &mut [f32]) {
        match self {
            Self::Packed(matrix) => matrix.row(row, out),
            Self::Float(matrix) => matrix.row(row, out),
        }
    }
}

/// The input of products: rounded to 8 bits for packed weights, as it is for others, made only where it is wanted.
#[derive(Default)]
pub(super) struct Input {
    rounded: Activations,
    plain: Vec<f32>,
    rows: usize,
}

impl Input {
    /// Takes `rows` rows of `columns` numbers that `fill(row, buffer)` makes, for products with `weights`.
    pub(super) fn set(
        &mut self,
        rows: usize,
        columns: usize,
        weights: &[&Weight],
        fill: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) {
        self.rows = rows;
        if weights.iter().any(|weight| matches!(weight, Weight::Packed(_))) {
            self.rounded.set_with(rows, columns, fill);
        }
        if weights.iter().any(|weight| matches!(weight, Weight::Float(_))) {
            self.plain.resize(rows * columns, 0.0);
            self.plain.chunks_exact_mut(columns).enumerate().for_each(|(row, buffer)| fill(row, buffer));
        }
    }

    /// `outᵢ = input · Wᵢᵀ`, each resized to (rows, outputs).
    pub(super) fn multiply(&self, products: &mut [(&Weight, &mut Vec<f32>)]) {
        let mut packed: Vec<(&Matrix, &mut [f32])> = Vec::with_capacity(products.len());
        for (weight, out) in products {
            out.resize(self.rows * weight.outputs(), 0.0);
            match weight {
                Weight::Packed(matrix) => packed.push((matrix, out)),
                Weight::Float(matrix) => matrix.multiply(&self.plain, out),
            }
        }
        if !packed.is_empty() {
            multiply_all(&mut packed, &self.rounded);
        }
    }
}
