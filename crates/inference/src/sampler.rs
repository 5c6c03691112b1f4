//! Choosing the next token from the logits.

use crate::ModelError;
use serde::{Deserialize, Serialize};

/// How tokens are chosen. The same model, prompt, sampling and seed give the same text on the same processor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Divides the logits before softmax; 0 is greedy: always the likeliest token.
    pub temperature: f32,
    /// Only this many of the likeliest tokens; 0 is all.
    pub top_k: u32,
    /// Nucleus sampling (Holtzman et al. 2019): only the likeliest tokens whose probabilities sum to this; 1 is all.
    pub top_p: f32,
    /// Only tokens at least this many times as likely as the likeliest one (Nguyen et al. 2024); 0 is all.
    pub min_p: f32,
    /// Divides the logits above 0 of tokens that the prompt or the answer has, and multiplies those below (Keskar et
    /// al. 2019); 1 is off.
    pub repetition_penalty: f32,
    /// Taken from a token's logit for each time that the answer has it; 0 is off.
    pub frequency_penalty: f32,
    /// Taken from a token's logit once the answer has it; 0 is off.
    pub presence_penalty: f32,
    /// Starts the random sequence.
    pub seed: u64,
}

/// A token of an answer and how likely the model found it. Natural logarithms of probabilities, from the model's own
/// distribution: temperature, penalties and schema don't show.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogprob {
    /// The token as text; part of a character shows as a replacement character.
    pub token: String,
    /// The token as bytes.
    pub bytes: Vec<u8>,
    /// How likely it was.
    pub logprob: f32,
    /// The likeliest tokens in its place, likeliest first; as many as were asked for.
    pub top: Vec<(String, f32)>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self::GREEDY
    }
}

impl Sampling {
    /// Always the likeliest token; nothing is random.
    pub const GREEDY: Self = Self {
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        repetition_penalty: 1.0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        seed: 0,
    };

    /// Refuses values without meaning.
    pub(crate) fn check(&self) -> Result<(), ModelError> {
        let invalid = |reason: &str| Err(ModelError::InvalidRequest { reason: reason.to_owned() });
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return invalid("temperature must be 0 or more");
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return invalid("top_p must be above 0 and at most 1");
        }
        Ok(())
    }
}

/// The state of sampling for one sequence.
pub(crate) struct Sampler {
    sampling: Sampling,
    random: Pcg32,
    order: Vec<(f32, u32)>,
}

impl Sampler {
    pub(crate) fn new(sampling: Sampling) -> Self {
        Self { sampling, random: Pcg32::new(sampling.seed), order: Vec::new() }
    }

    /// The next token for `logits`, one a vocabulary entry. Not-a-number never wins.
    pub(crate) fn sample(&mut self, logits: &[f32]) -> u32 {
        let best = argmax(logits);
        if self.sampling.temperature <= 0.0 {
            return best;
        }
        let maximum = logits.get(best as usize).copied().unwrap_or(0.0);
        // Tokens less likely than e^-20 of the best one can't be drawn in practice; leaving them out keeps the sort short.
        self.order.clear();
        for (token, &logit) in logits.iter().enumerate() {
            let scaled = (logit - maximum) / self.sampling.temperature;
            if scaled > -20.0 {
                self.order.push((scaled.exp(), token as u32));
            }
        }
        self.order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let total: f32 = self.order.iter().map(|(weight, _)| weight).sum();
        let (mut kept, mut length) = (0.0, 0);
        while length < self.order.len() && (length == 0 || kept < self.sampling.top_p * total) {
            kept += self.order[length].0;
            length += 1;
        }
        let mut left = self.random.unit() * kept;
        for &(weight, token) in &self.order[..length] {
            left -= weight;
            if left < 0.0 {
                return token;
            }
        }
        self.order[..length].last().map_or(best, |&(_, token)| token)
    }
}

/// The first of the greatest logits.
fn argmax(logits: &[f32]) -> u32 {
    let mut best = (f32::NEG_INFINITY, 0);
    for (token, &logit) in logits.iter().enumerate() {
        if logit > best.0 {
            best = (logit, token as u32);
        }
    }
    best.1
}

/// PCG-XSH-RR 64/32 (O'Neill 2014): small, seedable, and the same on every machine, so that answers can be replayed.
struct Pcg32 {
    state: u64,
}

impl Pcg32 {
    const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
    const INCREMENT: u64 = 1_442_695_040_888_963_407;

    fn new(seed: u64) -> Self {
        let mut random = Self { state: seed.wrapping_add(Self::INCREMENT) };
        random.next();
        random
    }

    fn next(&mut self) -> u32 {
        let old = self.state;
        self.state = old.wrapping_mul(Self::MULTIPLIER).wrapping_add(Self::INCREMENT);
        let shifted = (((old >> 18) ^ old) >> 27) as u32;
        shifted.rotate_right((old >> 59) as u32)
    }

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f32 {
        (self.next() >> 8) as f32 / (1u32 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(sampling: Sampling, logits: &[f32], count: usize) -> Vec<u32> {
        let mut sampler = Sampler::new(sampling);
        (0..count).map(|_| sampler.sample(logits)).collect()
    }

    #[test]
    fn greedy_takes_the_first_of_the_greatest() {
        let logits = [0.0, f32::NAN, 3.0, 3.0, -1.0];
        assert_eq!(draws(Sampling::default(), &logits, 3), [2, 2, 2]);
    }

    #[test]
    fn a_seed_repeats_its_draws_and_another_differs() {
        let logits: Vec<f32> = (0..50).map(|i| (i as f32 * 0.7).sin()).collect();
        let with = |seed| draws(Sampling { temperature: 1.0, top_p: 1.0, seed, ..Sampling::GREEDY }, &logits, 40);
        assert_eq!(with(7), with(7));
        assert_ne!(with(7), with(8));
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let logits = [0.0, 3f32.ln()];
        let drawn = draws(Sampling { temperature: 1.0, top_p: 1.0, seed: 1, ..Sampling::GREEDY }, &logits, 20_000);
        let share = drawn.iter().filter(|&&token| token == 1).count() as f32 / 20_000.0;
        assert!((share - 0.75).abs() < 0.02, "{share}");
    }

    #[test]
    fn top_p_leaves_the_unlikely_out() {
        let logits = [5.0, 4.9, 0.0, -1.0];
        let drawn = draws(Sampling { temperature: 1.0, top_p: 0.9, seed: 3, ..Sampling::GREEDY }, &logits, 500);
        assert!(drawn.iter().all(|&token| token < 2));
        assert!(drawn.contains(&1));
    }

    #[test]
    fn values_without_meaning_are_refused() {
        for (temperature, top_p) in [(-1.0, 1.0), (f32::NAN, 1.0), (1.0, 0.0), (1.0, 1.5)] {
            assert!(Sampling { temperature, top_p, seed: 0, ..Sampling::GREEDY }.check().is_err());
        }
    }
}
