//! Texts and pairs of texts to token ids, cut to what an encoder takes.

use super::encoder::Sequence;
use crate::ModelError;
use std::path::Path;
use tokenizers::{Encoding, Model, ModelWrapper, PostProcessor, Token, Tokenizer, TruncationDirection};

/// A tokenizer that leaves lengths to its callers. Whatever stands in a text is letters to it: only its own template
/// puts control tokens around and between texts.
pub(crate) struct Tokens {
    tokenizer: Tokenizer,
    /// Control tokens that letters could still add up to.
    spelled: Vec<u32>,
}

impl Tokens {
    /// Reads `tokenizer.json` in `directory`.
    pub(crate) fn read(directory: &Path) -> Result<Self, ModelError> {
        let path = directory.join("tokenizer.json");
        let damaged = |error: tokenizers::Error| ModelError::damaged(&path, error.to_string());
        let mut tokenizer = Tokenizer::from_file(&path).map_err(damaged)?;
        tokenizer.with_truncation(None).map_err(damaged)?.with_padding(None);
        tokenizer.set_encode_special_tokens(true);
        Ok(Self { spelled: spelled(&tokenizer), tokenizer })
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
        if encoding.get_ids().iter().any(|id| self.spelled.contains(id)) {
            let letters = encoding.get_ids().iter().filter(|id| !self.spelled.contains(id));
            let letters = letters.map(|&id| Token::new(id, String::new(), (0, 0))).collect();
            encoding = Encoding::from_tokens(letters, 0);
        }
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

/// Control tokens that a unigram model finds in letters: they are pieces of its vocabulary as words are, and those that
/// it likes best. They are left out of texts; the token for what the vocabulary lacks is not one of them.
fn spelled(tokenizer: &Tokenizer) -> Vec<u32> {
    let model = tokenizer.get_model();
    if !matches!(model, ModelWrapper::Unigram(_)) {
        return Vec::new();
    }
    let lacking = model.tokenize("\u{10ffff}").unwrap_or_default();
    let added = tokenizer.get_added_vocabulary().get_added_tokens_decoder();
    let special = added.iter().filter(|(_, token)| token.special).map(|(id, _)| *id);
    special.filter(|id| lacking.iter().all(|token| token.id != *id)).collect()
}

#[allow(clippy::needless_pass_by_value, reason = "as `map_err` has it")]
fn failed(error: tokenizers::Error) -> ModelError {
    ModelError::Compute { reason: format!("tokenizing: {error}") }
}
