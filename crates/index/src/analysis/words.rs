//! Words and their spelling, as tantivy tokenizers and filters.

use tantivy::tokenizer::{Token, TokenFilter, TokenStream, Tokenizer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation;

/// Longer words are no words: encoded data, chains of dots.
const MAX_WORD_BYTES: usize = 80;

/// Words after Unicode Standard Annex 29, in lower case and compatibility form (NFKC); unspaced scripts in
/// overlapping pairs of characters, a lonely character by itself.
#[derive(Clone)]
pub(crate) struct WordTokenizer {
    /// Whether an apostrophe stays inside its word, as in `don't`; else it ends one, as in `l'année`.
    pub(crate) apostrophes: bool,
}

impl WordTokenizer {
    /// Whether `c` belongs to a word. The annex joins more than people do: `file.txt`, `key:value`, `snake_case`.
    fn joins(&self, before: char, c: char, after: char) -> bool {
        match c {
            '.' | ',' => before.is_numeric() && after.is_numeric(),
            '\'' | '’' => self.apostrophes,
            c => c.is_alphanumeric() || is_combining_mark(c),
        }
    }
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = Words;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Words {
        let normal: String = text.nfkc().collect();
        let mut words: Vec<String> = Vec::new();
        let mut unspaced: Vec<char> = Vec::new();
        for word in normal.split_word_bounds() {
            if word.chars().all(is_unspaced) {
                unspaced.extend(word.chars());
                continue;
            }
            pairs(&mut unspaced, &mut words);
            if word.len() > MAX_WORD_BYTES || !word.contains(char::is_alphanumeric) {
                continue;
            }
            let mut rest = String::new();
            let mut before = ' ';
            let mut chars = word.chars().peekable();
            while let Some(c) = chars.next() {
                let after = chars.peek().copied().unwrap_or(' ');
                if is_unspaced(c) {
                    push(&mut rest, &mut words);
                    unspaced.push(c);
                } else if self.joins(before, c, after) {
                    pairs(&mut unspaced, &mut words);
                    rest.extend(if c == '’' { '\'' } else { c }.to_lowercase());
                } else {
                    push(&mut rest, &mut words);
                    pairs(&mut unspaced, &mut words);
                }
                before = c;
            }
            push(&mut rest, &mut words);
        }
        pairs(&mut unspaced, &mut words);
        Words { words: words.into_iter(), token: Token::default() }
    }
}

fn push(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

fn pairs(run: &mut Vec<char>, words: &mut Vec<String>) {
    if let [single] = run[..] {
        words.push(single.to_string());
    }
    words.extend(run.windows(2).map(|pair| pair.iter().collect::<String>()));
    run.clear();
}

/// Letters of scripts that put no space between words, and Hangul, whose particles hang on the words.
fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0E01..=0x0E3A | 0x0E40..=0x0E4E          // Thai
        | 0x0E81..=0x0EBD | 0x0EC0..=0x0ECE        // Lao
        | 0x1000..=0x103F | 0x1780..=0x17D3        // Burmese, Khmer
        | 0x3005..=0x3007 | 0x3041..=0x309F | 0x30A1..=0x30FA | 0x30FC..=0x30FF | 0x31F0..=0x31FF // kana
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF // Han
        | 0xAC00..=0xD7A3                          // Hangul
    )
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
