//! Making tokens that were seen before less likely.

use super::Sampling;
use std::collections::HashMap;

/// The tokens of one sequence and what they cost.
pub(super) struct Penalties {
    repetition: f32,
    frequency: f32,
    presence: f32,
    /// How often the answer has each token that prompt or answer have.
    seen: HashMap<u32, u32>,
}

impl Penalties {
    /// `None` when `sampling` penalises nothing.
    pub(super) fn new(sampling: &Sampling, prompt: &[u32]) -> Option<Self> {
        let (repetition, frequency) = (sampling.repetition_penalty, sampling.frequency_penalty);
        let presence = sampling.presence_penalty;
        if (repetition, frequency, presence) == (1.0, 0.0, 0.0) {
            return None;
        }
        let seen = prompt.iter().map(|&token| (token, 0)).collect();
        Some(Self { repetition, frequency, presence, seen })
    }

    /// Counts a token of the answer.
    pub(super) fn record(&mut self, token: u32) {
        *self.seen.entry(token).or_default() += 1;
    }

    pub(super) fn apply(&self, logits: &mut [f32]) {
        for (&token, &count) in &self.seen {
            let Some(logit) = logits.get_mut(token as usize) else { continue };
            *logit = if *logit > 0.0 { *logit / self.repetition } else { *logit * self.repetition };
            if count > 0 {
                *logit -= count as f32 * self.frequency + self.presence;
            }
        }
    }
}
