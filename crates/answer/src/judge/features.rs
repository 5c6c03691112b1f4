//! Features: what a question, the passages found for it and the answer written from them are judged by. All are numbers
//! of about the size of 1. Few on purpose: of the eighteen that were tried, those that were left out made no fit better
//! and most of them made it worse on questions that it had not seen (docs/adr/0015).

use crate::cite::{Checked, FactKind};
use crate::pack::Source;
use crate::retrieve::Candidate;
use std::collections::BTreeMap;

/// The features by name.
pub type Features = BTreeMap<String, f32>;

/// The features that a stage goes by: before anything is written or after it.
pub(super) const fn names(after: bool) -> &'static [&'static str] {
    match after {
        false => &["cosine", "gap", "confidence"],
        true => &["cosine", "gap", "confidence", "support", "likelihood", "unfounded_names"],
    }
}

/// How far what is written may lie from certain, in natural logarithms.
const LEAST_LIKELIHOOD: f32 = -2.0;

/// What the search says, with how sure it is. `sources` are those of `candidates` that go into the prompt.
pub(crate) fn of_search(confidence: f32, candidates: &[Candidate], sources: &[Source]) -> Features {
    let packed = |candidate: &Candidate| sources.iter().any(|source| source.passage.id == candidate.passage.id);
    let known = candidates.iter().filter(|one| packed(one)).filter_map(|one| one.hit.cosine);
    let mut cosines: Vec<f32> = known.map(|cosine| cosine.clamp(0.0, 1.0)).collect();
    cosines.sort_by(|a, b| b.total_cmp(a));
    // Without a vector the words are all that is known.
    let best = cosines.first().copied().unwrap_or(confidence);
    let gap = best - mean(cosines.iter().skip(1).copied()).unwrap_or(best);
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
