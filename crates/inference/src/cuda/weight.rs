//! A weight matrix on a device.

use super::Place;
use crate::ModelError;
use crate::gguf::GgufFile;
use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{D, DType, Module, Result, Tensor};
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

    /// As [`Self::read`], for a tensor of several matrices, shape (count, outputs, inputs).
    pub(super) fn read_several(
        gguf: &mut GgufFile,
        name: &str,
        [count, outputs, inputs]: [usize; 3],
        place: &Place,
    ) -> std::result::Result<Vec<Self>, ModelError> {
        let mut bytes = Vec::new();
        let dtype = gguf.bytes(name, &[count, outputs, inputs], &mut bytes)?;
        gguf.require_whole_rows(name, dtype, inputs)?;
        let one = |bytes: &[u8]| {
            let storage = QStorage::from_data(bytes.into(), &place.device, dtype)?;
            Self::new(Arc::new(QTensor::new(storage, (outputs, inputs))?), place)
        };
        Ok(bytes.chunks_exact(bytes.len() / count).map(one).collect::<Result<_>>()?)
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

/// The products of `x` with `weights`, or, of a single fused matrix, its parts of these `lengths`.
pub(super) fn split<const N: usize>(weights: &[Weight], x: &Tensor, lengths: [usize; N]) -> Result<[Tensor; N]> {
    let parts: Vec<Tensor> = match weights {
        [fused] => {
            let all = fused.forward(x)?;
            let mut start = 0;
            let part = |length| {
                let part = all.narrow(D::Minus1, start, length)?.contiguous();
                start += length;
                part
            };
            lengths.into_iter().map(part).collect::<Result<_>>()?
        }
        weights => weights.iter().map(|weight| weight.forward(x)).collect::<Result<_>>()?,
    };
    <[Tensor; N]>::try_from(parts).map_err(|_| candle_core::Error::msg("one product a part"))
}
