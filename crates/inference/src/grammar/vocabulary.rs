//! A vocabulary as a tree of bytes, which grammars walk.

use crate::tokenizer::TextTokenizer;
use llguidance::api::ParserLimits;
use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use llguidance::{ParserFactory, panic_utils};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// The tokens of a model that spell text, and those that end one.
pub(crate) struct Vocabulary {
    factory: ParserFactory,
    ends: Vec<u32>,
}

impl Vocabulary {
    /// Takes some tenths of a second for 150,000 tokens. The error is a reason.
    pub(super) fn new(tokenizer: &TextTokenizer) -> Result<Self, String> {
        let words = (0..tokenizer.size() as u32).map(|token| tokenizer.text_bytes(token).to_vec()).collect();
        Self::from_words(words, tokenizer.ends().to_vec())
    }

    /// Of the bytes of each token, none for tokens that spell no text; `ends` holds at least one token.
    pub(super) fn from_words(mut words: Vec<Vec<u8>>, ends: Vec<u32>) -> Result<Self, String> {
        // The library has meanings of its own for what begins with this byte, which is in no text.
        words.iter_mut().filter(|word| word.first() == Some(&TokTrie::SPECIAL_TOKEN_MARKER)).for_each(Vec::clear);
        let info = TokRxInfo::new(words.len() as u32, ends.first().copied().unwrap_or_default());
        // It asserts what a hostile vocabulary may break, such as the length of tokens.
        let factory = panic_utils::catch_unwind(AssertUnwindSafe(|| {
            let trie = TokTrie::from(&info, &words).with_eos_tokens(&ends);
            let tokens: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
            let mut factory = ParserFactory::new_simple(&tokens)?;
            factory.quiet();
            *factory.limits_mut() = limits();
            Ok(factory)
        }));
        let factory = factory.map_err(|_| "this model's vocabulary is of an unknown form".to_owned())?;
        Ok(Self { factory, ends })
    }

    pub(super) fn factory(&self) -> &ParserFactory {
        &self.factory
    }

    /// Tokens that end a text.
    pub(super) fn ends(&self) -> &[u32] {
        &self.ends
    }
}

/// What a grammar may cost: about 20 ms to build its lexer, 15 ms for a token, 40 MB.
fn limits() -> ParserLimits {
    ParserLimits {
        max_lexer_states: 20_000,
        max_grammar_size: 100_000,
        verbose_errors: false,
        ..ParserLimits::default()
    }
}
