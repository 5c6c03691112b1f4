//! A weight matrix on a device.

use super::Place;
use crate::ModelError;
use crate::gguf::GgufFile;
use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{DType, Module, Result, Tensor};
use std::sync::Arc;

/// A matrix of shape (outputs, inputs).
pub(super) enum Weight {
    /// As the file has it; candle has a kernel for each type.
    Quantised(QMatMul),
    /// Transposed, in the place's compact format.
    Dense(Tensor),
}

impl Weight {
    /// Reads the tensor `name` of shape (outputs, inputs).
    pub(super) fn read(
        gguf: &mut GgufFile,
        name: &str,
        dimensions: [usize; 2],
        place: &Place,
    ) -> std::result::Result<Self, ModelError> {
        Ok(Self::new(Arc::new(gguf.tensor_on(name, &dimensions, &place.device)?), place)?)
    }

    /// Wraps a tensor that others may share.
    pub(super) fn new(tensor: Arc<QTensor>, place: &Place) -> Result<Self> {
        match tensor.dtype() {
            GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16 => {
                let dense = tensor.dequantize(&place.device)?.to_dtype(place.compact)?;
                Ok(Self::Dense(dense.t()?.contiguous()?))
            }
            _ => Ok(Self::Quantised(QMatMul::from_arc(tensor)?)),
        }
    }

    /// `x · Wᵀ` for `x` of shape (rows, inputs), both in f32.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Quantised(matrix) => matrix.forward(x),
            Self::Dense(matrix) => x.to_dtype(matrix.dtype())?.matmul(matrix)?.to_dtype(DType::F32),
        }
    }
}
