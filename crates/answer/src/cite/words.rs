//! Words of a text with their places, and what their shape says.

use super::quantities::date_in_figures;

/// A word or number without the punctuation around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    /// Where it begins and ends in the text, in bytes.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) text: &'a str,
    /// Whether a clause ends behind it: names and units don't go on there.
    pub(super) ends_clause: bool,
    /// Whether what follows begins a sentence, or a quotation behind a colon, so that its capital says nothing.
    pub(super) ends_sentence: bool,
    /// Whether a number follows right behind a dash or a slash, as in `5-10`.
    pub(super) joined: bool,
    /// Whether a minus stands before it.
    pub(super) negative: bool,
}

/// The tokens of `text`: what white space divides, and within that dashes, and slashes and hyphens between numbers.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found: Vec<Token<'_>> = Vec::new();
    let mut begin = 0;
    for piece in text.split(char::is_whitespace) {
        let from = begin;
        begin += piece.len();
        begin += text[begin..].chars().next().map_or(0, char::len_utf8);
        let mut start = from;
        for part in dashes_apart(piece).into_iter().flat_map(numbers_apart) {
            push(&mut found, part, start);
            start += part.len();
        }
        if let Some(last) = found.last_mut() {
            last.joined = false;
        }
    }
    found
}

/// A dash ends what stands before it, unless it is the minus of a number.
fn dashes_apart(piece: &str) -> Vec<&str> {
    let minus = piece.strip_prefix('–').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let head = piece.len() - minus.map_or(piece.len(), str::len);
    let mut parts: Vec<&str> = piece[head..].split_inclusive(['–', '—', '|']).collect();
    if let Some(first) = parts.first_mut() {
        *first = &piece[..head + first.len()];
    }
    parts
}

/// `5-10` and `08:00-16:00` are two numbers; `2026-03-31`, `SR-231` and `10-year` are one word each.
fn numbers_apart(part: &str) -> Vec<&str> {
    let bare = part.trim_matches(|c: char| !c.is_alphanumeric());
    if !bare.starts_with(|c: char| c.is_ascii_digit()) || date_in_figures(bare).is_some() {
        return vec![part];
    }
    let (mut parts, mut from) = (Vec::new(), 0);
    for (at, _) in part.match_indices(['-', '/', '−']) {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let behind = at + part[at..].chars().next().map_or(0, char::len_utf8);
        if digit(part[..at].chars().next_back()) && digit(part[behind..].chars().next()) {
            parts.push(&part[from..behind]);
            from = behind;
        }
    }
    parts.push(&part[from..]);
    parts
}

fn push<'a>(found: &mut Vec<Token<'a>>, part: &'a str, start: usize) {
    let kept = |c: char| c.is_alphanumeric() || matches!(c, '%' | '€' | '$' | '£' | '°');
    let trimmed = part.trim_start_matches(|c| !kept(c));
    let opened = part.len() - trimmed.len();
    let text = trimmed.trim_end_matches(|c| !kept(c));
    if text.is_empty() {
        if let Some(last) = found.last_mut().filter(|_| !part.is_empty()) {
            last.ends_clause = true;
        }
        return;
    }
    let (before, behind) = (&part[..opened], &trimmed[text.len()..]);
    let number = text.starts_with(|c: char| c.is_ascii_digit() || "€$£".contains(c));
    // `-18`, but not the dash of `5 -10`.
    let behind_number =
        found.last().is_some_and(|last| !last.ends_clause && last.text.ends_with(|c: char| c.is_ascii_digit()));
    let negative = number && before.ends_with(['-', '−', '–']) && !behind_number;
    // What is opened here, such as a quotation, belongs to no word before it.
    if let Some(last) = found.last_mut().filter(|_| opened > 0 && !negative) {
        last.ends_clause = true;
    }
    // The dot of an ordinal, an initial or an abbreviation ends nothing.
    let dotted = behind == "."
        && (text.chars().all(|c| c.is_ascii_digit()) || text.chars().count() == 1 || is_abbreviation(text));
    let joined = number && behind.ends_with(['-', '/', '–', '−']);
    let start = start + opened;
    found.push(Token {
        start,
        end: start + text.len(),
        text,
        ends_clause: !behind.is_empty() && !dotted,
        ends_sentence: !dotted && behind.contains(['.', '!', '?', ':']),
        joined,
        negative,
    });
}

