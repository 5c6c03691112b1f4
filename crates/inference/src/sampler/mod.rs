//! Choosing the next token from the logits.

mod candidates;
mod logprobs;
mod penalties;
mod random;
mod settings;
#[cfg(test)]
mod tests;

pub use logprobs::TokenLogprob;
pub use settings::Sampling;

pub(crate) use logprobs::Logprobs;

use crate::ModelError;
use crate::grammar::GrammarState;
use candidates::{Candidate, argmax, draw};
use penalties::Penalties;
pub(crate) use random::Pcg32;

/// The most alternatives that a request may ask for, as in the OpenAI-compatible interface.
pub(crate) const MOST_LOGPROBS: usize = 20;

/// A chosen token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    pub(crate) token: u32,
    /// How likely it was, if that was asked for.
    pub(crate) logprobs: Option<Logprobs>,
}

/// The state of sampling for one sequence: what was drawn, what was written, where the grammar stands.
pub(crate) struct Sampler {
    sampling: Sampling,
    random: Pcg32,
    penalties: Option<Penalties>,
    grammar: Option<GrammarState>,
    /// How many alternatives are told with each token.
    logprobs: Option<usize>,
    adjusted: Vec<f32>,
    candidates: Vec<Candidate>,
}

impl Sampler {
    /// For a sequence that begins with `prompt`; `logprobs` is how many alternatives are told with each token.
    pub(crate) fn new(
        sampling: &Sampling,
        grammar: Option<GrammarState>,
        prompt: &[u32],
        logprobs: Option<usize>,
    ) -> Self {
        Self {
            sampling: *sampling,
            random: Pcg32::new(sampling.seed),
            penalties: Penalties::new(sampling, prompt),
            grammar,
            logprobs,
            adjusted: Vec::new(),
            candidates: Vec::new(),
        }
    }

    /// Chooses the sequence's next token from `logits`, one a vocabulary entry, and takes it as written. Not-a-number
    /// never wins.
    ///
    /// # Errors
    /// [`ModelError::InvalidRequest`] when the schema is too much work to follow; the sequence can't go on.
    pub(crate) fn sample(&mut self, logits: &[f32]) -> Result<Choice, ModelError> {
        let token = if self.penalties.is_none() && self.grammar.is_none() {
            choose(logits, &self.sampling, &mut self.random, &mut self.candidates)
        } else {
            self.adjusted.clear();
            self.adjusted.extend_from_slice(logits);
            if let Some(penalties) = &self.penalties {
                penalties.apply(&mut self.adjusted);
            }
            if let Some(grammar) = &mut self.grammar {
                grammar.restrict(&mut self.adjusted)?;
            }
            choose(&self.adjusted, &self.sampling, &mut self.random, &mut self.candidates)
        };
        if let Some(penalties) = &mut self.penalties {
            penalties.record(token);
        }
        if let Some(grammar) = &mut self.grammar {
            grammar.accept(token)?;
        }
        let count = self.logprobs;
        let logprobs = count.map(|count| logprobs::logprobs(logits, token, count, &mut self.candidates));
        Ok(Choice { token, logprobs })
    }
}

fn choose(logits: &[f32], sampling: &Sampling, random: &mut Pcg32, candidates: &mut Vec<Candidate>) -> u32 {
    let best = argmax(logits);
    if sampling.temperature <= 0.0 {
        return best;
    }
    draw(logits, best, sampling, random.unit(), candidates)
}
