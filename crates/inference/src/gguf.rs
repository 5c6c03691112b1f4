//! A GGUF file: typed metadata and tensors, checked before anything is computed.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use crate::ModelError;
use candle_core::quantized::{GgmlDType, QTensor, gguf_file};
use candle_core::{Device, Tensor};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Names of the tensor types that can be computed with.
const QUANTISATIONS: &str = "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K";

/// An open GGUF file whose header was read and whose tensors lie inside the file.
pub(crate) struct GgufFile {
    path: PathBuf,
    content: gguf_file::Content,
    reader: BufReader<File>,
    length: u64,
}

impl GgufFile {
    /// Opens `path`, reads the header and checks that every tensor fits into the file.
    pub(crate) fn open(path: &Path) -> Result<Self, ModelError> {
        let file = File::open(path).map_err(|error| ModelError::unreadable(path, &error))?;
        let metadata = file.metadata().map_err(|error| ModelError::unreadable(path, &error))?;
        if !metadata.is_file() {
            return Err(ModelError::damaged(path, "it is no regular file"));
        }
        let mut reader = BufReader::with_capacity(1 << 20, file);
        // The parser is made for honest files: arithmetic on a hostile header may overflow, and that must stay here.
        let content = catch_unwind(AssertUnwindSafe(|| gguf_file::Content::read(&mut reader)))
            .map_err(|_| ModelError::damaged(path, "its header contradicts itself"))?
            .map_err(|error| header_error(path, &error))?;
        let gguf = Self { path: path.to_owned(), content, reader, length: metadata.len() };
        gguf.check_tensors()?;
        Ok(gguf)
    }

