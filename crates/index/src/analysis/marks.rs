//! Where the words of a query stand in a text, by the analysis that found it.

use super::unspaced::Segmenter;
use super::words::{JOINTS, Piece};
use super::{Analysis, Language, figures, word_tokenizer};
use std::collections::{BTreeSet, HashMap};

/// Marks the terms of one query in texts of one language.
pub struct Marks<'a> {
    analysis: &'a Analysis,
    language: Option<String>,
    terms: BTreeSet<String>,
    /// The single figures of terms that join several, which are looked for in joined ones.
    figures: BTreeSet<String>,
    /// Words met before, and whether they are among the query's.
    known: HashMap<String, bool>,
}

impl<'a> Marks<'a> {
    pub(crate) fn new(analysis: &'a Analysis, query: &str, language: Option<&str>) -> Self {
        let terms = analysis.terms(query, Language::of_document(language, query));
        let figures = figures(&terms).chain(terms.clone()).collect();
        let terms = terms.into_iter().collect();
        Self { analysis, language: language.map(str::to_owned), terms, figures, known: HashMap::new() }
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
        for (kind, piece) in word_tokenizer(language, Segmenter::new()).pieces(text) {
            match kind {
                Piece::Word if self.is_wanted(piece, language) => pieces.push((true, piece)),
                // `2024` is found in `31.12.2024`.
                Piece::Word => pieces.extend(piece.split_inclusive(JOINTS).flat_map(|part| {
                    let (figure, joint) = part.split_at(part.trim_end_matches(JOINTS).len());
                    let wanted = figure.len() < piece.len() && self.figures.contains(figure);
                    [(wanted, figure), (false, joint)].into_iter().filter(|(_, text)| !text.is_empty())
                })),
                Piece::Unspaced => self.mark_unspaced(piece, language, &mut pieces),
                Piece::Between => pieces.push((false, piece)),
            }
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

    #[test]
    fn points_and_apostrophes_and_vowels_are_inside_words_as_they_are_found() {
        assert_eq!(marked("1.5 days", Some("en"), "It is 1.5 days, not 1.55. Days."), ["1.5", "days", "Days"]);
        assert_eq!(marked("27,600", Some("en"), "A | 27,600 | 27 | 600"), ["27,600"]);
        assert_eq!(marked("4.90", Some("de"), "Suppe 4.90, Brot 4.９0"), ["4.90", "4.９0"]);
        assert_eq!(marked("won't harbour's", Some("en"), "They won’t; the harbour."), ["won’t", "harbour"]);
        assert_eq!(marked("année", Some("fr"), "Toute l'année."), ["année"]);
        assert_eq!(marked("हिन्दी", Some("hi"), "यह हिन्दी है।"), ["हिन्दी"]);
        assert_eq!(marked("naïve", Some("en"), "a nai\u{308}ve one"), ["nai\u{308}ve"]);
    }
}
