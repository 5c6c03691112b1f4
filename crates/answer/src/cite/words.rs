//! Words of a text with their places, and what their shape says.

/// A word or number without the punctuation around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    /// Where it begins and ends in the text, in bytes.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) text: &'a str,
    /// Whether a clause ends behind it: names and units don't go on there.
    pub(super) ends_clause: bool,
}

/// The tokens of `text`: what white space, slashes between words, and dashes between numbers divide.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut begin = 0;
    for piece in text.split(char::is_whitespace) {
        let from = begin;
        begin += piece.len();
        begin += text[begin..].chars().next().map_or(0, char::len_utf8);
        let mut start = from;
        for part in piece.split_inclusive(['–', '—', '|']) {
            push(&mut found, part, start);
            start += part.len();
        }
    }
    found
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
    let behind = &trimmed[text.len()..];
    // What is opened here, such as a quotation, belongs to no word before it.
    if let Some(last) = found.last_mut().filter(|_| opened > 0) {
        last.ends_clause = true;
    }
    // The dot of an ordinal or an initial ends nothing.
    let dotted = behind == "." && (text.chars().all(|c| c.is_ascii_digit()) || text.chars().count() == 1);
    let start = start + opened;
    found.push(Token { start, end: start + text.len(), text, ends_clause: !behind.is_empty() && !dotted });
}

/// Whether its first letter is a capital and it has small ones.
pub(super) fn is_capitalised(word: &str) -> bool {
    word.chars().next().is_some_and(char::is_uppercase) && word.chars().any(char::is_lowercase)
}

/// Whether it looks like a code or an acronym: `VPN`, `SR-200`, `NQ2`.
pub(super) fn has_code_shape(word: &str) -> bool {
    let capitals = word.chars().filter(|c| c.is_uppercase()).count();
    let digits = word.chars().any(|c| c.is_ascii_digit());
    let letters = word.starts_with(char::is_alphabetic);
    letters
        && (capitals >= 2 && !word.chars().any(char::is_lowercase) || capitals >= 1 && digits)
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

/// Whether the words are German, where every noun has a capital.
pub(super) fn is_german(tokens: &[Token<'_>]) -> bool {
    const WORDS: [&str; 24] = [
        "der", "die", "das", "den", "dem", "des", "und", "ist", "sind", "ein", "eine", "einer", "nicht", "mit", "für",
        "auf", "von", "zu", "wird", "werden", "nach", "bei", "im", "es",
    ];
    let count = tokens.iter().filter(|token| WORDS.contains(&token.text.to_lowercase().as_str())).count();
    count >= 2 || (count == 1 && tokens.len() <= 6)
}
