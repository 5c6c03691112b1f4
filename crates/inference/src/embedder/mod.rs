//! The embedder: texts to unit vectors.

mod config;
mod distance;
mod encoder;
mod family;
mod folder;
mod layer;
mod linear;
mod rotary;
mod tokens;
mod weights;

pub(crate) use config::Config;
pub(crate) use encoder::Encoder;
pub(crate) use folder::{Folder, inspect};
pub(crate) use tokens::Tokens;
pub(crate) use weights::Weights;

use crate::{ModelError, ModelInfo, ModelKind, math};
use folder::{Pooling, Side, unsupported};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::str::FromStr;

/// In what numbers an encoder's products are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point, as the weights are stored.
    #[default]
    F32,
    /// Weights and what they are multiplied with rounded to 8 bits, with a scale for every 128; attention and norms
    /// in f32. About twice as fast.
    Int8,
}

impl Precision {
    /// The precision's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Precision {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let known = [Self::F32, Self::Int8].into_iter().find(|precision| precision.as_str() == text);
        known.ok_or_else(|| unsupported("precision", text, "f32, int8"))
    }
}

/// How to load an embedder.
#[derive(Debug, Clone, Copy, Default)]
pub struct EmbedderOptions {
    /// What to compute in. Vectors of one precision are near those of the other, but not the same.
    pub precision: Precision,
}

/// A loaded embedding model. Shared between threads by reference; calls run side by side.
pub struct Embedder {
    tokens: Tokens,
    encoder: Encoder,
    info: ModelInfo,
    precision: Precision,
    pooling: Pooling,
    query: Side,
    passage: Side,
    /// Tokens of a text, special ones not among them.
    longest: usize,
}

impl Embedder {
    /// Loads the model in `directory`: `config.json`, `tokenizer.json`, `model.safetensors`, and, where they are,
    /// `1_Pooling/config.json`, `sentence_bert_config.json`, `config_sentence_transformers.json` and `centre.json`.
    ///
    /// # Errors
    /// What [`crate::pack::inspect`] refuses, [`ModelError::Unsupported`] for a model of another kind, and
    /// [`ModelError::Damaged`] for tensors that don't fit the configuration.
    pub fn load(directory: &Path) -> Result<Self, ModelError> {
        Self::load_with(directory, EmbedderOptions::default())
    }

    /// As [`Embedder::load`], with other than the default options.
    ///
    /// # Errors
    /// As there.
    pub fn load_with(directory: &Path, options: EmbedderOptions) -> Result<Self, ModelError> {
        catch_unwind(|| Self::read(directory, options))
            .map_err(|_| ModelError::damaged(directory, "it contradicts itself"))?
    }

    fn read(directory: &Path, options: EmbedderOptions) -> Result<Self, ModelError> {
        let folder = Folder::open(directory)?;
        let info = folder.describe()?;
        if info.kind != ModelKind::Embed {
            return Err(unsupported("kind of model for embedding", info.kind.as_str(), ModelKind::Embed.as_str()));
        }
        let tokens = Tokens::read(directory)?;
        Ok(Self {
            encoder: Encoder::read(folder.weights()?, &folder.config, options.precision)?,
            longest: folder.max_tokens.saturating_sub(tokens.special(false)).max(1),
            tokens,
            info,
            precision: options.precision,
            pooling: folder.pooling,
            query: folder.query,
            passage: folder.passage,
        })
    }

    /// What was loaded.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// What it computes in.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Length of the vectors.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.encoder.config.hidden
    }

    /// Tokens of a passage that count, special tokens and the model's own prefix not among them; what is behind them
    /// is cut off.
    #[must_use]
    pub fn max_tokens(&self) -> usize {
        self.longest.saturating_sub(self.count_tokens(&self.passage.prefix)).max(1)
    }

    /// Tokens of `text`, without special tokens and without cutting. 0 if it can't be tokenized.
    #[must_use]
    pub fn count_tokens(&self, text: &str) -> usize {
        self.tokens.count(text)
    }

    /// One vector of length 1 a text, in the texts' order. A text's vector doesn't depend on the others.
    ///
    /// # Errors
    /// [`ModelError::Compute`] when a text can't be tokenized.
    pub fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.embed_as(&Side::default(), texts)
    }

    /// As [`Embedder::embed`], for what is searched with: behind the prefix that the model wants for queries, and about
    /// the centre that it has for them.
    ///
    /// # Errors
    /// As there.
    pub fn embed_queries(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.embed_as(&self.query, texts)
    }

    /// As [`Embedder::embed_queries`], for what is searched in.
    ///
    /// # Errors
    /// As there.
    pub fn embed_passages(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.embed_as(&self.passage, texts)
    }

    fn embed_as(&self, side: &Side, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        catch_unwind(AssertUnwindSafe(|| self.compute(side, texts)))
            .map_err(|_| ModelError::Compute { reason: "the model's code panicked".to_owned() })?
    }

    fn compute(&self, side: &Side, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let sequences = texts.iter().map(|text| match side.prefix.as_str() {
            "" => self.tokens.text(text, self.longest),
            prefix => self.tokens.text(&format!("{prefix}{text}"), self.longest),
        });
        let mut vectors = vec![Vec::new(); texts.len()];
        let sequences = sequences.collect::<Result<Vec<_>, _>>()?;
        self.encoder.run(&sequences, |index, states| vectors[index] = self.pool(states))?;
        if !side.centre.is_empty() {
            for vector in &mut vectors {
                vector.iter_mut().zip(&side.centre).for_each(|(x, middle)| *x -= middle);
                to_unit(vector);
            }
        }
        Ok(vectors)
    }

    fn pool(&self, states: &[f32]) -> Vec<f32> {
        let rows = states.chunks_exact(self.dimension());
        let mut vector = vec![0.0; self.dimension()];
        let taken = match self.pooling {
            Pooling::Mean => rows.len(),
            Pooling::First => 1,
        };
        for row in rows.take(taken) {
            vector.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        // The length is taken out, so the sum serves as well as the mean.
        to_unit(&mut vector);
        vector
    }
}

fn to_unit(vector: &mut [f32]) {
    let length = math::dot(vector, vector).sqrt().max(f32::MIN_POSITIVE);
    vector.iter_mut().for_each(|x| *x /= length);
}

impl fmt::Debug for Embedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedder").field("info", &self.info).finish_non_exhaustive()
    }
}
