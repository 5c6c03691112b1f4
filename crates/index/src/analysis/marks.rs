//! Where the words of a query stand in a text, by the analysis that found it.

use super::unspaced::{Segmenter, is_unspaced};
use super::{Analysis, Language, figures};
use std::collections::{BTreeSet, HashMap};

/// Marks the terms of one query in texts of one language.
pub struct Marks<'a> {
    analysis: &'a Analysis,
    language: Option<String>,
    terms: BTreeSet<String>,
    /// Words met before, and whether they are among the query's.
    known: HashMap<String, bool>,
}

impl<'a> Marks<'a> {
    pub(crate) fn new(analysis: &'a Analysis, query: &str, language: Option<&str>) -> Self {
        let terms = analysis.terms(query, Language::of_document(language, query));
        let terms = figures(&terms).chain(terms.clone()).collect();
        Self { analysis, language: language.map(str::to_owned), terms, known: HashMap::new() }
    }

    /// `text` in pieces without a gap; `true` marks those that belong to a term of the query. A piece is a word, what stands
    /// between words, or a single character of a script that is compared by pairs.
    pub fn mark<'t>(&mut self, text: &'t str) -> Vec<(bool, &'t str)> {
        let language = Language::of_document(self.language.as_deref(), text);
        if self.language.is_none() {
            // The next text may be of another language.
            self.known.clear();
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let kind = |c: char| (is_unspaced(c), c.is_alphanumeric() || is_unspaced(c));
            let end = rest.find(|c| kind(c) != kind(first)).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            match kind(first) {
                (true, _) => self.mark_unspaced(run, language, &mut pieces),
                (false, true) => pieces.push((self.is_wanted(run, language), run)),
                (false, false) => pieces.push((false, run)),
            }
            rest = after;
        }
        pieces
    }

    fn mark_unspaced<'t>(&mut self, run: &'t str, language: Language, pieces: &mut Vec<(bool, &'t str)>) {
        // Pairs overlap: a piece goes from where one term begins or ends to where the next does.
        let places = Segmenter::new().terms(run);
        let edges: BTreeSet<usize> = places.iter().flat_map(|place| [place.start, place.end]).collect();
        let wanted: Vec<_> = places.into_iter().filter(|place| self.is_wanted(&run[place.clone()], language)).collect();
        let edges: Vec<usize> = edges.into_iter().collect();
        pieces.extend(edges.windows(2).map(|edge| {
            let inside = |place: &std::ops::Range<usize>| place.start <= edge[0] && edge[1] <= place.end;
            (wanted.iter().any(inside), &run[edge[0]..edge[1]])
        }));
    }

    fn is_wanted(&mut self, word: &str, language: Language) -> bool {
        if let Some(known) = self.known.get(word) {
            return *known;
        }
        let found = self.analysis.terms(word, language).iter().any(|term| self.terms.contains(term));
        self.known.insert(word.to_owned(), found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(query: &str, language: Option<&str>, text: &str) -> Vec<String> {
        let analysis = Analysis::new();
        let pieces = Marks::new(&analysis, query, language).mark(text);
        assert_eq!(pieces.iter().map(|(_, piece)| *piece).collect::<String>(), text, "nothing is lost");
        let mut joined: Vec<(bool, String)> = Vec::new();
        for (wanted, piece) in pieces {
            match joined.last_mut() {
                Some((before, text)) if *before == wanted => text.push_str(piece),
                _ => joined.push((wanted, piece.to_owned())),
            }
        }
        joined.into_iter().filter_map(|(wanted, piece)| wanted.then_some(piece)).collect()
    }

    #[test]
    fn words_are_marked_by_their_stems() {
        assert_eq!(
            marked("running leave", Some("en"), "He runs; leaves were left (leave)."),
            ["runs", "leaves", "leave"]
        );
        assert_eq!(marked("Häuser", Some("de"), "Das Haus, die Häuser."), ["Haus", "Häuser"]);
    }

    #[test]
    fn joined_figures_are_marked_one_by_one() {
        assert_eq!(marked("until 31.12.2024", Some("en"), "From 1.12.2024 on"), ["12", "2024"]);
    }

    #[test]
    fn only_what_matches_is_marked_where_there_are_no_spaces() {
        assert_eq!(marked("东京的首都", Some("zh"), "日本首都在东京。"), ["首都", "东京"]);
        assert_eq!(marked("ประเทศไทย", Some("th"), "กรุงเทพเป็นเมืองหลวงของประเทศไทย"), ["ประเทศไทย"]);
        assert_eq!(marked("ทำงาน", Some("th"), "เขาทำงานที่บ้าน"), ["ทำงาน"]);
    }
}
