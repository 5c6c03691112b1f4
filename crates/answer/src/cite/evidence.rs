//! The words, facts and meaning of a text, for comparing two of them.

use super::Passage;
use super::facts::Stock;
use index::Index;
use std::collections::BTreeSet;

/// How much words count beside meaning. Meaning alone calls "24 days" and "30 days" alike; words alone miss what is
/// said in other words.
const WORDS: f32 = 0.7;

/// What of a text is compared.
pub(super) struct Evidence<'a> {
    /// The source's number; 0 for a sentence.
    pub(super) rank: u32,
    pub(super) stock: Stock,
    terms: BTreeSet<String>,
    vector: Option<&'a [f32]>,
}

impl<'a> Evidence<'a> {
    pub(super) fn of(index: &Index, text: &str, vector: Option<&'a [f32]>) -> Self {
        let terms = index.terms(text, None).into_iter().collect();
        Self { rank: 0, stock: Stock::default(), terms, vector }
    }

    pub(super) fn of_passage(index: &Index, passage: &'a Passage<'_>) -> Self {
        let terms = index.terms(&passage.text, passage.language).into_iter().collect();
        Self { rank: passage.rank, stock: Stock::of(&passage.text), terms, vector: passage.vector }
    }

    /// How near `passage` comes to this sentence, 0 to 1: the share of its words that stand there, and the cosine of
    /// their vectors. 0 for a sentence without words.
    pub(super) fn resembles(&self, passage: &Self) -> f32 {
        if self.terms.is_empty() {
            return 0.0;
        }
        let words = super::share(self.terms.intersection(&passage.terms).count(), self.terms.len());
        match (self.vector, passage.vector) {
            (Some(one), Some(other)) if one.len() == other.len() => {
                let cosine: f32 = one.iter().zip(other).map(|(a, b)| a * b).sum();
                WORDS * words + (1.0 - WORDS) * cosine.clamp(0.0, 1.0)
            }
            _ => words,
        }
    }
}
