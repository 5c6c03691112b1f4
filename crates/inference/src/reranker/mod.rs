//! The reranker: a cross-encoder that reads a query and a passage together and says how well they fit.

mod head;

use crate::embedder::{EmbedderOptions, Encoder, Folder, Tokens};
use crate::{ModelError, ModelInfo, ModelKind};
use head::Head;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// A loaded cross-encoder. Shared between threads by reference; calls run side by side.
pub struct Reranker {
    tokens: Tokens,
    encoder: Encoder,
    head: Head,
    info: ModelInfo,
}

impl Reranker {
    /// Loads the model in `directory`: `config.json`, `tokenizer.json` and `model.safetensors` of a sequence classifier
    /// with one label.
    ///
    /// # Errors
    /// What [`crate::pack::inspect`] refuses, [`ModelError::Unsupported`] for a model of another kind, and
    /// [`ModelError::Damaged`] for tensors that don't fit the configuration.
    pub fn load(directory: &Path) -> Result<Self, ModelError> {
        Self::load_with(directory, EmbedderOptions::default())
    }

    /// As [`Reranker::load`], with other than the default options.
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
        if info.kind != ModelKind::Rerank {
            return Err(ModelError::Unsupported {
                what: "kind of model for reranking",
                found: info.kind.to_string(),
                supported: ModelKind::Rerank.to_string(),
            });
        }
        let mut weights = folder.weights()?;
        let head = Head::read(&mut weights, &folder.config)?;
        let encoder = Encoder::read(weights, &folder.config, options.precision)?;
        Ok(Self { tokens: Tokens::read(directory)?, encoder, head, info })
    }

    /// What was loaded.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// A score for each of `passages`, in their order: the greater, the better it answers `query`. Scores are the
    /// model's logits; [`probability`] brings them between 0 and 1. A passage's score doesn't depend on the others.
    /// Passages that are too long are cut at their end; of a query, at most half of the model's tokens count.
    ///
    /// # Errors
    /// [`ModelError::Compute`] when a text can't be tokenized.
    pub fn rerank(&self, query: &str, passages: &[&str]) -> Result<Vec<f32>, ModelError> {
        catch_unwind(AssertUnwindSafe(|| self.compute(query, passages)))
            .map_err(|_| ModelError::Compute { reason: "the model's code panicked".to_owned() })?
    }

    fn compute(&self, query: &str, passages: &[&str]) -> Result<Vec<f32>, ModelError> {
        let pair = |passage: &&str| self.tokens.pair(query, passage, self.info.context_tokens);
        let pairs = passages.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
        let mut scores = vec![0.0; passages.len()];
        self.encoder.run(&pairs, |index, states| scores[index] = self.head.score(states))?;
        Ok(scores)
    }
}

/// A reranker's score as a number between 0 and 1, by the logistic function.
#[must_use]
pub fn probability(score: f32) -> f32 {
    1.0 / (1.0 + (-score).exp())
}

impl fmt::Debug for Reranker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reranker").field("info", &self.info).finish_non_exhaustive()
    }
}
