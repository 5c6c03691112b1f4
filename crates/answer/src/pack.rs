//! Pack: the passages that go into the prompt, numbered as the answer will cite them.

use crate::Settings;
use crate::alike::Words;
use crate::retrieve::Candidate;
use domain::{Document, Label, Passage};

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

/// Tokens of a title and a heading that the budget leaves room for beside it.
const HEAD: usize = 64;

/// Tokens of a passage that may stand in a prompt alone, however small the budget.
const ALONE: usize = 2_000;

/// The best candidates that fit: near-copies of a better one are left out, and one that is too long makes room for a
/// shorter one behind it.
pub(crate) fn pack(candidates: Vec<Candidate>, settings: &Settings, count: impl Fn(&str) -> usize) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    let mut seen: Vec<Words> = Vec::new();
    let mut tokens = 0;
    for Candidate { passage, document, hit } in candidates {
        if sources.len() == settings.passages {
            break;
        }
        let words = Words::of(&passage.text);
        if seen.iter().any(|other| other.alike(&words)) {
            continue;
        }
        let cost = count(&passage.text) + count(&head(&passage, &document)).saturating_sub(HEAD);
        // One passage is better than none, but not one that leaves no room for an answer.
        let most = if sources.is_empty() { settings.passage_tokens.max(ALONE) } else { settings.passage_tokens };
        if tokens + cost > most {
            continue;
        }
        tokens += cost;
        seen.push(words);
        let rank = u32::try_from(sources.len() + 1).unwrap_or(u32::MAX);
        sources.push(Source { rank, passage, document, score: hit.cosine.unwrap_or(hit.score).clamp(0.0, 1.0) });
    }
    sources
}

/// What a prompt tells of a passage before its text: the title and the last heading.
pub(crate) fn head(passage: &Passage, document: &Document) -> String {
    let above = passage.heading_path.last().map(|heading| format!(", {heading}")).unwrap_or_default();
    format!("{}{above}", document.title)
}

/// The highest label among the sources: what the answer carries.
pub(crate) fn label(sources: &[Source]) -> Option<Label> {
    sources.iter().map(|source| source.document.label).max()
}
