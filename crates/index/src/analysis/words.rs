//! Words and their spelling, as tantivy tokenizers and filters.

use super::unspaced::{Segmenter, is_unspaced};
use tantivy::tokenizer::{Token, TokenFilter, TokenStream, Tokenizer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation;

/// Longer words are no words: encoded data, chains of dots.
const MAX_WORD_BYTES: usize = 80;
/// What joins figures to one term.
pub(super) const JOINTS: [char; 2] = ['.', ','];

/// Words after Unicode Standard Annex 29, in lower case and compatibility form (NFKC); of scripts without spaces what
/// [`Segmenter::terms`] makes of them.
#[derive(Clone)]
pub(crate) struct WordTokenizer {
    pub(crate) segmenter: Segmenter,
    /// Whether an apostrophe stays inside its word, as in `don't`; else it ends one, as in `l'année`.
    pub(crate) apostrophes: bool,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    Word,
    /// A run of characters of scripts without spaces, for [`Segmenter::terms`].
    Unspaced,
    /// What is not searched for.
    Between,
}

impl WordTokenizer {
    /// Whether `c` belongs to a word. The annex joins more than people do: `file.txt`, `key:value`, `snake_case`.
    fn joins(&self, before: char, c: char, after: char) -> bool {
        match c {
            // The wide ones are the same in compatibility form.
            '.' | ',' | '．' | '，' => before.is_numeric() && after.is_numeric(),
            '\'' | '’' | '＇' => self.apostrophes,
            c => c.is_alphanumeric() || is_combining_mark(c),
        }
    }

    /// `text` in pieces without a gap.
    pub(crate) fn pieces<'t>(&self, text: &'t str) -> Vec<(Piece, &'t str)> {
        let mut pieces: Vec<(Piece, &'t str)> = Vec::new();
        let (mut begin, mut end, mut open) = (0, 0, Piece::Between);
        for word in text.split_word_bounds() {
            let is_word = word.contains(char::is_alphanumeric);
            let is_run = word.chars().all(is_unspaced);
            let mut before = ' ';
            let mut chars = word.chars().peekable();
            let mut is_first = true;
            while let Some(c) = chars.next() {
                let after = chars.peek().copied().unwrap_or(' ');
                let kind = match is_unspaced(c) {
                    true if is_word || is_run => Piece::Unspaced,
                    false if is_word && self.joins(before, c, after) => Piece::Word,
                    _ => Piece::Between,
                };
                // Runs go on over the bounds of the annex, words end there.
                if kind != open || (is_first && kind == Piece::Word) {
                    pieces.push((open, &text[begin..end]));
                    (begin, open) = (end, kind);
                }
                end += c.len_utf8();
                (before, is_first) = (c, false);
            }
        }
        pieces.push((open, &text[begin..end]));
        pieces.retain(|(_, piece)| !piece.is_empty());
        pieces
    }
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = Words;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Words {
        let normal: String = text.nfkc().collect();
        let mut words: Vec<String> = Vec::new();
        for (kind, piece) in self.pieces(&normal) {
            match kind {
                Piece::Word => {
                    let word = piece.chars().flat_map(|c| if c == '’' { '\'' } else { c }.to_lowercase()).collect();
                    push(word, &mut words);
                }
                Piece::Unspaced => {
                    // NFKC takes these two vowels apart, which no Thai or Lao text does, and no model has seen.
                    let run = piece.replace("\u{0E4D}\u{0E32}", "\u{0E33}").replace("\u{0ECD}\u{0EB2}", "\u{0EB3}");
                    words.extend(self.segmenter.terms(&run).into_iter().map(|place| run[place].to_owned()));
                }
                Piece::Between => {}
            }
        }
        Words { words: words.into_iter(), token: Token::default() }
    }
}

/// Takes over a word that is finished; of figures in a row that are too long for one, each.
fn push(word: String, words: &mut Vec<String>) {
    if word.len() > MAX_WORD_BYTES {
        let figures = word.split(JOINTS).filter(|figure| !figure.is_empty() && figure.len() <= MAX_WORD_BYTES);
        words.extend(figures.map(str::to_owned));
    } else if word.contains(char::is_alphanumeric) {
        words.push(word);
    }
}

/// The figures of a term that joins several, such as a date or a list without spaces. A single digit is none: it stands
/// everywhere.
pub(super) fn figures(term: &str) -> impl Iterator<Item = &str> {
    let figures = term.split(JOINTS).filter(|figure| figure.len() > 1);
    figures.filter(move |_| term.contains(JOINTS))
}

/// The stream of [`WordTokenizer`].
pub(crate) struct Words {
    words: std::vec::IntoIter<String>,
    token: Token,
}

impl TokenStream for Words {
    fn advance(&mut self) -> bool {
        let Some(word) = self.words.next() else { return false };
        self.token.position = self.token.position.wrapping_add(1);
        self.token.text = word;
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

/// A filter that changes the spelling of each word by itself.
macro_rules! spelling_filter {
    ($(#[$doc:meta])* $filter:ident, $change:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub(crate) struct $filter;

        impl TokenFilter for $filter {
            type Tokenizer<T: Tokenizer> = Spelling<T>;

            fn transform<T: Tokenizer>(self, inner: T) -> Spelling<T> {
                Spelling { inner, change: $change }
            }
        }
    };
}

spelling_filter! {
    /// Takes the English possessive 's off.
    Possessive, strip_possessive
}
spelling_filter! {
    /// Takes diacritics off Latin, Greek and Cyrillic letters and spells ligatures out. After the stemmer, which needs
    /// them.
    Fold, fold
}

/// A tokenizer whose words are respelt.
#[derive(Clone)]
pub(crate) struct Spelling<T> {
    inner: T,
    change: fn(&mut String),
}

impl<T: Tokenizer> Tokenizer for Spelling<T> {
    type TokenStream<'a> = SpellingStream<T::TokenStream<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        SpellingStream { inner: self.inner.token_stream(text), change: self.change }
    }
}

/// The stream of [`Spelling`].
pub(crate) struct SpellingStream<S> {
    inner: S,
    change: fn(&mut String),
}

impl<S: TokenStream> TokenStream for SpellingStream<S> {
    fn advance(&mut self) -> bool {
        let more = self.inner.advance();
        if more {
            (self.change)(&mut self.inner.token_mut().text);
        }
        more
    }

    fn token(&self) -> &Token {
        self.inner.token()
    }

    fn token_mut(&mut self) -> &mut Token {
        self.inner.token_mut()
    }
}

fn strip_possessive(word: &mut String) {
    if word.ends_with("'s") {
        word.truncate(word.len() - 2);
    }
}

fn fold(word: &mut String) {
    if word.is_ascii() {
        return;
    }
    let mut folded = String::with_capacity(word.len());
    let mut over_letter = false;
    for c in word.nfd() {
        if is_combining_mark(c) {
            if !over_letter {
                folded.push(c);
            }
            continue;
        }
        // In other scripts marks are vowels and must stay.
        over_letter = matches!(u32::from(c), 0x0041..=0x024F | 0x0370..=0x052F | 0x1F00..=0x1FFF);
        match c {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'þ' => folded.push_str("th"),
            'ı' => folded.push('i'),
            c => folded.push(c),
        }
    }
    *word = folded.nfc().collect();
}
