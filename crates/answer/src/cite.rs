//! Cite: ties each sentence of an answer to the passage it rests on, by comparing the two.
//!
//! What the model wrote between brackets is a hint, not a proof: a number that names no passage is dropped, one that
//! names the wrong passage is corrected, and a sentence that no passage supports is marked as such.

use crate::pack::Source;
use index::Index;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use unicode_segmentation::UnicodeSegmentation;

/// Whether the documents say what a sentence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// A passage has its words, and every number of it.
    Supported,
    /// A passage has a good part of its words, and every number of it.
    Partly,
    /// No passage does.
    NotFound,
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
    /// Whether a new paragraph begins with it.
    pub starts_paragraph: bool,
    /// Whether it is, or begins, an item of a list.
    pub list_item: bool,
}

/// Share of a sentence's words that a passage must have.
const SUPPORTED: f64 = 0.65;
const PARTLY: f64 = 0.4;
/// A citation of the model stands if its passage is nearly as good as the best one.
const AS_GOOD: f64 = 0.12;

/// The sentences of `text`, each tied to the `sources` it rests on.
pub(crate) fn cite(index: &Index, text: &str, sources: &[Source]) -> Vec<Sentence> {
    let passages: Vec<Evidence> = sources.iter().map(|source| Evidence::of_source(index, source)).collect();
    split(text).into_iter().map(|raw| tie(index, raw, &passages)).collect()
}

/// The words and numbers of a text.
struct Evidence {
    rank: u32,
    terms: BTreeSet<String>,
    numbers: BTreeSet<String>,
}

impl Evidence {
    fn of(index: &Index, rank: u32, text: &str, language: Option<&str>) -> Self {
        Self { rank, terms: index.terms(text, language).into_iter().collect(), numbers: numbers(text) }
    }

    fn of_source(index: &Index, source: &Source) -> Self {
        let above = source.passage.heading_path.join("\n");
        let text = format!("{}\n{above}\n{}", source.document.title, source.passage.text);
        Self::of(index, source.rank, &text, source.document.language.as_deref())
    }

    /// Share of this sentence's words that `passage` has; nothing if a number is missing there.
    fn supported_by(&self, passage: &Self) -> f64 {
        if self.terms.is_empty() || !self.numbers.is_subset(&passage.numbers) {
            return 0.0;
        }
        #[allow(clippy::cast_precision_loss, reason = "a handful of words")]
        let share = self.terms.intersection(&passage.terms).count() as f64 / self.terms.len() as f64;
        share
    }
}

fn tie(index: &Index, raw: Raw, passages: &[Evidence]) -> Sentence {
    let sentence = Evidence::of(index, 0, &raw.text, None);
    let mut scores: Vec<(u32, f64)> =
        passages.iter().map(|passage| (passage.rank, sentence.supported_by(passage))).collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let best = scores.first().map_or(0.0, |(_, score)| *score);
    let support = match best {
        score if score >= SUPPORTED => Support::Supported,
        score if score >= PARTLY => Support::Partly,
        _ => Support::NotFound,
    };
    let mut citations: Vec<u32> = match support {
        Support::NotFound => Vec::new(),
        _ => scores
            .iter()
            .filter(|(rank, score)| raw.marks.contains(rank) && *score >= best - AS_GOOD)
            .map(|(rank, _)| *rank)
            .collect(),
    };
    if citations.is_empty() && support != Support::NotFound {
        citations.extend(scores.first().map(|(rank, _)| *rank));
    }
    let Raw { text, starts_paragraph, list_item, .. } = raw;
    Sentence { text, citations, support, starts_paragraph, list_item }
}

