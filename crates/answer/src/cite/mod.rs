//! Cite: ties each sentence of an answer to the passage it rests on, by a check of its own after generation.
//!
//! What the model wrote between brackets is a hint, not a proof: a number that names no passage is dropped, one that
//! names the wrong passage is corrected. A sentence is compared with a passage by its words, by its meaning (the
//! embedder in use, all sentences in one batch), and exactly by its facts: numbers with their units, dates and names, and
//! whether it says yes or no.
//! docs/adr/0014 has the rule and why.

mod evidence;
mod facts;
mod numbers;
mod quantities;
mod sense;
mod sentences;
mod stock;
mod words;

pub use facts::FactKind;
pub(crate) use facts::{Fact, facts, names};
pub(crate) use sense::turns;

use crate::pack::Source;
use evidence::Evidence;
use index::Index;
use inference::{Embedder, ModelError};
use sense::{clauses, turned};
use sentences::{Raw, split};
use serde::{Deserialize, Serialize};
use stock::Stock;
use words::Style;

/// Whether the documents say what a sentence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// A passage says it, with every number and name of it.
    Supported,
    /// A passage says a good part of it, or says it without one of its numbers or names, or says the opposite.
    Partly,
    /// No passage does, or none has any of its numbers.
    #[serde(alias = "unsupported")]
    NotFound,
}

/// A number, date or name of a sentence that does not stand in the passages that the sentence rests on, or the words that turn
/// it into the opposite of what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfounded {
    /// Where it begins in the sentence's text, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What it is.
    pub kind: FactKind,
    /// Whether it stands in the question: then the sentence repeats it, and the documents still do not say it.
    pub asked: bool,
}

/// One sentence of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    /// Its text, without citation marks.
    pub text: String,
    /// Numbers of the sources it rests on, best first.
    pub citations: Vec<u32>,
    /// How well they support it.
    pub support: Support,
    /// What of it they do not have, in the order of the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfounded: Vec<Unfounded>,
    /// Whether a new paragraph begins with it.
    pub starts_paragraph: bool,
    /// Whether it is, or begins, an item of a list.
    pub list_item: bool,
}

/// A sentence with what the check measured of it.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) sentence: Sentence,
    /// How near the best passage comes to it, 0 to 1.
    pub(crate) score: f32,
    /// Its numbers, dates and names.
    pub(crate) facts: usize,
}

/// What sentences are checked against.
pub(crate) struct Ground<'a> {
    pub(crate) index: &'a Index,
    /// Gives sentences their vectors; without it words and facts decide.
    pub(crate) embedder: Option<&'a Embedder>,
    pub(crate) question: &'a str,
    pub(crate) passages: Vec<Passage<'a>>,
}

/// A passage to be compared with.
pub(crate) struct Passage<'a> {
    /// The number of its source.
    pub(crate) rank: u32,
    /// What it says, with the title and the headings above it.
    pub(crate) text: String,
    pub(crate) language: Option<&'a str>,
    /// Its unit vector, if it has one.
    pub(crate) vector: Option<&'a [f32]>,
}

impl<'a> Passage<'a> {
    pub(crate) fn of(source: &'a Source, vector: Option<&'a [f32]>) -> Self {
        let above = source.passage.heading_path.join("\n");
        let text = format!("{}\n{above}\n{}", source.document.title, source.passage.text);
        Self { rank: source.rank, text, language: source.document.language.as_deref(), vector }
    }
}

/// From here on a passage supports a sentence, and supports it in part.
const SUPPORTED: f32 = 0.58;
const PARTLY: f32 = 0.38;
/// A citation of the model stands if its passage is nearly as good as the best one.
const AS_GOOD: f32 = 0.12;

/// The sentences of `text`, each tied to the sources it rests on.
///
/// # Errors
/// A failing embedder.
pub(crate) fn cite(text: &str, ground: &Ground<'_>) -> Result<Vec<Checked>, ModelError> {
    let raw = split(text);
    let vectors = sentence_vectors(&raw, ground)?;
    let passages: Vec<Evidence<'_>> =
        ground.passages.iter().map(|passage| Evidence::of(ground.index, passage)).collect();
    let style = match Style::of(text, None) {
        Style::Unknown => Style::of(ground.question, None),
        known => known,
    };
    let question = Stock::of(ground.question, Style::of(ground.question, None));
    Ok(raw
        .into_iter()
        .enumerate()
        .map(|(at, raw)| {
            let vector = vectors.get(at).map(Vec::as_slice);
            tie(ground.index, raw, style, vector, &passages, &question)
        })
        .collect())
}

