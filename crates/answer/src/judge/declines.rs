//! A model that says itself that it cannot know.

use crate::cite::{Sentence, Support};

/// Whether a sentence says that the passages do not answer, as the prompt asks the model to say then. One that they
/// support says it only if it begins with them: "No, information may not be provided to third parties" is an answer.
pub(crate) fn declines(sentence: &Sentence) -> bool {
    says_so(&sentence.text, sentence.support == Support::Supported)
}

fn says_so(sentence: &str, supported: bool) -> bool {
    const ABOUT: [&str; 10] = [
        "passage",
        "document",
        "information",
        "the text",
        "context",
        "abschnitt",
        "dokument",
        "textstelle",
        "passagen",
        "angabe",
    ];
    const NOT: [&str; 9] = ["do not", "does not", "don't", "doesn't", "did not", "no ", "not ", "nicht", "kein"];
    const SAYS: [&str; 17] = [
        "answer",
        "mention",
        "specif",
        "contain",
        "provid",
        "state",
        "say",
        "include",
        "indicat",
        "address",
        "find",
        "beantwort",
        "enthalten",
        "enthält",
        "erwähn",
        "nennen",
        "gibt",
    ];
    /// Words among which a sentence about the passages names them.
    const BEGINNING: usize = 4;
    let sentence = sentence.to_lowercase();
    let of_passages = |word: &str| ["passage", "textstelle", "abschnitt"].iter().any(|name| word.contains(name));
    if supported && !sentence.split_whitespace().take(BEGINNING).any(of_passages) {
        return false;
    }
    [&ABOUT[..], &NOT[..], &SAYS[..]].iter().all(|words| words.iter().any(|word| sentence.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::says_so;

    #[test]
    fn a_model_that_says_it_cannot_know_is_believed() {
        for sentence in [
            "The passages do not answer the question.",
            "The provided passages do not contain information about the tax number.",
            "There is no information about this in the passages provided.",
            "Die Passagen beantworten die Frage nicht.",
        ] {
            assert!(says_so(sentence, false), "{sentence}");
        }
        assert!(says_so("The provided passages do not contain information about the tax number.", true));
        for sentence in [
            "No, customer information may not be provided to third parties.",
            "The safety document must include a signature and may not be altered.",
        ] {
            assert!(!says_so(sentence, true), "{sentence}");
        }
        for sentence in [
            "In the first year employees receive 24 days of annual leave.",
            "A lock-out padlock may not be removed by anybody else.",
            "Passwords have at least 14 characters.",
        ] {
            assert!(!says_so(sentence, false), "{sentence}");
        }
    }
}
