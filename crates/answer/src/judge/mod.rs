//! Judge: whether the passages can answer the question, and whether what was written stands.
//!
//! The model alone either invents or refuses too much, so this is decided outside it: for a model that is known, by what
//! it has in mind before it writes ([`probe`]); for others by features of the search and of what the check of each
//! sentence found, weighed by a small logistic regression. Both are fitted by `carrel eval calibrate` (docs/quality.md,
//! adr/0015).

mod calibration;
mod declines;
mod features;
mod fit;
mod probe;

pub use calibration::{Calibration, CalibrationError, Logistic, Stages};
pub use features::Features;
pub use fit::{Observation, fit};
pub use probe::{Probe, Reading};

pub(crate) use declines::declines;
pub(crate) use features::{of_answer, of_search};

use crate::retrieve::Candidate;
use index::Index;
use serde::Serialize;
use std::collections::BTreeSet;

/// Low on purpose: it keeps out what is far from every document the person may see, before anything is computed.
pub(crate) const LEAST_CONFIDENCE: f32 = 0.30;

/// When the model's hidden state is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probing {
    /// Never.
    Never,
    /// If the calibration knows what it means.
    Calibrated,
    /// In any case, to calibrate; it decides nothing.
    Always,
    /// The same, and nothing is written: half the time for those who fit nothing but a probe.
    Alone,
}

/// What was decided about a question, and from what.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Judgement {
    /// How likely it is that the passages answer the question, before anything was written, 0 to 1.
    pub before: Option<f32>,
    /// How likely it is that what was written answers it from the passages, 0 to 1. If the model's hidden state was read, the
    /// same.
    pub after: Option<f32>,
    /// What the search and the check of the sentences say.
    pub features: Features,
    /// The hidden state, if it was read to calibrate.
    #[serde(skip)]
    pub state: Vec<f32>,
}

/// How sure retrieval is, 0 to 1: the best candidate's mean of cosine similarity and share of the question's words.
pub(crate) fn confidence(index: &Index, question: &str, candidates: &[Candidate]) -> f32 {
    let wanted: BTreeSet<String> = index.terms(question, None).into_iter().collect();
    candidates.iter().take(8).map(|candidate| of_candidate(index, &wanted, candidate)).fold(0.0, f32::max)
}

fn of_candidate(index: &Index, wanted: &BTreeSet<String>, candidate: &Candidate) -> f32 {
    let cosine = candidate.hit.cosine.unwrap_or(0.0).clamp(0.0, 1.0);
    if wanted.is_empty() {
        return cosine;
    }
    let has = terms(index, candidate);
    #[allow(clippy::cast_precision_loss, reason = "a handful of words")]
    let covered = wanted.intersection(&has).count() as f32 / wanted.len() as f32;
    f32::midpoint(cosine, covered)
}

/// The terms of a passage with the title and the headings above it.
fn terms(index: &Index, Candidate { passage, document, .. }: &Candidate) -> BTreeSet<String> {
    let text = format!("{} {} {}", document.title, passage.heading_path.join(" "), passage.text);
    index.terms(&text, document.language.as_deref()).into_iter().collect()
}
