//! From text to terms: words, lower case, stop words, stems, folded diacritics.
//!
//! Every document is analysed in its own language and all terms stand in one field, so that one BM25 ranks all
//! languages together. A query is analysed in its language when that is sure, else in every language present. Scripts
//! that put no space between words are cut by dictionaries or into pairs of characters (`unspaced`).

mod language;
mod marks;
mod unspaced;
mod words;

pub(crate) use language::Language;
pub use marks::Marks;
pub use unspaced::is_unspaced;

use std::borrow::Cow;
use std::collections::HashSet;
use tantivy::tokenizer::{Stemmer, StopWordFilter, TextAnalyzer};
use unspaced::Segmenter;

/// Text longer than this is not looked at to detect its language.
const DETECTION_BYTES: usize = 4_096;

/// All analysers. Cheap to share, one for the whole index.
pub(crate) struct Analysis {
    analyzers: Vec<TextAnalyzer>,
}

impl Analysis {
    pub(crate) fn new() -> Self {
        let segmenter = Segmenter::new();
        Self { analyzers: Language::ALL.into_iter().map(|language| analyzer(language, segmenter)).collect() }
    }

    /// The terms of `text` in reading order, repeated as often as they stand there.
    pub(crate) fn terms(&self, text: &str, language: Language) -> Vec<String> {
        let Some(analyzer) = self.analyzers.get(usize::from(language.code())) else {
            return Vec::new();
        };
        let text = &*visible(text);
        let mut terms = Vec::new();
        // A token stream borrows its analyser mutably; a clone shares the word lists.
        let mut analyzer = analyzer.clone();
        let mut stream = analyzer.token_stream(text);
        while let Some(token) = stream.next() {
            if !token.text.is_empty() {
                terms.push(token.text.clone());
            }
        }
        terms
    }

    /// The distinct terms and pairs of a query, at most `limit` terms for each language in which it is read.
    pub(crate) fn query_terms(&self, text: &str, present: &[Language], limit: usize) -> QueryTerms {
        let (mut words, mut pairs) = (Distinct::default(), Distinct::default());
        for language in Language::of_query(text, present) {
            let terms = self.terms(text, language);
            let mut own = HashSet::new();
            let distinct = terms.iter().filter(|term| own.insert(*term)).count();
            // Of a pasted letter with a question the question may stand at either end.
            let (most, figured) = if distinct > limit { (limit, limit / 2) } else { (terms.len(), limit) };
            for terms in ends(&terms, most) {
                terms.iter().for_each(|term| words.add(term.clone()));
                figures(terms).take(figured).for_each(|figure| words.add(figure));
                word_pairs(terms).for_each(|pair| pairs.add(pair));
            }
        }
        QueryTerms { words: words.terms, pairs: pairs.terms }
    }
}

/// What a query is searched with.
pub(crate) struct QueryTerms {
    pub(crate) words: Vec<String>,
    /// Words that stand side by side.
    pub(crate) pairs: Vec<String>,
}

/// Terms in the order in which they came, each once.
#[derive(Default)]
struct Distinct {
    seen: HashSet<String>,
    terms: Vec<String>,
}

impl Distinct {
    fn add(&mut self, term: String) {
        if self.seen.insert(term.clone()) {
            self.terms.push(term);
        }
    }
}

/// The single figures of terms that join several: `31.12.2024` is found by `2024`, too.
pub(crate) fn figures(terms: &[String]) -> impl Iterator<Item = String> {
    terms.iter().flat_map(|term| words::figures(term)).map(str::to_owned)
}

/// Each two terms that follow each other, as one. Terms of scripts that are cut into pairs of characters overlap and say
/// already what stands side by side: of them none.
pub(crate) fn word_pairs(terms: &[String]) -> impl Iterator<Item = String> {
    let both = terms.windows(2).filter(|both| !both.iter().any(|term| term.starts_with(unspaced::is_unspaced)));
    both.map(|both| both.join(" "))
}

fn word_tokenizer(language: Language, segmenter: Segmenter) -> words::WordTokenizer {
    words::WordTokenizer { segmenter, apostrophes: language == Language::English }
}

fn analyzer(language: Language, segmenter: Segmenter) -> TextAnalyzer {
    let mut builder = TextAnalyzer::builder(word_tokenizer(language, segmenter)).dynamic();
    if let Some(algorithm) = language.snowball() {
        if language == Language::English {
            builder = builder.filter_dynamic(words::Possessive);
        }
        if let Some(stop_words) = StopWordFilter::new(algorithm) {
            builder = builder.filter_dynamic(stop_words);
        }
        builder = builder.filter_dynamic(Stemmer::new(algorithm));
    }
    builder.filter_dynamic(words::Fold).build()
}

/// The beginning of `text`, cut at a character.
pub(crate) fn beginning(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// `text` if it has at most so many bytes, else its beginning and its end with a line break between.
#[must_use]
pub fn both_ends(text: &str, bytes: usize) -> Cow<'_, str> {
    if text.len() <= bytes {
        return Cow::Borrowed(text);
    }
    let end = text.ceil_char_boundary(text.len() - bytes / 2);
    Cow::Owned(format!("{}\n{}", beginning(text, bytes / 2), &text[end..]))
}

/// All of `terms` if they are at most `limit`, else the first and the last ones.
fn ends(terms: &[String], limit: usize) -> [&[String]; 2] {
    match terms.len() > limit {
        true => [&terms[..limit / 2], &terms[terms.len() - limit / 2..]],
        false => [terms, &[]],
    }
}

