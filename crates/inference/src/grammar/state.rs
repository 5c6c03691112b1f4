//! Where one text stands in its grammar.

use super::Vocabulary;
use crate::ModelError;
use llguidance::Matcher;
use llguidance::toktrie::SimpleVob;
use std::sync::Arc;

/// Follows the tokens of one sequence.
pub(crate) struct GrammarState {
    matcher: Matcher,
    vocabulary: Arc<Vocabulary>,
    /// The tokens that open and close thinking, of a model that has them.
    thinking: Option<(Option<u32>, u32)>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is written; thinking may still be opened.
    Begin,
    /// The model thinks, in whatever words.
    Thinking,
    /// The text that obeys the grammar.
    Text,
}

impl GrammarState {
    pub(super) fn new(
        matcher: Matcher,
        vocabulary: Arc<Vocabulary>,
        thinking: Option<(Option<u32>, u32)>,
        inside: bool,
    ) -> Self {
        let stage = if inside && thinking.is_some() { Stage::Thinking } else { Stage::Begin };
        Self { matcher, vocabulary, thinking, stage }
    }

    /// Makes every token that may not come next impossible.
    ///
    /// # Errors
    /// [`ModelError::InvalidRequest`] when the next token is too much work to find or there is none.
    pub(crate) fn restrict(&mut self, logits: &mut [f32]) -> Result<(), ModelError> {
        if self.stage == Stage::Thinking {
            for &end in self.vocabulary.ends() {
                if let Some(logit) = logits.get_mut(end as usize) {
                    *logit = f32::NEG_INFINITY;
                }
            }
            return Ok(());
        }
        let mut mask = self.mask()?;
        if self.stage == Stage::Begin
            && let Some((Some(open), _)) = self.thinking
        {
            mask.allow_token(open);
        }
        if apply(&mask, logits) { Ok(()) } else { Err(lost("no token of the model can go on")) }
    }

    /// The tokens that may come next.
    fn mask(&mut self) -> Result<SimpleVob, ModelError> {
        self.matcher.compute_mask_or_eos().map_err(|error| lost(&super::reason(&error.to_string())))
    }

    /// Goes on by one token, which [`Self::restrict`] has left possible.
    ///
    /// # Errors
    /// [`ModelError::InvalidRequest`] when that is too much work.
    pub(crate) fn accept(&mut self, token: u32) -> Result<(), ModelError> {
        match (self.stage, self.thinking) {
            (Stage::Begin, Some((open, _))) if open == Some(token) => self.stage = Stage::Thinking,
            (Stage::Thinking, Some((_, close))) if close == token => self.stage = Stage::Text,
            (Stage::Thinking, _) => {}
            _ if self.vocabulary.ends().contains(&token) => {}
            _ => {
                self.stage = Stage::Text;
                self.matcher.consume_token(token).map_err(|error| lost(&super::reason(&error.to_string())))?;
            }
        }
        Ok(())
    }

    /// Whether the text obeys the schema as it stands; only then may it end.
    #[cfg(test)]
    pub(crate) fn is_complete(&mut self) -> bool {
        self.stage != Stage::Thinking && (self.matcher.is_stopped() || self.matcher.is_accepting().unwrap_or(false))
    }
}

fn lost(reason: &str) -> ModelError {
    ModelError::InvalidRequest { reason: format!("the schema cannot be followed any further: {reason}") }
}

/// Leaves the logits of the tokens in `mask`, the others are impossible then; `false` if none is left.
fn apply(mask: &SimpleVob, logits: &mut [f32]) -> bool {
    let words = mask.as_slice().iter().copied().chain(std::iter::repeat(0));
    let mut any = false;
    for (logits, word) in logits.chunks_mut(u32::BITS as usize).zip(words) {
        if word == 0 {
            logits.fill(f32::NEG_INFINITY);
            continue;
        }
        for (bit, logit) in logits.iter_mut().enumerate() {
            if word >> bit & 1 == 0 {
                *logit = f32::NEG_INFINITY;
            } else {
                any |= *logit > f32::NEG_INFINITY;
            }
        }
    }
    any
}
