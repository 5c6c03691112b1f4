//! Texts and pairs of texts to token ids, cut to what an encoder takes.

use super::encoder::Sequence;
use crate::ModelError;
use std::path::Path;
use tokenizers::{Encoding, PostProcessor, Tokenizer, TruncationDirection};

/// A tokenizer that leaves lengths to its callers.
pub(crate) struct Tokens {
    tokenizer: Tokenizer,
}

impl Tokens {
    /// Reads `tokenizer.json` in `directory`.
    pub(crate) fn read(directory: &Path) -> Result<Self, ModelError> {
        let path = directory.join("tokenizer.json");
        let damaged = |error: tokenizers::Error| ModelError::damaged(&path, error.to_string());
        let mut tokenizer = Tokenizer::from_file(&path).map_err(damaged)?;
        tokenizer.with_truncation(None).map_err(damaged)?.with_padding(None);
        Ok(Self { tokenizer })
    }

    /// Special tokens around a text, or around and between a pair.
    pub(crate) fn special(&self, pair: bool) -> usize {
        self.tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(pair))
    }

    /// Tokens of `text`, without special ones. 0 if it can't be tokenized.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.tokenizer.encode_fast(text, false).map_or(0, |encoding| encoding.len())
    }

    /// `text`, cut to `longest` tokens, with special ones around it.
    pub(crate) fn text(&self, text: &str, longest: usize) -> Result<Sequence, ModelError> {
        self.finish(self.encode(text, longest)?, None)
    }

    /// `first` and `second` as a pair of at most `longest` tokens, special ones included. `first` keeps at most half
    /// of them, and what `second` is too long is cut off its end.
    pub(crate) fn pair(&self, first: &str, second: &str, longest: usize) -> Result<Sequence, ModelError> {
        let room = longest.saturating_sub(self.special(true));
        let first = self.encode(first, room.div_ceil(2))?;
        let second = self.encode(second, room - first.len())?;
        self.finish(first, Some(second))
    }

    fn encode(&self, text: &str, longest: usize) -> Result<Encoding, ModelError> {
        let mut encoding = self.tokenizer.encode_fast(text, false).map_err(failed)?;
        encoding.truncate(longest, 0, TruncationDirection::Right);
        Ok(encoding)
    }

    fn finish(&self, first: Encoding, second: Option<Encoding>) -> Result<Sequence, ModelError> {
        let encoding = self.tokenizer.post_process(first, second, true).map_err(failed)?;
        if encoding.is_empty() {
            return Err(ModelError::Compute { reason: "a text without any token".to_owned() });
        }
        Ok(Sequence { tokens: encoding.get_ids().to_vec(), types: encoding.get_type_ids().to_vec() })
    }
}

#[allow(clippy::needless_pass_by_value, reason = "as `map_err` has it")]
fn failed(error: tokenizers::Error) -> ModelError {
    ModelError::Compute { reason: format!("tokenizing: {error}") }
}
