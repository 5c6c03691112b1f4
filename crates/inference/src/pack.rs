//! Model packs: what stands in a model file or folder, checked before it is used.

use crate::chat_template::ChatTemplate;
use crate::decoder::family;
use crate::decoder::shape::Shape;
use crate::embedder;
use crate::error::ModelError;
use crate::gguf::GgufFile;
use crate::tokenizer::TextTokenizer;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::str::FromStr;

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Writes text.
    Generate,
    /// Turns text into vectors.
    Embed,
    /// Says how well a passage answers a query.
    Rerank,
}

impl ModelKind {
    /// The kind's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Embed => "embed",
            Self::Rerank => "rerank",
        }
    }
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ModelKind {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        [Self::Generate, Self::Embed, Self::Rerank].into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            ModelError::Unsupported {
                what: "kind of model",
                found: text.to_owned(),
                supported: "generate, embed, rerank".to_owned(),
            }
        })
    }
}

/// A model as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// What it is for.
    pub kind: ModelKind,
    /// The family, such as `qwen2` or `bert`.
    pub architecture: String,
    /// The number format that most weights have, such as `Q4_K` or `F32`.
    pub quantisation: String,
    /// Weights.
    pub parameters: u64,
    /// Tokens that the model was trained to see at once.
    pub context_tokens: usize,
    /// Length of its vectors; only for [`ModelKind::Embed`].
    pub dimension: Option<usize>,
    /// Length of the weights file.
    pub size_bytes: u64,
    /// SHA-256 of the weights file, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// Describes the model at `path`: a GGUF file, or a folder with `config.json`, `tokenizer.json` and
/// `model.safetensors`. Reads the weights once, for their hash, and computes nothing.
///
/// # Errors
/// [`ModelError`] with a sentence for the person who chose the model: cut short, damaged, of an unknown family, or
/// without its tokenizer.
pub fn inspect(path: &Path) -> Result<ModelInfo, ModelError> {
    let metadata = std::fs::metadata(path).map_err(|error| ModelError::unreadable(path, &error))?;
    // Parsers of foreign files may have faults; none may take the server down.
    let inspected =
        catch_unwind(AssertUnwindSafe(|| if metadata.is_dir() { embedder::inspect(path) } else { inspect_gguf(path) }));
    inspected.map_err(|_| ModelError::damaged(path, "it contradicts itself"))?
}

fn inspect_gguf(path: &Path) -> Result<ModelInfo, ModelError> {
    let gguf = GgufFile::open(path)?;
    family(&gguf)?;
    let tokenizer = TextTokenizer::read(&gguf)?;
    ChatTemplate::read(&gguf, &tokenizer)?;
    describe_gguf(&gguf)
}

/// Bytes that the keys and values of one token take in 16 bits a number, over all layers of the GGUF file at `path`: the
/// measure that an engine's memory is held against, whatever format it keeps them in.
///
/// # Errors
/// As [`inspect`], for the header only.
pub fn kv_bytes_per_token(path: &Path) -> Result<u64, ModelError> {
    let read = || -> Result<u64, ModelError> {
        let shape = Shape::read(&mut GgufFile::open(path)?, usize::MAX)?;
        let numbers = 2 * shape.layers * shape.kv_heads * shape.head_dimension;
        Ok(2 * numbers as u64)
    };
    catch_unwind(read).map_err(|_| ModelError::damaged(path, "it contradicts itself"))?
}

/// As [`inspect`], for an open file whose tokenizer is known to work.
pub(crate) fn describe_gguf(gguf: &GgufFile) -> Result<ModelInfo, ModelError> {
    let architecture = family(gguf)?.name;
    Ok(ModelInfo {
        kind: ModelKind::Generate,
        architecture: architecture.to_owned(),
        quantisation: gguf.quantisation(),
        parameters: gguf.parameters(),
        context_tokens: gguf.require_integer(&format!("{architecture}.context_length"))?,
        dimension: None,
        size_bytes: gguf.length(),
        sha256: sha256(gguf.path())?,
    })
}

/// SHA-256 of a file, in hexadecimal digits.
pub(crate) fn sha256(path: &Path) -> Result<String, ModelError> {
    let unreadable = |error: std::io::Error| ModelError::unreadable(path, &error);
    let mut file = File::open(path).map_err(unreadable)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(unreadable)?;
        if read == 0 {
            return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hash.update(&buffer[..read]);
    }
}