/// `text` without soft hyphens and other characters without a shape of their own: extraction drops them from documents,
/// and in a question that was pasted they would cut its words.
fn visible(text: &str) -> Cow<'_, str> {
    let invisible = |c: char| {
        matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    match text.contains(invisible) {
        true => Cow::Owned(text.replace(invisible, "")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str, language: Language) -> Vec<String> {
        Analysis::new().terms(text, language)
    }

    #[test]
    fn english_inflections_meet_in_one_stem() {
        assert_eq!(terms("The running runner's RUNS", Language::English), ["run", "runner", "run"]);
        assert_eq!(terms("Connected connections", Language::English), ["connect", "connect"]);
    }

    #[test]
    fn german_umlauts_and_inflections_are_folded() {
        assert_eq!(terms("Die Häuser und das Haus", Language::German), ["haus", "haus"]);
        assert_eq!(terms("Straße STRASSE", Language::German), ["strass", "strass"]);
    }

    #[test]
    fn accents_are_folded_in_every_language() {
        assert_eq!(terms("Café naïve Ångström Łódź", Language::Other), ["cafe", "naive", "angstrom", "lodz"]);
    }

    #[test]
    fn unspaced_scripts_become_pairs() {
        assert_eq!(terms("黑豹队的2防守", Language::Other), ["黑豹", "豹队", "队的", "2", "防守"]);
        assert_eq!(terms("猫", Language::English), ["猫"]);
    }

    #[test]
    fn numbers_and_names_survive() {
        assert_eq!(
            terms("ISO 27001:2022, v1.2.3, COVID-19", Language::Other),
            ["iso", "27001", "2022", "v1.2.3", "covid", "19"]
        );
    }

    #[test]
    fn a_word_is_not_lost_among_dots_and_lines() {
        let lines = format!("Unterschrift{}Datum: {}", "_".repeat(100), ".".repeat(100));
        assert_eq!(terms(&lines, Language::Other), ["unterschrift", "datum"]);
        let encoded = "QUJD".repeat(30);
        assert_eq!(terms(&format!("before {encoded} after"), Language::Other), ["before", "after"], "no word");
        assert_eq!(terms(&format!("{encoded}_after"), Language::Other), ["after"]);
        let rooms = (101..140).map(|room| room.to_string()).collect::<Vec<_>>();
        assert_eq!(terms(&rooms.join(","), Language::Other), rooms, "too long for one term");
    }

    #[test]
    fn joined_figures_are_found_one_by_one() {
        let of = |text: &str| figures(&terms(text, Language::Other)).collect::<Vec<_>>();
        assert_eq!(of("Räume 101,102,103 am 31.12.2024"), ["101", "102", "103", "31", "12", "2024"]);
        assert_eq!(of("v1.2.3, 2024, U.S. 3.5 Granit"), ["v1"], "no single digits, nothing twice");
        let wanted = Analysis::new().query_terms("31.12.2024", &[Language::Other], 64);
        assert_eq!(wanted.words, ["31.12.2024", "31", "12", "2024"]);
        let hostile = (10..1_000).map(|number| format!("{number}")).collect::<Vec<_>>().join(",");
        assert!(Analysis::new().query_terms(&hostile, &[Language::Other], 64).words.len() <= 128);
    }

    #[test]
    fn a_question_in_a_known_language_is_analysed_in_it_alone() {
        let present = [Language::English, Language::German];
        let text = "Wie viele Punkte erzielte die Verteidigung der Mannschaft in diesem Spiel insgesamt?";
        assert_eq!(Language::of_query(text, &present), [Language::German]);
        assert_eq!(Language::of_query("Panther", &present), present);
        let with_chinese = [Language::Other, Language::English, Language::German];
        assert_eq!(Language::of_query(text, &with_chinese), [Language::German, Language::Other]);
        assert_eq!(Language::of_query("Panther", &with_chinese).len(), 3);
        assert_eq!(Language::of_query("", &[]), [Language::English]);
        let chinese = "请告诉我们公司关于员工年假和病假的 policies 是什么样的规定";
        assert_eq!(Language::of_query(chinese, &present), present, "its other words are read as the documents' are");
    }

    #[test]
    fn what_has_no_shape_cuts_no_word() {
        assert_eq!(terms("Hafen\u{ad}gebühr \u{202e}Kai\u{200b}mauer", Language::Other), ["hafengebuhr", "kaimauer"]);
    }

    #[test]
    fn long_texts_keep_both_ends() {
        assert_eq!(both_ends("kurz", 8), "kurz");
        assert_eq!(both_ends("ääääääää", 7), "ä\nä");
    }

    #[test]
    fn a_hostile_query_is_cut() {
        let text = (0..10_000).map(|number| format!("w{number} ")).collect::<String>();
        let terms = Analysis::new().query_terms(&text, &[Language::English, Language::Other], 64);
        assert_eq!(terms.words.len(), 64, "numbers read the same in both");
        assert_eq!(terms.pairs.len(), 62);
        assert!(terms.words.contains(&"w0".to_owned()) && terms.words.contains(&"w9999".to_owned()), "both ends");
        let mixed = "running ".repeat(3) + "jumping";
        let terms = Analysis::new().query_terms(&mixed, &[Language::English, Language::Other], 64);
        assert_eq!(terms.words, ["run", "jump", "running", "jumping"]);
        assert_eq!(terms.pairs, ["run run", "run jump", "running running", "running jumping"]);
    }

    #[test]
    fn pairs_look_over_stop_words_and_leave_unspaced_scripts_alone() {
        let terms = terms("Minister of the Interior, 内务部", Language::English);
        assert_eq!(word_pairs(&terms).collect::<Vec<_>>(), ["minist interior"]);
    }
}
