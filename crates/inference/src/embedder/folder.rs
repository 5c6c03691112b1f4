//! The folder of an encoder, as sentence-transformers writes it, checked.

use super::config::Config;
use super::weights::{Header, Weights};
use crate::pack::{ModelInfo, ModelKind, sha256};
use crate::{ModelError, pack};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pooling {
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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromptConfig {
    prompts: HashMap<String, String>,
}

/// `centre.json`: the mean vectors of many queries and passages.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CentreConfig {
    query: Vec<f32>,
    passage: Vec<f32>,
}

/// What a model wants of a text, by what the text is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Side {
    /// What stands in front of it.
    pub(crate) prefix: String,
    /// What is taken off its unit vector before it is made one again; empty for nothing. The vectors of some models lie in a
    /// narrow cone, where texts that have nothing to do with each other have a cosine of 0.8; from the cone's middle
    /// theirs is near 0, as with other models (all-but-the-top: Mu and Viswanath 2018).
    pub(crate) centre: Vec<f32>,
}

/// A checked folder.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) config: Config,
    pub(crate) pooling: Pooling,
    pub(crate) query: Side,
    pub(crate) passage: Side,
    /// Tokens at once, special ones included.
    pub(crate) max_tokens: usize,
    weights: PathBuf,
    header: Header,
}

impl Folder {
    /// Reads the folder's small files and the header of its weights.
    pub(crate) fn open(directory: &Path) -> Result<Self, ModelError> {
        let config = Config::read(directory)?;
        if !directory.join("tokenizer.json").is_file() {
            return Err(ModelError::missing(directory, "its tokenizer (tokenizer.json)"));
        }
        let pooling = match read_json::<PoolingConfig>(&directory.join("1_Pooling/config.json"))? {
            None => Pooling::Mean,
            Some(pooling) if pooling.pooling_mode_mean_tokens => Pooling::Mean,
            Some(pooling) if pooling.pooling_mode_cls_token => Pooling::First,
            Some(_) => return Err(unsupported("pooling", "neither mean nor cls", "mean, cls")),
        };
        let sentence: Option<SentenceConfig> = read_json(&directory.join("sentence_bert_config.json"))?;
        let positions = config.longest();
        let max_tokens = sentence.and_then(|config| config.max_seq_length).unwrap_or(positions).min(positions);
        if max_tokens < 4 {
            return Err(ModelError::damaged(&directory.join("config.json"), "it leaves no room for text"));
        }
        let prompts: PromptConfig =
            read_json(&directory.join("config_sentence_transformers.json"))?.unwrap_or_default();
        let prompt = |names: &[&str]| names.iter().find_map(|&name| prompts.prompts.get(name)).cloned();
        let file = directory.join("centre.json");
        let centres: CentreConfig = read_json(&file)?.unwrap_or_default();
        let side = |names: &[&str], centre: Vec<f32>| match centre.len() {
            length if (length != 0 && length != config.hidden) || !centre.iter().all(|x| x.abs() <= 1.0) => {
                Err(ModelError::damaged(&file, format!("a centre is no mean of {} values", config.hidden)))
            }
            _ => Ok(Side { prefix: prompt(names).unwrap_or_default(), centre }),
        };
        let (query, passage) = (side(&["query"], centres.query)?, side(&["passage", "document"], centres.passage)?);
        let weights = directory.join("model.safetensors");
        let header = Header::read(&weights, directory)?;
        Ok(Self { config, pooling, query, passage, max_tokens, weights, header })
    }

    /// All weights.
    pub(crate) fn weights(&self) -> Result<Weights, ModelError> {
        Weights::read(&self.weights, self.config.family.prefix)
    }

    /// What the folder holds.
    pub(crate) fn describe(&self) -> Result<ModelInfo, ModelError> {
        let (kind, dimension) = match self.config.labels {
            None => (ModelKind::Embed, Some(self.config.hidden)),
            Some(1) => (ModelKind::Rerank, None),
            Some(labels) => {
                return Err(unsupported(
                    "classifier",
                    &format!("one with {labels} labels"),
                    "a reranker with one label",
                ));
            }
        };
        Ok(ModelInfo {
            kind,
            architecture: self.config.family.name.to_owned(),
            quantisation: self.header.number_format.clone(),
            parameters: self.header.parameters,
            context_tokens: self.max_tokens,
            dimension,
            size_bytes: self.header.length,
            sha256: sha256(&self.weights)?,
        })
    }
}

/// Describes the folder at `directory`.
pub(crate) fn inspect(directory: &Path) -> Result<pack::ModelInfo, ModelError> {
    Folder::open(directory)?.describe()
}

pub(super) fn unsupported(what: &'static str, found: &str, supported: &str) -> ModelError {
    ModelError::Unsupported { what, found: found.to_owned(), supported: supported.to_owned() }
}

/// The file's JSON, or `None` where there is no such file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ModelError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ModelError::unreadable(path, &error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| ModelError::damaged(path, error.to_string()))
}
