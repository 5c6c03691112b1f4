//! Judge: whether what was retrieved can answer the question at all.
//!
//! The model alone either invents or refuses too much, so this is decided outside it: by how near the best passage
//! is in meaning, and by how many of the question's own words it has.

use crate::retrieve::Candidate;
use index::Index;
use std::collections::BTreeSet;

/// Low on purpose: it keeps out what is far from every document the person may see. Questions about the same
/// documents that these do not answer score like answerable ones (`carrel eval answers --retrieval-only`), so they are
/// left to [`declines`] and to the check of each sentence.
pub(crate) const LEAST_CONFIDENCE: f32 = 0.30;

/// How sure retrieval is, 0 to 1: the best candidate's mean of cosine similarity and share of the question's words.
pub(crate) fn confidence(index: &Index, question: &str, candidates: &[Candidate]) -> f32 {
    let wanted: BTreeSet<String> = index.terms(question, None).into_iter().collect();
    candidates.iter().take(8).map(|candidate| of_candidate(index, &wanted, candidate)).fold(0.0, f32::max)
}

fn of_candidate(index: &Index, wanted: &BTreeSet<String>, candidate: &Candidate) -> f32 {
    let Candidate { passage, document, hit } = candidate;
    let cosine = hit.cosine.unwrap_or(0.0).clamp(0.0, 1.0);
    if wanted.is_empty() {
        return cosine;
    }
    let text = format!("{} {} {}", document.title, passage.heading_path.join(" "), passage.text);
    let has: BTreeSet<String> = index.terms(&text, document.language.as_deref()).into_iter().collect();
    #[allow(clippy::cast_precision_loss, reason = "a handful of words")]
    let covered = wanted.intersection(&has).count() as f32 / wanted.len() as f32;
    f32::midpoint(cosine, covered)
}

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
