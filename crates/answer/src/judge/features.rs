//! Features: what a question, the passages found for it and the answer written from them are judged by. All are numbers
//! of about the size of 1. Few on purpose: of the eighteen that were tried, those that were left out made no fit better
//! and most of them made it worse on questions that it had not seen (docs/adr/0015).

use super::confidence;
use crate::cite::{Checked, FactKind};
use crate::pack::Source;
use crate::retrieve::Candidate;
use index::Index;
use std::collections::{BTreeMap, BTreeSet};

/// The features by name.
pub type Features = BTreeMap<String, f32>;

/// What tells whether the model was asked: its word that the passages state the answer ([`super::look`]).
pub const ASKED: &str = "stated";

/// The features that a stage goes by: before anything is written or after it, with the model asked or without.
pub(super) const fn names(after: bool, asked: bool) -> &'static [&'static str] {
    match (after, asked) {
        (false, true) => &["stated", "cosine"],
        (true, true) => &["stated", "cosine", "right"],
        (false, false) => &["cosine", "gap", "confidence"],
        (true, false) => &["cosine", "gap", "confidence", "support", "likelihood", "unfounded_names"],
    }
}

/// How far what is written may lie from certain, in natural logarithms.
const LEAST_LIKELIHOOD: f32 = -2.0;

/// Terms of a question and what each counts: a word that few of the passages found have says more than one that
/// most have.
pub(super) struct Wanted {
    weights: Vec<(String, f32)>,
    sum: f32,
}

impl Wanted {
    #[allow(clippy::cast_precision_loss, reason = "a handful of passages")]
    pub(super) fn of(index: &Index, question: &str, found: &[BTreeSet<String>]) -> Self {
        let terms: BTreeSet<String> = index.terms(question, None).into_iter().collect();
        let weight = |term: &String| {
            let have = found.iter().filter(|terms| terms.contains(term)).count() as f32;
            ((found.len() as f32 + 1.0) / (have + 0.5)).ln().max(0.1)
        };
        let weights: Vec<(String, f32)> = terms.into_iter().map(|term| (term.clone(), weight(&term))).collect();
        let sum = weights.iter().map(|(_, weight)| weight).sum();
        Self { weights, sum }
    }

    /// The weighed share of the question's words for which `has` holds; all of no words.
    pub(super) fn share(&self, has: impl Fn(&String) -> bool) -> f32 {
        match self.weights.is_empty() {
            true => 1.0,
            false => {
                self.weights.iter().filter(|(term, _)| has(term)).map(|(_, weight)| weight).sum::<f32>() / self.sum
            }
        }
    }
}

/// What the search says. `sources` are those of `candidates` that go into the prompt.
pub(crate) fn of_search(index: &Index, question: &str, candidates: &[Candidate], sources: &[Source]) -> Features {
    let packed = |candidate: &Candidate| sources.iter().any(|source| source.passage.id == candidate.passage.id);
    let mut cosines: Vec<f32> =
        candidates.iter().filter(|one| packed(one)).map(|one| one.hit.cosine.unwrap_or(0.0).clamp(0.0, 1.0)).collect();
    cosines.sort_by(|a, b| b.total_cmp(a));
    let best = cosines.first().copied().unwrap_or(0.0);
    let gap = best - mean(cosines.iter().skip(1).copied()).unwrap_or(best);
    let confidence = confidence(index, question, candidates);
    [("cosine", best), ("gap", gap), ("confidence", confidence)].map(|(name, value)| (name.to_owned(), value)).into()
}

/// What was written, added to what the search said. `likelihood` is the mean logarithm of its tokens' likelihoods, if
/// the engine tells.
pub(crate) fn of_answer(features: &mut Features, checked: &[Checked], likelihood: Option<f32>) {
    let facts: usize = checked.iter().map(|checked| checked.facts).sum();
    let unfounded = checked.iter().flat_map(|checked| &checked.sentence.unfounded);
    let names = unfounded.filter(|part| part.kind == FactKind::Name).count();
    #[allow(clippy::cast_precision_loss, reason = "a handful of facts")]
    let unfounded_names = names as f32 / facts.max(1) as f32;
    let support = mean(checked.iter().map(|checked| checked.score)).unwrap_or(0.0);
    // Without likelihoods: what most answers have.
    let likelihood = likelihood.unwrap_or(-0.1).clamp(LEAST_LIKELIHOOD, 0.0);
    let all = [("support", support), ("unfounded_names", unfounded_names), ("likelihood", likelihood)];
    features.extend(all.map(|(name, value)| (name.to_owned(), value)));
}

#[allow(clippy::cast_precision_loss, reason = "a handful of values")]
fn mean(values: impl Iterator<Item = f32>) -> Option<f32> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f32)
}
