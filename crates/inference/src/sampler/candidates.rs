//! The tokens that may be drawn, and the draw. A vocabulary has up to 250,000 of them, so nothing here sorts it whole.

use super::Sampling;
use std::cmp::Ordering;

/// Tokens less likely than e^-20 of the best one can't be drawn in practice; leaving them out keeps the list short.
const RANGE: f32 = 20.0;

/// How many tokens the search for a nucleus sorts first; four times as many each time that it needs more.
const NUCLEUS: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) logit: f32,
    pub(super) token: u32,
}

impl Candidate {
    /// Likeliest first; of equals the one with the smaller number, so that a seed repeats its draws.
    fn order(&self, other: &Self) -> Ordering {
        other.logit.total_cmp(&self.logit).then(self.token.cmp(&other.token))
    }
}

/// The first of the greatest logits. Not-a-number never wins.
pub(super) fn argmax(logits: &[f32]) -> u32 {
    let mut best = (f32::NEG_INFINITY, 0);
    for (token, &logit) in logits.iter().enumerate() {
        if logit > best.0 {
            best = (logit, token as u32);
        }
    }
    best.1
}

/// Puts the `count` likeliest tokens of `logits` into `likeliest`, in order. One pass: most tokens fall below the worst
/// one kept so far.
pub(super) fn top(logits: &[f32], count: usize, likeliest: &mut Vec<Candidate>) {
    likeliest.clear();
    if count == 0 {
        return;
    }
    let full = count.saturating_mul(2).max(64);
    let mut worst = f32::NEG_INFINITY;
    for (token, &logit) in logits.iter().enumerate() {
        if logit > worst {
            likeliest.push(Candidate { logit, token: token as u32 });
            if likeliest.len() == full {
                let (_, last, _) = likeliest.select_nth_unstable_by(count - 1, Candidate::order);
                worst = last.logit;
                likeliest.truncate(count);
            }
        }
    }
    likeliest.sort_unstable_by(Candidate::order);
    likeliest.truncate(count);
}

/// Draws a token of `logits`, whose first greatest one is `best`, at `unit` in [0, 1) of the probabilities that
/// `sampling` leaves. `candidates` is space to work in.
pub(super) fn draw(logits: &[f32], best: u32, sampling: &Sampling, unit: f32, candidates: &mut Vec<Candidate>) -> u32 {
    let maximum = logits.get(best as usize).copied().unwrap_or(f32::NEG_INFINITY);
    // ln 0 is minus infinity: no floor.
    let floor = maximum + sampling.min_p.ln();
    let top_k = sampling.top_k as usize;
    if top_k > 0 && top_k < logits.len() {
        top(logits, top_k, candidates);
    } else {
        let mut least = maximum - RANGE * sampling.temperature.max(1.0);
        if sampling.top_p >= 1.0 {
            // No nucleus asks for the probabilities of the others.
            least = least.max(floor);
        }
        candidates.clear();
        let tokens = logits.iter().zip(0..).filter(|(logit, _)| **logit >= least);
        candidates.extend(tokens.map(|(&logit, token)| Candidate { logit, token }));
    }
    if sampling.top_p < 1.0 {
        nucleus(candidates, maximum, sampling.top_p);
    }
    candidates.retain(|candidate| candidate.logit >= floor);
    let weight = |candidate: &Candidate| f64::from(((candidate.logit - maximum) / sampling.temperature).exp());
    let mut left = f64::from(unit) * candidates.iter().map(weight).sum::<f64>();
    for candidate in candidates.iter() {
        left -= weight(candidate);
        if left < 0.0 {
            return candidate.token;
        }
    }
    candidates.last().map_or(best, |candidate| candidate.token)
}

/// Leaves the likeliest candidates whose probabilities sum to `share`, in order; at least one.
fn nucleus(candidates: &mut Vec<Candidate>, maximum: f32, share: f32) {
    let weight = |candidate: &Candidate| f64::from((candidate.logit - maximum).exp());
    let wanted = f64::from(share) * candidates.iter().map(weight).sum::<f64>();
    let (mut sorted, mut chunk, mut kept) = (0, NUCLEUS, 0.0);
    while sorted < candidates.len() {
        let end = candidates.len().min(sorted + chunk);
        if end < candidates.len() {
            candidates[sorted..].select_nth_unstable_by(end - sorted - 1, Candidate::order);
        }
        candidates[sorted..end].sort_unstable_by(Candidate::order);
        for at in sorted..end {
            kept += weight(&candidates[at]);
            if kept >= wanted {
                candidates.truncate(at + 1);
                return;
            }
        }
        (sorted, chunk) = (end, chunk * 4);
    }
}
