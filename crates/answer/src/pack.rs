//! Pack: the passages that go into the prompt, numbered as the answer will cite them.

use crate::Settings;
use crate::retrieve::Candidate;
use domain::{Document, Label, Passage};
use std::collections::BTreeSet;

/// A numbered source of an answer.
#[derive(Debug, Clone)]
pub struct Source {
    /// 1-based number, as cited.
    pub rank: u32,
    /// The passage.
    pub passage: Passage,
    /// Its document.
    pub document: Document,
    /// Match with the question, 0 to 1.
    pub score: f32,
}

/// The best candidates that fit: near-copies of a better one are left out, and one that is too long makes room for a
/// shorter one behind it.
pub(crate) fn pack(candidates: Vec<Candidate>, settings: &Settings, count: impl Fn(&str) -> usize) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    let mut seen: Vec<BTreeSet<String>> = Vec::new();
    let mut tokens = 0;
    for Candidate { passage, document, hit } in candidates {
        if sources.len() == settings.passages {
            break;
        }
        let words = words(&passage.text);
        if seen.iter().any(|other| overlap(&words, other) > 0.85) {
            continue;
        }
        let cost = count(&passage.text);
        if tokens + cost > settings.passage_tokens && !sources.is_empty() {
            continue;
        }
        tokens += cost;
        seen.push(words);
        let rank = u32::try_from(sources.len() + 1).unwrap_or(u32::MAX);
        sources.push(Source { rank, passage, document, score: hit.cosine.unwrap_or(hit.score).clamp(0.0, 1.0) });
    }
    sources
}

/// The highest label among the sources: what the answer carries.
pub(crate) fn label(sources: &[Source]) -> Option<Label> {
    sources.iter().map(|source| source.document.label).max()
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Jaccard similarity.
fn overlap(a: &BTreeSet<String>, b: &BTreeSet<String>) -> f64 {
    let common = a.intersection(b).count();
    let all = a.len() + b.len() - common;
    #[allow(clippy::cast_precision_loss, reason = "counts of words in a passage")]
    let ratio = common as f64 / all.max(1) as f64;
    ratio
}
