//! The tensors of a safetensors file, and its header.

use super::config::Config;
use crate::ModelError;
use crate::kernels::dense::Norm;
use candle_core::{DType, Device, Tensor};
use half::f16;
use half::slice::HalfFloatSliceExt;
use serde::Deserialize;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The tensors of a file, by their name without the family's prefix.
pub(crate) struct Weights {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
}

impl Weights {
    /// Reads the file at `path`, whose names may begin with `prefix`.
    pub(super) fn read(path: &Path, prefix: &str) -> Result<Self, ModelError> {
        let tensors = candle_core::safetensors::load(path, &Device::Cpu)
            .map_err(|error| ModelError::damaged(path, error.to_string()))?;
        let bare = |name: String| name.strip_prefix(prefix).map(str::to_owned).unwrap_or(name);
        Ok(Self { path: path.to_owned(), tensors: tensors.into_iter().map(|(name, t)| (bare(name), t)).collect() })
    }

    /// Takes the tensor `name`, which must have `shape`, as f32.
    pub(crate) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let tensor =
            self.tensors.remove(name).ok_or_else(|| ModelError::missing(&self.path, format!("the tensor {name}")))?;
        if tensor.dims() != shape {
            let reason = format!("tensor {name} has the shape {:?} where {shape:?} is due", tensor.dims());
            return Err(ModelError::damaged(&self.path, reason));
        }
        Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
    }

    /// Takes the table `name` of `rows` vectors in the numbers that it is stored in: a vocabulary of many languages is most
    /// of its model, and in 32 bits it would take twice the memory.
    pub(crate) fn table(&mut self, name: &str, rows: usize, width: usize) -> Result<Table, ModelError> {
        match self.tensors.get(name) {
            Some(tensor) if tensor.dtype() == DType::F16 && tensor.dims() == [rows, width] => {
                let values = tensor.flatten_all()?.to_vec1()?;
                self.tensors.remove(name);
                Ok(Table::Half(values))
            }
            _ => Ok(Table::Single(self.take(name, &[rows, width])?)),
        }
    }

    /// Takes a layer norm over the hidden size.
    pub(crate) fn norm(&mut self, config: &Config, name: &str) -> Result<Norm, ModelError> {
        let gain = self.take(&format!("{name}.weight"), &[config.hidden])?;
        let offset = match config.family.biases {
            true => self.take(&format!("{name}.bias"), &[config.hidden])?,
            false => vec![0.0; config.hidden],
        };
        Ok(Norm { gain, offset, epsilon: config.epsilon })
    }
}

/// Vectors by number.
pub(crate) enum Table {
    Single(Vec<f32>),
    Half(Vec<f16>),
}

impl Table {
    /// Writes the vector `index`, which is as long as `to`.
    pub(super) fn copy(&self, index: usize, to: &mut [f32]) {
        let place = index * to.len()..(index + 1) * to.len();
        match self {
            Self::Single(values) => to.copy_from_slice(&values[place]),
            Self::Half(values) => values[place].convert_to_f32_slice(to),
        }
    }
}

/// What the header of a safetensors file says: 8 bytes of length, then JSON with each tensor's place.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) length: u64,
    pub(super) parameters: u64,
    pub(super) number_format: String,
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl Header {
    pub(super) fn read(path: &Path, directory: &Path) -> Result<Self, ModelError> {
        if !path.is_file() {
            return Err(ModelError::missing(directory, "its weights (model.safetensors)"));
        }
        let unreadable = |error: std::io::Error| ModelError::unreadable(path, &error);
        let mut file = File::open(path).map_err(unreadable)?;
        let found = file.metadata().map_err(unreadable)?.len();
        let cut_short = |expected| ModelError::CutShort { path: path.to_owned(), expected, found };
        let mut prefix = [0; 8];
        file.read_exact(&mut prefix).map_err(|_| cut_short(8))?;
        let size = u64::from_le_bytes(prefix);
        if size > 100_000_000 {
            return Err(ModelError::damaged(path, "it does not begin like a safetensors file"));
        }
        let mut json = Vec::new();
        file.take(size).read_to_end(&mut json).map_err(unreadable)?;
        if (json.len() as u64) < size {
            return Err(cut_short(8 + size));
        }
        let no_header = |_| ModelError::damaged(path, "its header is no safetensors header");
        let mut entries: HashMap<String, serde_json::Value> = serde_json::from_slice(&json).map_err(no_header)?;
        entries.remove("__metadata__");
        let (mut end, mut parameters, mut number_format) = (0, 0_u64, String::new());
        for entry in entries.into_values() {
            let entry: Entry = serde_json::from_value(entry).map_err(no_header)?;
            end = end.max(entry.data_offsets.1);
            let elements = entry.shape.iter().fold(1_u64, |product, dimension| product.saturating_mul(*dimension));
            parameters = parameters.saturating_add(elements);
            if entry.dtype.starts_with(['F', 'B']) {
                number_format = entry.dtype;
            }
        }
        let expected = end.saturating_add(8 + size);
        if expected > found {
            return Err(cut_short(expected));
        }
        Ok(Self { length: found, parameters, number_format })
    }
}
