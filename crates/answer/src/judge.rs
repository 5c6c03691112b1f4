//! Judge: whether what was retrieved can answer the question at all.
//!
//! The model alone either invents or refuses too much, so this is decided outside it: by how near the best passage
//! is in meaning, and by how many of the question's own words it has.

use crate::retrieve::Candidate;
use index::Index;
use std::collections::BTreeSet;

/// Chosen on the questions of `tests/samples`; docs/benchmarks.md has precision and recall of refusal there.
pub(crate) const LEAST_CONFIDENCE: f32 = 0.30;

/// How sure retrieval is, 0 to 1: the best candidate's mean of cosine similarity and share of the question's words.
pub(crate) fn confidence(index: &Index, question: &str, candidates: &[Candidate]) -> f32 {
    let wanted: BTreeSet<String> = index.terms(question, None).into_iter().collect();
    candidates.iter().take(8).map(|candidate| of_candidate(index, &wanted, candidate)).fold(0.0, f32::max)
}

fn of_candidate(index: &Index, wanted: &BTreeSet<String>, candidate: &Candidate) -> f32 {
    let Candidate { passage, document, hit } = candidate;
    let cosine = hit.cosine.unwrap_or(0.0).clamp(0.0, 1.0);
    if wanted.is_empty() {
        return cosine;
    }
    let text = format!("{} {} {}", document.title, passage.heading_path.join(" "), passage.text);
    let has: BTreeSet<String> = index.terms(&text, document.language.as_deref()).into_iter().collect();
    #[allow(clippy::cast_precision_loss, reason = "a handful of words")]
    let covered = wanted.intersection(&has).count() as f32 / wanted.len() as f32;
    f32::midpoint(cosine, covered)
}
