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
use std::collections::{BTreeMap, BTreeSet};

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

/// How sure retrieval is, 0 to 1: the best candidate's mean of cosine similarity and share of the question's words, in the
/// one of its `wordings` of which it has most.
pub(crate) fn confidence(index: &Index, wordings: &[String], candidates: &[Candidate]) -> f32 {
    // By the language in which they are read: that of the passage.
    let mut wanted: BTreeMap<Option<&str>, Vec<BTreeSet<String>>> = BTreeMap::new();
    let mut best: f32 = 0.0;
    for candidate in candidates.iter().take(8) {
        let language = candidate.document.language.as_deref();
        // The question may be in another language than the passage.
        let read = || {
            let read = |wording| [language, None].map(|language| asked_for(index, wording, language));
            wordings.iter().flat_map(|wording| read(wording)).collect()
        };
        let wanted: &Vec<BTreeSet<String>> = wanted.entry(language).or_insert_with(read);
        best = best.max(sureness(candidate.hit.cosine, wanted, &terms(index, candidate)));
    }
    best
}

/// The mean of a passage's `cosine` and the share of the question's terms among its own. Without a vector, as a passage is
/// that was read a moment ago, the words alone count.
fn sureness(cosine: Option<f32>, wanted: &[BTreeSet<String>], has: &BTreeSet<String>) -> f32 {
    let covered = wanted.iter().filter_map(|wanted| covered(wanted, has)).reduce(f32::max);
    match (cosine.map(|cosine| cosine.clamp(0.0, 1.0)), covered) {
        (Some(cosine), Some(covered)) => f32::midpoint(cosine, covered),
        (one, other) => one.or(other).unwrap_or(0.0),
    }
}

/// Words of a question that are looked for at most: of a pasted letter with a question the question may stand at either end.
const ASKED_FOR: usize = 64;

/// The terms of a question.
fn asked_for(index: &Index, question: &str, language: Option<&str>) -> BTreeSet<String> {
    let terms = index.terms(question, language);
    let behind = terms.len().saturating_sub(ASKED_FOR / 2).max(ASKED_FOR / 2);
    let ends = terms.iter().take(ASKED_FOR / 2).chain(terms.iter().skip(behind));
    ends.cloned().collect()
}

/// The share of `wanted` that `has` has; `None` if nothing is wanted.
#[allow(clippy::cast_precision_loss, reason = "a handful of words")]
fn covered(wanted: &BTreeSet<String>, has: &BTreeSet<String>) -> Option<f32> {
    (!wanted.is_empty()).then(|| wanted.intersection(has).count() as f32 / wanted.len() as f32)
}

/// The terms of a passage with the title and the headings above it.
fn terms(index: &Index, Candidate { passage, document, .. }: &Candidate) -> BTreeSet<String> {
    let text = format!("{} {} {}", document.title, passage.heading_path.join(" "), passage.text);
    index.terms(&text, document.language.as_deref()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_sure_retrieval_is_goes_by_what_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(folder.path(), 1).unwrap();
        let of = |text: &str| -> BTreeSet<String> { index.terms(text, Some("en")).into_iter().collect() };
        let asked =
            |wordings: &[&str]| wordings.iter().map(|text| asked_for(&index, text, Some("en"))).collect::<Vec<_>>();
        let office = of("The People Office is in Harbour House, room 12.");
        let reset = of("To reset a VPN token, call extension 4400.");
        let question = asked(&["How do I reset my VPN token?"]);
        let known = sureness(Some(0.2), &question, &reset);
        assert!(sureness(None, &question, &reset) > LEAST_CONFIDENCE, "its vector may come later");
        assert!(known > 0.2 && known < sureness(Some(0.6), &question, &reset));
        // By another of its names.
        let [alone, also] =
            [&["Where is the PO?"][..], &["Where is the PO?", "Where is the People Office?"]].map(asked);
        assert!(sureness(Some(0.5), &alone, &office) < LEAST_CONFIDENCE);
        assert!(sureness(Some(0.5), &also, &office) > 0.5);
        assert!((sureness(Some(0.5), &asked(&["?"]), &office) - 0.5).abs() < f32::EPSILON);
        assert!(sureness(None, &asked(&["?"]), &office).abs() < f32::EPSILON);
    }

    #[test]
    fn of_a_pasted_letter_both_ends_are_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(folder.path(), 1).unwrap();
        let letter: String = (0..500).map(|word| format!("word{word} ")).collect();
        let asked = asked_for(&index, &format!("{letter} deadline of the tender"), None);
        assert!(asked.len() <= ASKED_FOR && asked.contains("word0") && asked.contains("tender"), "{asked:?}");
        let twice = asked_for(&index, &letter[..600], None);
        assert!(twice.len() <= ASKED_FOR && twice.len() >= ASKED_FOR / 2);
    }
}
