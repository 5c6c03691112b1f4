//! The folder of an embedding model, as sentence-transformers writes it, checked.

use crate::pack::{ModelInfo, ModelKind, sha256};
use crate::{ModelError, pack};
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Families that are implemented: BERT (Devlin et al. 2018) and those that only number positions differently.
const SUPPORTED: &str = "bert, roberta, xlm-roberta";

/// The part of `config.json` that matters.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    pub(super) model_type: String,
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) vocab_size: usize,
    pub(super) type_vocab_size: usize,
    #[serde(default = "default_epsilon")]
    pub(super) layer_norm_eps: f64,
    #[serde(default)]
    hidden_act: Option<String>,
    #[serde(default)]
    position_embedding_type: Option<String>,
    #[serde(default)]
    pad_token_id: Option<usize>,
}

fn default_epsilon() -> f64 {
    1e-12
}

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// Their mean.
    Mean,
    /// The first token's.
    First,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PoolingConfig {
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SentenceConfig {
    max_seq_length: Option<usize>,
}

/// A checked folder.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) config: Config,
    pub(super) pooling: Pooling,
    /// Tokens at once, special ones included.
    pub(super) max_tokens: usize,
    /// Number of the first position.
    pub(super) first_position: usize,
    weights: PathBuf,
    header: Header,
}

impl Folder {
    /// Reads the folder's small files and the header of its weights.
    pub(super) fn open(directory: &Path) -> Result<Self, ModelError> {
        let config: Config =
            read_json(&directory.join("config.json"))?.ok_or_else(|| ModelError::missing(directory, "config.json"))?;
        let first_position = match config.model_type.as_str() {
            "bert" => 0,
            // Fairseq numbers positions behind the padding token's id.
            "roberta" | "xlm-roberta" => config.pad_token_id.unwrap_or(1) + 1,
            other => return Err(unsupported("architecture", other, SUPPORTED)),
        };
        match config.hidden_act.as_deref() {
            None | Some("gelu") => {}
            Some(other) => return Err(unsupported("activation", other, "gelu")),
        }
        match config.position_embedding_type.as_deref() {
            None | Some("absolute") => {}
            Some(other) => return Err(unsupported("position embedding", other, "absolute")),
        }
        let heads = config.num_attention_heads;
        if heads == 0 || config.hidden_size == 0 || !config.hidden_size.is_multiple_of(heads) {
            return Err(ModelError::damaged(&directory.join("config.json"), "its heads do not divide its hidden size"));
        }
        if !directory.join("tokenizer.json").is_file() {
            return Err(ModelError::missing(directory, "its tokenizer (tokenizer.json)"));
        }
        let pooling = match read_json::<PoolingConfig>(&directory.join("1_Pooling/config.json"))? {
            None => Pooling::Mean,
            Some(pooling) if pooling.pooling_mode_mean_tokens => Pooling::Mean,
            Some(pooling) if pooling.pooling_mode_cls_token => Pooling::First,
            Some(_) => return Err(unsupported("pooling", "neither mean nor cls", "mean, cls")),
        };
        let positions = config.max_position_embeddings.saturating_sub(first_position);
        let sentence: Option<SentenceConfig> = read_json(&directory.join("sentence_bert_config.json"))?;
        let max_tokens = sentence.and_then(|config| config.max_seq_length).unwrap_or(positions).min(positions);
        if max_tokens < 4 {
            return Err(ModelError::damaged(&directory.join("config.json"), "it leaves no room for text"));
        }
        let weights = directory.join("model.safetensors");
        let header = Header::read(&weights, directory)?;
        Ok(Self { config, pooling, max_tokens, first_position, weights, header })
    }

    /// All weights as f32, by their name without the family's prefix.
    pub(super) fn weights(&self) -> Result<Weights, ModelError> {
        let tensors = candle_core::safetensors::load(&self.weights, &Device::Cpu)
            .map_err(|error| ModelError::damaged(&self.weights, error.to_string()))?;
        let tensors = tensors.into_iter().map(|(name, tensor)| (bare(&name).to_owned(), tensor)).collect();
        Ok(Weights { path: self.weights.clone(), tensors })
    }

    /// What the folder holds.
    pub(super) fn describe(&self) -> Result<ModelInfo, ModelError> {
        Ok(ModelInfo {
            kind: ModelKind::Embed,
            architecture: self.config.model_type.clone(),
            quantisation: self.header.number_format.clone(),
            parameters: self.header.parameters,
            context_tokens: self.max_tokens,
            dimension: Some(self.config.hidden_size),
            size_bytes: self.header.length,
            sha256: sha256(&self.weights)?,
        })
    }
}

/// The tensors of a file.
pub(super) struct Weights {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
}

impl Weights {
    /// Takes the tensor `name`, which must have `shape`, as f32.
    pub(super) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, ModelError> {
        let tensor =
            self.tensors.remove(name).ok_or_else(|| ModelError::missing(&self.path, format!("the tensor {name}")))?;
        if tensor.dims() != shape {
            let reason = format!("tensor {name} has the shape {:?} where {shape:?} is due", tensor.dims());
            return Err(ModelError::damaged(&self.path, reason));
        }
        Ok(tensor.to_dtype(DType::F32)?)
    }
}

/// What the header of a safetensors file says: 8 bytes of length, then JSON with each tensor's place.
#[derive(Debug)]
struct Header {
    length: u64,
    parameters: u64,
    number_format: String,
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl Header {
    fn read(path: &Path, directory: &Path) -> Result<Self, ModelError> {
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

/// Describes the folder at `directory`.
pub(crate) fn inspect(directory: &Path) -> Result<pack::ModelInfo, ModelError> {
    Folder::open(directory)?.describe()
}

fn bare(name: &str) -> &str {
    ["bert.", "roberta."].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

fn unsupported(what: &'static str, found: &str, supported: &str) -> ModelError {
    ModelError::Unsupported { what, found: found.to_owned(), supported: supported.to_owned() }
}

/// The file's JSON, or `None` where there is no such file.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ModelError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ModelError::unreadable(path, &error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| ModelError::damaged(path, error.to_string()))
}
