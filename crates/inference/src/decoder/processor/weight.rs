//! A weight matrix in the form that its kernel wants, and activations in the form that the weight wants.

use crate::ModelError;
use crate::gguf::GgufFile;
use crate::kernels::{Activations, Element, FloatMatrix, Matrix, Product, multiply_all};
use candle_core::Device;
use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use std::ops::Range;

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
        Self::pack(gguf, name, dtype, bytes, outputs, inputs)
    }

    /// As [`Self::read`], for a tensor of several matrices, shape (count, outputs, inputs).
    pub(super) fn read_several(
        gguf: &mut GgufFile,
        name: &str,
        [count, outputs, inputs]: [usize; 3],
        bytes: &mut Vec<u8>,
    ) -> Result<Vec<Self>, ModelError> {
        let dtype = gguf.bytes(name, &[count, outputs, inputs], bytes)?;
        gguf.require_whole_rows(name, dtype, inputs)?;
        let each = bytes.len() / count;
        bytes.chunks_exact(each).map(|bytes| Self::pack(gguf, name, dtype, bytes, outputs, inputs)).collect()
    }

    fn pack(
        gguf: &GgufFile,
        name: &str,
        dtype: GgmlDType,
        bytes: &[u8],
        outputs: usize,
        inputs: usize,
    ) -> Result<Self, ModelError> {
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
        gguf.require_whole_rows(name, dtype, inputs)?;
        // The types without a packed form (Q2_K, Q3_K): in 8 bits, at an error far below that of their own rounding.
        let tensor = QTensor::new(QStorage::from_data(bytes.into(), &Device::Cpu, dtype)?, (outputs, inputs))?;
        let values: Vec<f32> = tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()?;
        Matrix::quantise8(&values, outputs, inputs).map(Self::Packed).ok_or_else(|| {
            let reason = format!("tensor {name} has rows of {inputs} numbers, not a multiple of 32");
            ModelError::damaged(gguf.path(), reason)
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

    /// Takes these rows of `other`, in this order, for products with `weights`; a row may come several times.
    pub(super) fn gather(&mut self, other: &Self, rows: &[usize], weights: &[&Weight]) {
        self.rows = rows.len();
        if weights.iter().any(|weight| matches!(weight, Weight::Packed(_))) {
            self.rounded.gather(&other.rounded, rows);
        }
        self.plain.clear();
        if let Some(Weight::Float(matrix)) = weights.iter().find(|weight| matches!(weight, Weight::Float(_))) {
            let columns = matrix.columns();
            rows.iter().for_each(|row| self.plain.extend_from_slice(&other.plain[row * columns..(row + 1) * columns]));
        }
    }

    /// `outᵢ = input · Wᵢᵀ`, each resized to (rows, outputs).
    pub(super) fn multiply(&self, products: &mut [(&Weight, &mut Vec<f32>)]) {
        let products = products.iter_mut().map(|(weight, out)| {
            out.resize(self.rows * weight.outputs(), 0.0);
            (*weight, 0..self.rows, &mut out[..])
        });
        self.multiply_rows(products);
    }

    /// `outᵢ = input[rowsᵢ] · Wᵢᵀ`, each of shape (rows, outputs).
    pub(super) fn multiply_rows<'a>(&self, products: impl Iterator<Item = (&'a Weight, Range<usize>, &'a mut [f32])>) {
        let mut packed = Vec::new();
        for (weight, rows, out) in products {
            match weight {
                Weight::Packed(matrix) => packed.push(Product { matrix, rows, out }),
                Weight::Float(matrix) => {
                    let columns = matrix.columns();
                    matrix.multiply(&self.plain[rows.start * columns..rows.end * columns], out);
                }
            }
        }
        if !packed.is_empty() {
            multiply_all(&mut packed, &self.rounded);
        }
    }
}