/// Words that end in a dot in the middle of a sentence, without that dot.
pub(super) fn is_abbreviation(word: &str) -> bool {
    const WORDS: [&str; 31] = [
        "mio", "mrd", "mill", "tsd", "nr", "kap", "ziff", "abb", "dr", "prof", "dipl", "mr", "mrs", "ms", "ca", "bzw",
        "ggf", "evtl", "vgl", "inkl", "zzgl", "gem", "vs", "approx", "e.g", "i.e", "z.b", "d.h", "u.a", "tel", "incl",
    ];
    WORDS.contains(&word.to_lowercase().as_str())
}

/// Whether its first letter is a capital and it has small ones.
pub(super) fn is_capitalised(word: &str) -> bool {
    word.chars().next().is_some_and(char::is_uppercase) && word.chars().any(char::is_lowercase)
}

/// Whether it looks like a code or an acronym: `VPN`, `SR-200`, `NQ2`, `p53`.
pub(super) fn has_code_shape(word: &str) -> bool {
    let capitals = word.chars().filter(|c| c.is_uppercase()).count();
    let digits = word.chars().any(|c| c.is_ascii_digit());
    word.starts_with(char::is_alphabetic)
        && (capitals >= 2 && !word.chars().any(char::is_lowercase) || digits)
        && super::quantities::unit(word).is_none()
}

/// Words that are capitalised for where they stand, not for what they are.
pub(super) fn is_function_word(word: &str) -> bool {
    const WORDS: [&str; 61] = [
        "i", "the", "a", "an", "it", "its", "if", "you", "your", "yes", "no", "not", "in", "on", "at", "by", "of",
        "for", "to", "from", "this", "that", "these", "those", "there", "they", "their", "he", "she", "we", "our",
        "and", "or", "but", "when", "after", "before", "sie", "ihr", "ihre", "ihnen", "er", "es", "der", "die", "das",
        "den", "dem", "ein", "eine", "im", "am", "ja", "nein", "und", "oder", "nach", "vor", "bei", "wenn", "passage",
    ];
    WORDS.contains(&word.to_lowercase().as_str())
}

/// Whether a number before this word counts nothing that the word names: `of 24, 5 may be carried over`.
pub(super) fn names_nothing(word: &str) -> bool {
    const WORDS: [&str; 60] = [
        "may", "must", "can", "could", "should", "shall", "will", "would", "is", "are", "was", "were", "be", "has",
        "have", "had", "do", "does", "did", "as", "per", "than", "while", "which", "that", "who", "each", "every",
        "all", "during", "until", "between", "under", "over", "about", "only", "more", "less", "most", "not", "with",
        "without", "then", "so", "darf", "dürfen", "muss", "müssen", "kann", "können", "sind", "ist", "wird", "werden",
        "bis", "pro", "je", "von", "zu", "für",
    ];
    is_function_word(word) || WORDS.contains(&word.to_lowercase().as_str())
}

/// How a text writes numbers and names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Style {
    /// `1,500.75`
    English,
    /// `1.500,75`, and every noun has a capital.
    German,
    /// `1.500,75`
    Continental,
    /// Nothing tells.
    #[default]
    Unknown,
}

impl Style {
    /// Of a text in this language (ISO 639-1), or as its small words show.
    pub(crate) fn of(text: &str, language: Option<&str>) -> Self {
        const COMMA: [&str; 25] = [
            "fr", "es", "it", "pt", "nl", "da", "sv", "no", "nb", "fi", "pl", "cs", "sk", "ru", "uk", "tr", "id", "vi",
            "el", "hu", "ro", "bg", "hr", "sl", "ca",
        ];
        match language {
            Some("en") => Self::English,
            Some("de") => Self::German,
            Some(code) if COMMA.contains(&code) => Self::Continental,
            _ => Self::of_words(&tokens(text)),
        }
    }

    fn of_words(tokens: &[Token<'_>]) -> Self {
        const GERMAN: [&str; 24] = [
            "der", "die", "das", "den", "dem", "des", "und", "ist", "sind", "ein", "eine", "einer", "nicht", "mit",
            "für", "auf", "von", "zu", "wird", "werden", "nach", "bei", "im", "es",
        ];
        const ENGLISH: [&str; 18] = [
            "the", "of", "and", "is", "are", "to", "for", "with", "by", "from", "at", "be", "may", "must", "it", "how",
            "what", "which",
        ];
        let count =
            |words: &[&str]| tokens.iter().filter(|token| words.contains(&token.text.to_lowercase().as_str())).count();
        let (german, english) = (count(&GERMAN), count(&ENGLISH));
        match () {
            () if german > english && (german >= 2 || tokens.len() <= 6) => Self::German,
            () if english > german => Self::English,
            () => Self::Unknown,
        }
    }
}
