//! The part of a passage that shows why it was found.

use domain::Document;
use index::Index;
use std::collections::{BTreeSet, HashMap};

/// Characters of a snippet.
const SNIPPET: usize = 320;

/// Marks the words of a query in passages, each in the passage's own language.
pub(super) struct Marker<'a> {
    index: &'a Index,
    query: &'a str,
    /// By language: the query's terms, and whether words met before match.
    languages: HashMap<Option<String>, Language>,
}

struct Language {
    terms: BTreeSet<String>,
    words: HashMap<String, bool>,
}

impl<'a> Marker<'a> {
    pub(super) fn new(index: &'a Index, query: &'a str) -> Self {
        Self { index, query, languages: HashMap::new() }
    }

    /// The snippet of a passage of `document`.
    pub(super) fn mark(&mut self, document: &Document, text: &str) -> Vec<(bool, String)> {
        let (index, query) = (self.index, self.query);
        let code = document.language.as_deref();
        let language = self.languages.entry(document.language.clone()).or_insert_with(|| Language {
            terms: index.terms(query, code).into_iter().collect(),
            words: HashMap::new(),
        });
        snippet(text, |word| {
            if let Some(known) = language.words.get(word) {
                return *known;
            }
            let found = index.terms(word, code).iter().any(|term| language.terms.contains(term));
            language.words.insert(word.to_owned(), found);
            found
        })
    }
}

/// The part of `text` with the most words that match, in marked and unmarked pieces.
fn snippet(text: &str, mut matches: impl FnMut(&str) -> bool) -> Vec<(bool, String)> {
    let mut pieces: Vec<(bool, &str)> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let gap = rest.find(char::is_alphanumeric).unwrap_or(rest.len());
        let (end, marked) = if word > 0 { (word, matches(&rest[..word])) } else { (gap, false) };
        pieces.push((marked, &rest[..end]));
        rest = &rest[end..];
    }
    let total: usize = pieces.iter().map(|(_, piece)| piece.chars().count()).sum();
    let begin = if total <= SNIPPET { 0 } else { densest(&pieces) };
    let mut shown: Vec<(bool, String)> = Vec::new();
    if begin > 0 {
        shown.push((false, "… ".to_owned()));
    }
    let mut length = 0;
    for (marked, piece) in &pieces[begin..] {
        if length >= SNIPPET {
            shown.push((false, " …".to_owned()));
            break;
        }
        length += piece.chars().count();
        match shown.last_mut() {
            Some((before, text)) if before == marked => text.push_str(piece),
            _ => shown.push((*marked, (*piece).to_owned())),
        }
    }
    shown
}

/// The piece at which a snippet with the most matches begins.
fn densest(pieces: &[(bool, &str)]) -> usize {
    let count = |begin: usize| {
        let mut length = 0;
        let inside = pieces[begin..].iter().take_while(|(_, piece)| {
            length += piece.chars().count();
            length <= SNIPPET
        });
        inside.filter(|(marked, _)| *marked).count()
    };
    let starts_word = |at: &usize| pieces[*at].1.starts_with(char::is_alphanumeric);
    let best = (0..pieces.len()).filter(starts_word).max_by_key(|at| (count(*at), std::cmp::Reverse(*at)));
    best.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_shows_where_the_words_are() {
        let text = format!("{} Annual leave is 24 days. {}", "Nothing here. ".repeat(40), "More of it. ".repeat(40));
        let found = snippet(&text, |word| ["Annual", "leave", "days"].contains(&word));
        let marked: Vec<&str> = found.iter().filter(|(marked, _)| *marked).map(|(_, piece)| piece.as_str()).collect();
        assert_eq!(marked, ["Annual", "leave", "days"]);
        let length: usize = found.iter().map(|(_, piece)| piece.chars().count()).sum();
        assert!(length < SNIPPET + 40);
    }

    #[test]
    fn a_short_text_is_shown_whole() {
        let found = snippet("Soup of the day", |_| false);
        assert_eq!(found, [(false, "Soup of the day".to_owned())]);
    }
}
