//! How likely the model found a token, before anything was done to its distribution.

use super::candidates::{Candidate, top};

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

/// [`TokenLogprob`] before tokens become text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Logprobs {
    pub(crate) logprob: f32,
    pub(crate) top: Vec<(u32, f32)>,
}

/// Of `token` and of the `count` likeliest tokens. `space` is to work in.
pub(super) fn logprobs(logits: &[f32], token: u32, count: usize, space: &mut Vec<Candidate>) -> Logprobs {
    let maximum = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().filter(|logit| !logit.is_nan()).map(|logit| f64::from((logit - maximum).exp())).sum();
    let whole = maximum + sum.ln() as f32;
    top(logits, count, space);
    Logprobs {
        logprob: logits.get(token as usize).map_or(f32::NEG_INFINITY, |logit| logit - whole),
        top: space.iter().map(|candidate| (candidate.token, candidate.logit - whole)).collect(),
    }
}
