//! A weight matrix and the ways to multiply by it.

use crate::ModelError;
use crate::gguf::GgufFile;
use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{Device, Module, Result, Tensor};
use std::sync::Arc;

/// From so many rows on, unpacking a matrix to f32 for one product beats a dot product a row on quantised weights
/// (measured: 23 against 97 GFLOP/s a thread, and the unpacking costs about 30 rows' worth).
const UNPACK_ROWS: usize = 48;

/// Up to so many rows, quantising the input once for several matrices is worth it; above, candle's product for one
/// matrix has the faster paths (AMX).
const SHARED_ROWS: usize = 16;

/// A matrix of shape (outputs, inputs).
#[derive(Debug, Clone)]
pub(crate) struct Weight {
    matrix: QMatMul,
    /// There is a kernel for blocks of rows.
    packed: bool,
}

impl Weight {
    /// Reads the tensor `name`.
    pub(crate) fn read(
        gguf: &mut GgufFile,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> std::result::Result<Self, ModelError> {
        let tensor = gguf.tensor(name, &[outputs, inputs])?;
        // These types have no vector code anywhere in candle: in 8 bits they take more memory and a fraction of the
        // time, at an error far below that of their own rounding.
        let slow = matches!(tensor.dtype(), GgmlDType::Q4_1 | GgmlDType::Q5_0 | GgmlDType::Q5_1);
        let tensor = match slow {
            true => QTensor::quantize(&tensor.dequantize(&Device::Cpu)?, GgmlDType::Q8_0)?,
            false => tensor,
        };
        Ok(Self::new(Arc::new(tensor))?)
    }

    /// Wraps a tensor that others may share.
    pub(crate) fn new(tensor: Arc<QTensor>) -> Result<Self> {
        let packed = has_packed_kernel(&tensor);
        Ok(Self { matrix: QMatMul::from_arc(tensor)?, packed })
    }

    /// `x · Wᵀ` for `x` of shape (rows, inputs).
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.matrix {
            QMatMul::QTensor(tensor) if !self.packed && x.dim(0)? >= UNPACK_ROWS => {
                x.matmul(&tensor.dequantize(&Device::Cpu)?.t()?)
            }
            matrix => matrix.forward(x),
        }
    }
}

/// `x · Wᵀ` for several matrices with the same inputs.
pub(crate) fn forward_all<const N: usize>(weights: [&Weight; N], x: &Tensor) -> Result<[Tensor; N]> {
    if x.dim(0)? <= SHARED_ROWS
        && let Some(outputs) = forward_shared(&weights, x)?
        && let Ok(outputs) = <[Tensor; N]>::try_from(outputs)
    {
        return Ok(outputs);
    }
    let outputs = weights.iter().map(|weight| weight.forward(x)).collect::<Result<Vec<_>>>()?;
    <[Tensor; N]>::try_from(outputs).map_err(|_| candle_core::Error::msg("one output a weight"))
}

fn forward_shared(weights: &[&Weight], x: &Tensor) -> Result<Option<Vec<Tensor>>> {
    let mut tensors = Vec::with_capacity(weights.len());
    for weight in weights {
        let QMatMul::QTensor(tensor) = &weight.matrix else { return Ok(None) };
        tensors.push(tensor.as_ref());
    }
    QTensor::gemv_fused_shared_lhs(&tensors, x)
}

/// Whether candle has a kernel that reuses a weight for several rows (its repacked kernels).
fn has_packed_kernel(tensor: &QTensor) -> bool {
    let Ok((outputs, inputs)) = tensor.shape().dims2() else { return false };
    let whole = outputs % 16 == 0 && inputs % 256 == 0;
    whole && matches!(tensor.dtype(), GgmlDType::Q4K | GgmlDType::Q6K | GgmlDType::Q8_0) && processor_has_kernels()
}

#[cfg(target_arch = "x86_64")]
fn processor_has_kernels() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}

#[cfg(not(target_arch = "x86_64"))]
fn processor_has_kernels() -> bool {
    cfg!(target_arch = "aarch64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::tests::{difference, noise};

    /// The relative error that the products of `rows` rows have against the same weights in f32.
    fn error(dtype: GgmlDType, rows: usize, outputs: usize, inputs: usize) -> f32 {
        let tensor =
            |rows: usize, seed| Tensor::from_vec(noise(rows * inputs, seed), (rows, inputs), &Device::Cpu).unwrap();
        let quantised = Arc::new(QTensor::quantize(&tensor(outputs, 1), dtype).unwrap());
        let x = tensor(rows, 2);
        let expected = x.matmul(&quantised.dequantize(&Device::Cpu).unwrap().t().unwrap()).unwrap();
        let found = Weight::new(quantised).unwrap().forward(&x).unwrap();
        let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        difference(&flat(&expected), &flat(&found))
    }

    #[test]
    fn products_agree_with_f32_for_every_type_and_number_of_rows() {
        use GgmlDType::{BF16, F16, F32, Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
        for dtype in [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K] {
            for rows in [1, 2, 17, 64] {
                let error = error(dtype, rows, 96, 512);
                // Inputs are rounded to 8 bits on the way.
                assert!(error < 0.02, "{dtype:?} with {rows} rows: {error}");
            }
        }
    }

    #[test]
    fn shapes_without_a_kernel_agree_too() {
        for rows in [1, 5, 64] {
            assert!(error(GgmlDType::Q8_0, rows, 40, 576) < 0.02, "{rows} rows");
            assert!(error(GgmlDType::Q4_1, rows, 40, 576) < 0.02, "{rows} rows");
        }
    }

    #[test]
    fn sharing_the_input_changes_nothing() {
        let weight = |seed, dtype| {
            let tensor = Tensor::from_vec(noise(64 * 256, seed), (64, 256), &Device::Cpu).unwrap();
            Weight::new(Arc::new(QTensor::quantize(&tensor, dtype).unwrap())).unwrap()
        };
        let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for other in [GgmlDType::Q4K, GgmlDType::Q6K] {
            let (a, b) = (weight(1, GgmlDType::Q4K), weight(2, other));
            for rows in [1, 3, 40] {
                let x = Tensor::from_vec(noise(rows * 256, 3), (rows, 256), &Device::Cpu).unwrap();
                let [shared_a, shared_b] = forward_all([&a, &b], &x).unwrap();
                assert_eq!(flat(&shared_a), flat(&a.forward(&x).unwrap()));
                assert_eq!(flat(&shared_b), flat(&b.forward(&x).unwrap()));
            }
        }
    }
}
