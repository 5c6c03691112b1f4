//! The words, facts and meaning of a text, for comparing two of them.

use super::Passage;
use super::sense::{Clause, clauses};
use super::stock::Stock;
use super::words::Style;
use index::Index;
use std::cell::OnceCell;
use std::collections::BTreeSet;

/// How much words count beside meaning. Meaning alone calls "24 days" and "30 days" alike; words alone miss what is
/// said in other words.
const WORDS: f32 = 0.7;

/// What of a passage is compared.
pub(super) struct Evidence<'a> {
    index: &'a Index,
    /// The source with its number.
    pub(super) passage: &'a Passage<'a>,
    pub(super) stock: Stock,
    terms: BTreeSet<String>,
    clauses: OnceCell<Vec<Clause>>,
}

impl<'a> Evidence<'a> {
    pub(super) fn of(index: &'a Index, passage: &'a Passage<'_>) -> Self {
        let terms = index.terms(&passage.text, passage.language).into_iter().collect();
        let stock = Stock::of(&passage.text, Style::of(&passage.text, passage.language));
        Self { index, passage, stock, terms, clauses: OnceCell::new() }
    }

    /// How near it comes to a sentence with this vector, 0 to 1: the share of the sentence's words that stand there, and the
    /// cosine of the vectors. 0 for a sentence without words, which are those of the passage's language: of a sentence alone it
    /// can hardly be told.
    pub(super) fn resembles(&self, sentence: &str, vector: Option<&[f32]>) -> f32 {
        let own: BTreeSet<String> = self.index.terms(sentence, self.passage.language).into_iter().collect();
        if own.is_empty() {
            return 0.0;
        }
        let words = super::share(own.intersection(&self.terms).count(), own.len());
        match (vector, self.passage.vector) {
            (Some(one), Some(other)) if one.len() == other.len() => {
                let cosine: f32 = one.iter().zip(other).map(|(a, b)| a * b).sum();
                WORDS * words + (1.0 - WORDS) * cosine.clamp(0.0, 1.0)
            }
            _ => words,
        }
    }

    pub(super) fn clauses(&self) -> &[Clause] {
        self.clauses.get_or_init(|| clauses(self.index, &self.passage.text, self.passage.language))
    }
}
