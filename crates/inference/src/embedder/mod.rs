//! The embedder: texts to unit vectors.

mod encoder;
mod folder;
mod operations;

pub(crate) use folder::inspect;

use crate::{ModelError, ModelInfo, math};
use encoder::Encoder;
use folder::{Folder, Pooling};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use tokenizers::{PostProcessor, Tokenizer, TruncationDirection};

/// Tokens that go through the encoder together: enough rows for the processor, few enough to stay in its caches.
const BATCH_TOKENS: usize = 2048;

/// A loaded embedding model. Shared between threads by reference; calls run side by side.
pub struct Embedder {
    tokenizer: Tokenizer,
    encoder: Encoder,
    info: ModelInfo,
    pooling: Pooling,
    max_tokens: usize,
}

impl Embedder {
    /// Loads the model in `directory`: `config.json`, `tokenizer.json`, `model.safetensors`, and, where they are,
    /// `1_Pooling/config.json` and `sentence_bert_config.json`.
    ///
    /// # Errors
    /// What [`crate::pack::inspect`] refuses, and [`ModelError::Damaged`] for tensors that don't fit the configuration.
    pub fn load(directory: &Path) -> Result<Self, ModelError> {
        catch_unwind(|| Self::read(directory)).map_err(|_| ModelError::damaged(directory, "it contradicts itself"))?
    }

    fn read(directory: &Path) -> Result<Self, ModelError> {
        let folder = Folder::open(directory)?;
        let path = directory.join("tokenizer.json");
        let damaged = |error: tokenizers::Error| ModelError::damaged(&path, error.to_string());
        let mut tokenizer = Tokenizer::from_file(&path).map_err(damaged)?;
        // Lengths are ours to decide.
        tokenizer.with_truncation(None).map_err(damaged)?.with_padding(None);
        let special = tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        Ok(Self {
            tokenizer,
            encoder: Encoder::read(&folder)?,
            info: folder.describe()?,
            pooling: folder.pooling,
            max_tokens: folder.max_tokens.saturating_sub(special).max(1),
        })
    }

    /// What was loaded.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Length of the vectors.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.info.dimension.unwrap_or_default()
    }

    /// Tokens of a text that count, special tokens not among them; what is behind them is cut off.
    #[must_use]
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Tokens of `text`, without special tokens and without cutting. 0 if it can't be tokenized.
    #[must_use]
    pub fn count_tokens(&self, text: &str) -> usize {
        self.tokenizer.encode_fast(text, false).map_or(0, |encoding| encoding.len())
    }

    /// One vector of length 1 a text, in the texts' order. A text's vector doesn't depend on the others.
    ///
    /// # Errors
    /// [`ModelError::Compute`] when a text can't be tokenized.
    pub fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        catch_unwind(AssertUnwindSafe(|| self.compute(texts)))
            .map_err(|_| ModelError::Compute { reason: "the model's code panicked".to_owned() })?
    }

    fn compute(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let tokens = texts.iter().map(|text| self.tokens(text)).collect::<Result<Vec<_>, _>>()?;
        // Texts of one length together: their attention takes equally long, which keeps the threads even.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&index| tokens[index].len());
        let mut vectors = vec![Vec::new(); texts.len()];
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(batch_size(rest, &tokens));
            let sequences: Vec<&[u32]> = batch.iter().map(|&index| tokens[index].as_slice()).collect();
            let states = self.encoder.forward(&sequences)?;
            let mut states = states.as_slice();
            for &index in batch {
                let (own, others) = states.split_at(tokens[index].len() * self.dimension());
                vectors[index] = self.pool(own);
                states = others;
            }
            rest = later;
        }
        Ok(vectors)
    }

    /// The ids of `text`, cut to what the model takes, with special tokens around them.
    fn tokens(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let failed = |error: tokenizers::Error| ModelError::Compute { reason: format!("tokenizing: {error}") };
        let mut encoding = self.tokenizer.encode_fast(text, false).map_err(failed)?;
        encoding.truncate(self.max_tokens, 0, TruncationDirection::Right);
        let encoding = self.tokenizer.post_process(encoding, None, true).map_err(failed)?;
        if encoding.is_empty() {
            return Err(ModelError::Compute { reason: "a text without any token".to_owned() });
        }
        Ok(encoding.get_ids().to_vec())
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
        // The length is taken out below, so the sum serves as well as the mean.
        let length = math::dot(&vector, &vector).sqrt().max(f32::MIN_POSITIVE);
        vector.iter_mut().for_each(|x| *x /= length);
        vector
    }
}

impl std::fmt::Debug for Embedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedder").field("info", &self.info).finish_non_exhaustive()
    }
}

/// How many of `order`'s texts fit into the next batch; at least one.
fn batch_size(order: &[usize], tokens: &[Vec<u32>]) -> usize {
    let mut total = 0;
    order
        .iter()
        .take_while(|&&index| {
            total += tokens[index].len();
            total <= BATCH_TOKENS
        })
        .count()
        .max(1)
}