/// Numbers of a text, without separators of thousands: `1,500` and `1500` are one, `1.67` stays itself.
fn numbers(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let characters: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < characters.len() {
        if !characters[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let begin = at;
        let inside =
            |at: usize| matches!(characters[at], '.' | ',') && characters.get(at + 1).is_some_and(char::is_ascii_digit);
        while at < characters.len() && (characters[at].is_ascii_digit() || inside(at)) {
            at += 1;
        }
        let number: String = characters[begin..at].iter().collect();
        found.insert(without_thousands(&number));
    }
    found
}

fn without_thousands(number: &str) -> String {
    let groups: Vec<&str> = number.split(',').collect();
    let thousands =
        groups.len() > 1 && groups[1..].iter().all(|group| group.split('.').next().map_or(0, str::len) == 3);
    if thousands { groups.concat() } else { number.replace(',', ".") }
}

struct Raw {
    text: String,
    marks: Vec<u32>,
    starts_paragraph: bool,
    list_item: bool,
}

/// Divides an answer into sentences and takes the citation marks out. A mark belongs to the sentence in which, or
/// behind whose full stop, it stands; one that opens a line belongs to the line's first sentence.
fn split(text: &str) -> Vec<Raw> {
    let mut sentences: Vec<Raw> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (list_item, line) = list_item(line);
        let (clean, marks) = without_marks(line);
        let first_of_line = sentences.len();
        let mut ends = Vec::new();
        for (at, piece) in clean.split_sentence_bound_indices() {
            if piece.chars().any(char::is_alphanumeric) {
                let first = sentences.len() == first_of_line;
                let (starts_paragraph, list_item) = (first, first && list_item);
                sentences.push(Raw { text: tidy(piece), marks: Vec::new(), starts_paragraph, list_item });
                ends.push(at + piece.len());
            }
        }
        for (at, numbers) in marks {
            let stands_at = clean[..at].trim_end().len();
            let of_line = ends.iter().position(|end| stands_at <= *end).unwrap_or(ends.len().saturating_sub(1));
            // A line of marks alone belongs to the sentence before it.
            let owner = if ends.is_empty() { first_of_line.checked_sub(1) } else { Some(first_of_line + of_line) };
            if let Some(raw) = owner.and_then(|owner| sentences.get_mut(owner)) {
                raw.marks.extend(numbers);
            }
        }
    }
    sentences
}

/// The numbers of a leading `[3]`, `[1, 2]` or `[Passage 1]`, and what follows it.
fn mark(text: &str) -> Option<(Vec<u32>, &str)> {
    let (inside, rest) = text.strip_prefix('[')?.split_once(']')?;
    let inside = inside.trim_start_matches("Passage").trim_start_matches("passage");
    let numbers: Result<Vec<u32>, _> = inside.split(',').map(|number| number.trim().parse()).collect();
    Some((numbers.ok()?, rest))
}

/// A line without its marks, and where in it each one stood.
fn without_marks(line: &str) -> (String, Vec<(usize, Vec<u32>)>) {
    let (mut clean, mut marks, mut rest) = (String::new(), Vec::new(), line);
    while let Some(at) = rest.find('[') {
        clean.push_str(&rest[..at]);
        if let Some((numbers, after)) = mark(&rest[at..]) {
            marks.push((clean.len(), numbers));
            rest = after;
        } else {
            clean.push('[');
            rest = &rest[at + 1..];
        }
    }
    clean.push_str(rest);
    (clean, marks)
}

fn tidy(piece: &str) -> String {
    let mut tidy = piece.split_whitespace().collect::<Vec<_>>().join(" ").replace("**", "");
    for stop in [" .", " ,", " ;", " :"] {
        tidy = tidy.replace(stop, stop.trim_start());
    }
    tidy
}

fn list_item(line: &str) -> (bool, &str) {
    for bullet in ["- ", "* ", "• "] {
        if let Some(rest) = line.strip_prefix(bullet) {
            return (true, rest);
        }
    }
    let digits = line.chars().take_while(char::is_ascii_digit).count();
    match line[digits..].strip_prefix(". ") {
        Some(rest) if (1..3).contains(&digits) => (true, rest),
        _ => (false, line.trim_start_matches('#').trim_start()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_belong_to_the_sentence_before_them() {
        let raw = split("Leave is 24 days [1]. It accrues monthly.[2] Ask HR [1, 3].\n\n- Form A [2]");
        let seen: Vec<_> = raw.iter().map(|r| (r.text.as_str(), r.marks.as_slice(), r.list_item)).collect();
        assert_eq!(
            seen,
            [
                ("Leave is 24 days.", &[1][..], false),
                ("It accrues monthly.", &[2][..], false),
                ("Ask HR.", &[1, 3][..], false),
                ("Form A", &[2][..], true),
            ]
        );
    }

    #[test]
    fn numbers_are_compared_without_separators() {
        let set = |items: &[&str]| items.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(numbers("1,500 euros, 1.67 days, on 3.5."), set(&["1500", "1.67", "3.5"]));
        assert_eq!(numbers("12,5 Prozent"), set(&["12.5"]));
    }

    #[test]
    fn brackets_that_are_no_citations_stay() {
        let raw = split("See [sic] the list [2].");
        assert_eq!((raw[0].text.as_str(), raw[0].marks.as_slice()), ("See [sic] the list.", &[2][..]));
    }
}
