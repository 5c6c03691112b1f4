//! BPE vocabularies and merges out of what GGUF files store.

use super::vocabulary::{TokenKind, Vocabulary};
use tokenizers::models::bpe::Vocab;

/// The tokens that text may become: all but control tokens, so that no text can become one.
pub(super) fn text_vocabulary(vocabulary: &Vocabulary) -> Vocab {
    let text = |kind: &TokenKind| matches!(kind, TokenKind::Normal | TokenKind::Byte | TokenKind::Other);
    let mut tokens = Vocab::default();
    for ((token, kind), id) in vocabulary.tokens.iter().zip(&vocabulary.kinds).zip(0..) {
        // Structure is sometimes marked as user-defined; runs of white space are, and those are text.
        let plain = text(kind) || (*kind == TokenKind::UserDefined && !looks_structural(token));
        if plain {
            tokens.entry(token.clone()).or_insert(id);
        }
    }
    tokens
}

/// Whether `token` looks like a tag or a marker rather than like text.
pub(super) fn looks_structural(token: &str) -> bool {
    (token.starts_with('<') && token.ends_with('>')) || (token.starts_with('[') && token.ends_with(']'))
}

/// The merges that a SentencePiece model's scores amount to: every way to make a token of two others, the best-scored
/// token first.
pub(super) fn from_scores(vocabulary: &Vocabulary, text: &Vocab, scores: &[f32]) -> Vec<(String, String)> {
    let mut merges: Vec<(f32, u32, u32, &str, &str)> = Vec::new();
    for ((token, kind), &score) in vocabulary.tokens.iter().zip(&vocabulary.kinds).zip(scores) {
        if !matches!(kind, TokenKind::Normal | TokenKind::UserDefined) || !text.contains_key(token) {
            continue;
        }
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if let (Some(&a), Some(&b)) = (text.get(left), text.get(right)) {
                merges.push((score, a, b, left, right));
            }
        }
    }
    merges.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)).then(x.2.cmp(&y.2)));
    merges.into_iter().map(|(_, _, _, left, right)| (left.to_owned(), right.to_owned())).collect()
}
