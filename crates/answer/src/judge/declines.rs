//! A model that says itself that it cannot know.

/// Whether a sentence says that the passages do not answer, as the prompt asks the model to say then.
pub(crate) fn declines(sentence: &str) -> bool {
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
    let sentence = sentence.to_lowercase();
    [&ABOUT[..], &NOT[..], &SAYS[..]].iter().all(|words| words.iter().any(|word| sentence.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::declines;

    #[test]
    fn a_model_that_says_it_cannot_know_is_believed() {
        for sentence in [
            "The passages do not answer the question.",
            "The provided passages do not contain information about the tax number.",
            "There is no information about this in the passages provided.",
            "Die Passagen beantworten die Frage nicht.",
        ] {
            assert!(declines(sentence), "{sentence}");
        }
        for sentence in [
            "In the first year employees receive 24 days of annual leave.",
            "A lock-out padlock may not be removed by anybody else.",
            "Passwords have at least 14 characters.",
        ] {
            assert!(!declines(sentence), "{sentence}");
        }
    }
}