    fn check_tensors(&self) -> Result<(), ModelError> {
        let mut expected = self.content.tensor_data_offset;
        for (name, tensor) in &self.content.tensor_infos {
            let damaged = || ModelError::damaged(&self.path, format!("tensor {name} has an impossible size"));
            let (block, bytes) = (tensor.ggml_dtype.block_size() as u64, tensor.ggml_dtype.type_size() as u64);
            let elements = tensor
                .shape
                .dims()
                .iter()
                .try_fold(1u64, |product, &dimension| product.checked_mul(dimension as u64))
                .filter(|elements| *elements > 0 && elements % block == 0)
                .ok_or_else(damaged)?;
            let end = (elements / block)
                .checked_mul(bytes)
                .and_then(|size| size.checked_add(tensor.offset))
                .and_then(|end| end.checked_add(self.content.tensor_data_offset))
                .ok_or_else(damaged)?;
            expected = expected.max(end);
        }
        if expected > self.length {
            return Err(ModelError::CutShort { path: self.path.clone(), expected, found: self.length });
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Weights in all tensors.
    pub(crate) fn parameters(&self) -> u64 {
        self.content.tensor_infos.values().map(|tensor| tensor.shape.elem_count() as u64).sum()
    }

    /// The tensor type that holds most of the weights, in ggml's spelling.
    pub(crate) fn quantisation(&self) -> String {
        let mut counts: Vec<(GgmlDType, u64)> = Vec::new();
        for tensor in self.content.tensor_infos.values() {
            let elements = tensor.shape.elem_count() as u64;
            match counts.iter_mut().find(|(dtype, _)| *dtype == tensor.ggml_dtype) {
                Some((_, count)) => *count += elements,
                None => counts.push((tensor.ggml_dtype, elements)),
            }
        }
        counts.iter().max_by_key(|(_, count)| *count).map_or_else(String::new, |(dtype, _)| spelling(*dtype))
    }

    pub(crate) fn value(&self, key: &str) -> Option<&gguf_file::Value> {
        self.content.metadata.get(key)
    }

    pub(crate) fn string(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            gguf_file::Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        match self.value(key)? {
            gguf_file::Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Any integer; where the key holds one value a layer, the first.
    pub(crate) fn integer(&self, key: &str) -> Option<usize> {
        integer(self.value(key)?)
    }

    pub(crate) fn float(&self, key: &str) -> Option<f32> {
        match self.value(key)? {
            gguf_file::Value::F32(value) => Some(*value),
            gguf_file::Value::F64(value) => Some(*value as f32),
            other => integer(other).map(|value| value as f32),
        }
    }

    pub(crate) fn strings(&self, key: &str) -> Option<Vec<&str>> {
        let gguf_file::Value::Array(values) = self.value(key)? else { return None };
        values
            .iter()
            .map(|value| match value {
                gguf_file::Value::String(text) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn integers(&self, key: &str) -> Option<Vec<usize>> {
        let gguf_file::Value::Array(values) = self.value(key)? else { return None };
        values.iter().map(integer).collect()
    }

    pub(crate) fn floats(&self, key: &str) -> Option<Vec<f32>> {
        let gguf_file::Value::Array(values) = self.value(key)? else { return None };
        values
            .iter()
            .map(|value| match value {
                gguf_file::Value::F32(value) => Some(*value),
                _ => None,
            })
            .collect()
    }

    /// As [`Self::integer`], for keys that a model can't do without.
    pub(crate) fn require_integer(&self, key: &str) -> Result<usize, ModelError> {
        self.integer(key)
            .filter(|value| *value > 0)
            .ok_or_else(|| ModelError::missing(&self.path, format!("the key {key}")))
    }

    /// The tensor's dimensions, rows first.
    pub(crate) fn dimensions(&self, name: &str) -> Option<&[usize]> {
        self.content.tensor_infos.get(name).map(|tensor| tensor.shape.dims())
    }

    /// Reads a quantised tensor, which must have exactly `dimensions`.
    pub(crate) fn tensor(&mut self, name: &str, dimensions: &[usize]) -> Result<QTensor, ModelError> {
        self.tensor_on(name, dimensions, &Device::Cpu)
    }

    /// As [`Self::tensor`], onto `device`.
    pub(crate) fn tensor_on(
        &mut self,
        name: &str,
        dimensions: &[usize],
        device: &Device,
    ) -> Result<QTensor, ModelError> {
        self.require_dimensions(name, dimensions)?;
        self.content.tensor(&mut self.reader, name, device).map_err(|error| match device {
            Device::Cpu => ModelError::damaged(&self.path, format!("tensor {name}: {error}")),
            // It may be too large for the device.
            _ => error.into(),
        })
    }

    /// Reads a tensor's bytes, which must have exactly `dimensions`, into `bytes`, whose memory is used again: a buffer
    /// a tensor would leave the heap in holes. Gives the tensor's type.
    pub(crate) fn bytes(
        &mut self,
        name: &str,
        dimensions: &[usize],
        bytes: &mut Vec<u8>,
    ) -> Result<GgmlDType, ModelError> {
        self.require_dimensions(name, dimensions)?;
        let missing = || ModelError::missing(&self.path, format!("the tensor {name}"));
        let tensor = self.content.tensor_infos.get(name).ok_or_else(missing)?;
        let dtype = tensor.ggml_dtype;
        let length = tensor.shape.elem_count() / dtype.block_size() * dtype.type_size();
        let begin = self.content.tensor_data_offset + tensor.offset;
        bytes.resize(length, 0);
        let read = self.reader.seek(SeekFrom::Start(begin)).and_then(|_| self.reader.read_exact(bytes));
        read.map_err(|error| ModelError::unreadable(&self.path, &error))?;
        Ok(dtype)
    }

    fn require_dimensions(&self, name: &str, dimensions: &[usize]) -> Result<(), ModelError> {
        let found =
            self.dimensions(name).ok_or_else(|| ModelError::missing(&self.path, format!("the tensor {name}")))?;
        if found != dimensions {
            let reason = format!("tensor {name} has the shape {found:?} where {dimensions:?} is due");
            return Err(ModelError::damaged(&self.path, reason));
        }
        Ok(())
    }

    /// Refuses a tensor whose rows, of `inputs` numbers, are not whole blocks of its type.
    pub(crate) fn require_whole_rows(&self, name: &str, dtype: GgmlDType, inputs: usize) -> Result<(), ModelError> {
        if inputs.is_multiple_of(dtype.block_size()) {
            return Ok(());
        }
        let (kind, block) = (spelling(dtype), dtype.block_size());
        let reason = format!("tensor {name} of type {kind} has rows of {inputs} numbers, not a multiple of {block}");
        Err(ModelError::damaged(&self.path, reason))
    }

    /// Reads a tensor of one dimension as f32.
    pub(crate) fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
        Ok(self.dense(name, &[length])?.to_vec1()?)
    }

    /// Reads a tensor as f32.
    pub(crate) fn dense(&mut self, name: &str, dimensions: &[usize]) -> Result<Tensor, ModelError> {
        Ok(self.tensor(name, dimensions)?.dequantize(&Device::Cpu)?)
    }
}

fn integer(value: &gguf_file::Value) -> Option<usize> {
    use gguf_file::Value;
    match value {
        Value::U8(value) => Some(usize::from(*value)),
        Value::U16(value) => Some(usize::from(*value)),
        Value::U32(value) => usize::try_from(*value).ok(),
        Value::U64(value) => usize::try_from(*value).ok(),
        Value::I8(value) => usize::try_from(*value).ok(),
        Value::I16(value) => usize::try_from(*value).ok(),
        Value::I32(value) => usize::try_from(*value).ok(),
        Value::I64(value) => usize::try_from(*value).ok(),
        Value::Array(values) => integer(values.first()?),
        _ => None,
    }
}

/// candle's parser has one error type; its texts are told apart here, once.
fn header_error(path: &Path, error: &candle_core::Error) -> ModelError {
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default().trim_start_matches("gguf: ").to_owned();
    if text.contains("unknown magic") {
        return ModelError::damaged(path, "it does not begin like a GGUF file");
    }
    if let Some((_, code)) = text.split_once("unknown dtype for tensor ") {
        let found = format!("ggml type {code}");
        return ModelError::Unsupported { what: "tensor type", found, supported: QUANTISATIONS.to_owned() };
    }
    if text.contains("failed to fill whole buffer") || text.contains("remaining") {
        return ModelError::damaged(path, "it ends inside its own header; copy it again from its source");
    }
    ModelError::damaged(path, text)
}

fn spelling(dtype: GgmlDType) -> String {
    match dtype {
        GgmlDType::Q2K => "Q2_K".to_owned(),
        GgmlDType::Q3K => "Q3_K".to_owned(),
        GgmlDType::Q4K => "Q4_K".to_owned(),
        GgmlDType::Q5K => "Q5_K".to_owned(),
        GgmlDType::Q6K => "Q6_K".to_owned(),
        GgmlDType::Q8K => "Q8_K".to_owned(),
        other => format!("{other:?}"),
    }
}
