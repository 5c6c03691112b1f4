//! The part of a passage that shows why it was found.

use domain::Document;
use index::{Index, Marks};
use std::collections::HashMap;

/// Characters of a snippet.
const SNIPPET: usize = 320;

/// Marks the words of a query in passages, each in the passage's own language.
pub(super) struct Marker<'a> {
    index: &'a Index,
    query: &'a str,
    languages: HashMap<Option<String>, Marks<'a>>,
}

impl<'a> Marker<'a> {
    pub(super) fn new(index: &'a Index, query: &'a str) -> Self {
        Self { index, query, languages: HashMap::new() }
    }

    /// The snippet of a passage of `document`.
    pub(super) fn mark(&mut self, document: &Document, text: &str) -> Vec<(bool, String)> {
        let (index, query) = (self.index, self.query);
        let code = document.language.clone();
        let marks = self.languages.entry(code).or_insert_with_key(|code| index.marks(query, code.as_deref()));
        snippet(&marks.mark(text))
    }
}

/// The part of a text with the most pieces that match, in marked and unmarked pieces.
fn snippet(pieces: &[(bool, &str)]) -> Vec<(bool, String)> {
    let total: usize = pieces.iter().map(|(_, piece)| piece.chars().count()).sum();
    let begin = if total <= SNIPPET { 0 } else { densest(pieces) };
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

fn is_word(piece: &str) -> bool {
    piece.starts_with(char::is_alphanumeric)
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
    let best =
        (0..pieces.len()).filter(|at| is_word(pieces[*at].1)).max_by_key(|at| (count(*at), std::cmp::Reverse(*at)));
    best.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces as an index makes them, with the words given marked.
    fn pieces<'t>(text: &'t str, wanted: &[&str]) -> Vec<(bool, &'t str)> {
        let words = text.split_inclusive(' ').flat_map(|word| word.split_at_checked(word.trim_end().len()));
        let both = words.flat_map(|(word, space)| [(wanted.contains(&word), word), (false, space)]);
        both.filter(|(_, piece)| !piece.is_empty()).collect()
    }

    #[test]
    fn a_snippet_shows_where_the_words_are() {
        let text = format!("{} Annual leave is 24 days . {}", "Nothing here. ".repeat(40), "More of it. ".repeat(40));
        let found = snippet(&pieces(&text, &["Annual", "leave", "days"]));
        let marked: Vec<&str> = found.iter().filter(|(marked, _)| *marked).map(|(_, piece)| piece.as_str()).collect();
        assert_eq!(marked, ["Annual", "leave", "days"]);
        let length: usize = found.iter().map(|(_, piece)| piece.chars().count()).sum();
        assert!(length < SNIPPET + 40);
    }

    #[test]
    fn a_short_text_is_shown_whole() {
        let found = snippet(&pieces("Soup of the day", &[]));
        assert_eq!(found, [(false, "Soup of the day".to_owned())]);
    }
}