/// One vector a sentence, in one batch; none if there is nothing to compare them with.
fn sentence_vectors(raw: &[Raw], ground: &Ground<'_>) -> Result<Vec<Vec<f32>>, ModelError> {
    match ground.embedder {
        Some(embedder) if !raw.is_empty() && ground.passages.iter().any(|passage| passage.vector.is_some()) => {
            let texts: Vec<&str> = raw.iter().map(|raw| raw.text.as_str()).collect();
            embedder.embed_passages(&texts)
        }
        _ => Ok(Vec::new()),
    }
}

fn tie(
    index: &Index,
    raw: Raw,
    style: Style,
    vector: Option<&[f32]>,
    passages: &[Evidence<'_>],
    question: &Stock,
) -> Checked {
    let facts = facts(&raw.text, style);
    // Of two passages that say the same, the one that has the numbers is what the sentence rests on.
    let mut scores: Vec<(&Evidence<'_>, f32, usize)> = passages
        .iter()
        .map(|passage| {
            let missing = facts.iter().filter(|fact| !passage.stock.has(fact)).count();
            (passage, passage.resembles(&raw.text, vector), missing)
        })
        .collect();
    let merit = |(_, score, missing): &(&Evidence<'_>, f32, usize)| score - 0.3 * share(*missing, facts.len());
    scores.sort_by(|a, b| merit(b).total_cmp(&merit(a)).then(a.0.passage.rank.cmp(&b.0.passage.rank)));
    let best = scores.first().map_or(0.0, merit);
    let mut rests_on: Vec<&(&Evidence<'_>, f32, usize)> =
        scores.iter().filter(|one| raw.marks.contains(&one.0.passage.rank) && merit(one) >= best - AS_GOOD).collect();
    if rests_on.is_empty() {
        rests_on.extend(scores.first());
    }
    let score = rests_on.iter().map(|(_, score, _)| *score).fold(0.0, f32::max);
    let unfounded: Vec<&Fact> =
        facts.iter().filter(|fact| !rests_on.iter().any(|(passage, ..)| passage.stock.has(fact))).collect();
    let support = support(score, &facts, &unfounded);
    let said: Vec<&[sense::Clause]> = rests_on.iter().map(|(evidence, ..)| evidence.clauses()).collect();
    let language = rests_on.first().and_then(|(evidence, ..)| evidence.passage.language);
    let opposite = turned(&clauses(index, &raw.text, language), &said);
    let support = if opposite.is_some() { support.max(Support::Partly) } else { support };
    let citations = match support {
        Support::NotFound => Vec::new(),
        _ => rests_on.iter().map(|(evidence, ..)| evidence.passage.rank).collect(),
    };
    let mut unfounded: Vec<Unfounded> = unfounded
        .into_iter()
        .map(|fact| Unfounded { start: fact.start, end: fact.end, kind: fact.kind(), asked: question.has(fact) })
        .collect();
    // What is marked already stays as it is: marks stand side by side.
    let free = |(start, end): &(usize, usize)| unfounded.iter().all(|mark| *end <= mark.start || mark.end <= *start);
    if let Some((start, end)) = opposite.filter(free) {
        unfounded.push(Unfounded { start, end, kind: FactKind::Sense, asked: false });
        unfounded.sort_by_key(|mark| mark.start);
    }
    let Raw { text, starts_paragraph, list_item, .. } = raw;
    let sentence = Sentence { text, citations, support, unfounded, starts_paragraph, list_item };
    Checked { sentence, score, facts: facts.len() }
}

/// A fact that is missing makes the best case a partial one; a sentence none of whose numbers is there says something
/// else than the passage does, however alike the two are.
fn support(score: f32, facts: &[Fact], unfounded: &[&Fact]) -> Support {
    let figures = |fact: &&Fact| fact.kind() != FactKind::Name;
    let (all, missing) = (facts.iter().filter(figures).count(), unfounded.iter().copied().filter(figures).count());
    match score {
        _ if all > 0 && missing == all => Support::NotFound,
        score if score >= SUPPORTED && unfounded.is_empty() => Support::Supported,
        score if score >= PARTLY => Support::Partly,
        _ => Support::NotFound,
    }
}

#[allow(clippy::cast_precision_loss, reason = "a handful of facts")]
fn share(part: usize, whole: usize) -> f32 {
    part as f32 / whole.max(1) as f32
}

#[cfg(test)]
mod tests;
