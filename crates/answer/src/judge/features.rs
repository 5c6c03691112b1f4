//! Features: what a question, the passages found for it and the answer written from them are judged by. All are numbers
//! of about the size of 1.

use super::declines::declines;
use super::expectation::Expectation;
use super::{confidence, terms};
use crate::cite::{Checked, FactKind, Support};
use crate::pack::Source;
use crate::retrieve::Candidate;
use index::Index;
use std::collections::{BTreeMap, BTreeSet};
use unicode_segmentation::UnicodeSegmentation;

/// The features by name.
pub type Features = BTreeMap<String, f32>;

/// Those that the model itself was asked for: whether the passages answer, before it wrote ([`super::probe`]), and what it
/// thinks of its answer at a second look.
pub const ASKED: [&str; 3] = ["probe", "stated", "right"];
/// Those that are known before anything is written.
pub const BEFORE: [&str; 9] =
    ["confidence", "cosine", "gap", "coverage", "single_coverage", "unknown_words", "focus", "met", "probe"];
/// Those that are known afterwards.
pub const AFTER: [&str; 9] = [
    "support",
    "supported",
    "unfounded_figures",
    "unfounded_names",
    "declines",
    "answer_met",
    "likelihood",
    "stated",
    "right",
];

/// The names that `stage` may use.
pub(super) fn names(after: bool, probe: bool) -> Vec<&'static str> {
    let all = BEFORE.into_iter().chain(AFTER.into_iter().filter(|_| after));
    all.filter(|name| probe || !ASKED.contains(name)).collect()
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

/// What the search says, all but `probe`. `sources` are those of `candidates` that go into the prompt.
pub(crate) fn of_search(index: &Index, question: &str, candidates: &[Candidate], sources: &[Source]) -> Features {
    let found: Vec<BTreeSet<String>> = candidates.iter().map(|candidate| terms(index, candidate)).collect();
    let packed = |candidate: &Candidate| sources.iter().any(|source| source.passage.id == candidate.passage.id);
    let shown: Vec<&BTreeSet<String>> =
        candidates.iter().zip(&found).filter(|(candidate, _)| packed(candidate)).map(|(_, terms)| terms).collect();
    let wanted = Wanted::of(index, question, &found);
    let mut cosines: Vec<f32> =
        candidates.iter().filter(|one| packed(one)).map(|one| one.hit.cosine.unwrap_or(0.0).clamp(0.0, 1.0)).collect();
    cosines.sort_by(|a, b| b.total_cmp(a));
    let best = cosines.first().copied().unwrap_or(0.0);
    let expected = Expectation::of(question);
    let (mut focus, mut met) = (0.0_f32, false);
    for source in sources {
        // Headings say what a sentence of a list or a row of a table is about.
        let above = source.passage.heading_path.last().map_or("", String::as_str);
        for piece in source.passage.text.split('\n').flat_map(str::unicode_sentences) {
            if expected.is_met_by(piece) {
                let terms: BTreeSet<String> =
                    index.terms(&format!("{above} {piece}"), source.document.language.as_deref()).into_iter().collect();
                focus = focus.max(wanted.share(|term| terms.contains(term)));
                met = true;
            }
        }
    }
    let mut features = Features::new();
    let mut set = |name: &str, value: f32| {
        features.insert(name.to_owned(), value);
    };
    set("confidence", confidence(index, question, candidates));
    set("cosine", best);
    set("gap", best - mean(cosines.iter().skip(1).copied()).unwrap_or(best));
    set("coverage", wanted.share(|term| shown.iter().any(|terms| terms.contains(term))));
    set("single_coverage", shown.iter().map(|terms| wanted.share(|term| terms.contains(term))).fold(0.0, f32::max));
    set("unknown_words", wanted.share(|term| !found.iter().any(|terms| terms.contains(term))));
    set("focus", focus);
    set("met", f32::from(u8::from(met)));
    features
}

/// What was written, added to what the search said. `likelihood` is the mean logarithm of its tokens' likelihoods, if
/// the engine tells.
pub(crate) fn of_answer(features: &mut Features, question: &str, checked: &[Checked], likelihood: Option<f32>) {
    let sentences = || checked.iter().map(|checked| &checked.sentence);
    let flag = |value: bool| f32::from(u8::from(value));
    let all: usize = checked.iter().map(|checked| checked.facts).sum();
    #[allow(clippy::cast_precision_loss, reason = "a handful of facts")]
    let unfounded = |names: bool| {
        let parts = sentences().flat_map(|sentence| &sentence.unfounded);
        parts.filter(|part| (part.kind == FactKind::Name) == names).count() as f32 / all.max(1) as f32
    };
    let expected = Expectation::of(question);
    let mut set = |name: &str, value: f32| {
        features.insert(name.to_owned(), value);
    };
    set("support", mean(checked.iter().map(|checked| checked.score)).unwrap_or(0.0));
    set("supported", mean(sentences().map(|sentence| flag(sentence.support == Support::Supported))).unwrap_or(0.0));
    set("unfounded_figures", unfounded(false));
    set("unfounded_names", unfounded(true));
    set("declines", flag(sentences().any(|sentence| declines(&sentence.text))));
    set("answer_met", flag(sentences().any(|sentence| expected.is_met_by(&sentence.text))));
    // Without likelihoods: what most answers have.
    set("likelihood", likelihood.unwrap_or(-0.1).clamp(LEAST_LIKELIHOOD, 0.0));
}

#[allow(clippy::cast_precision_loss, reason = "a handful of values")]
fn mean(values: impl Iterator<Item = f32>) -> Option<f32> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f32)
}
