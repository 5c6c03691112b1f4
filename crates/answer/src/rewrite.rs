//! Rewrite: a follow-up question becomes one that can be searched on its own.

/// An earlier question of the conversation with its answer's text.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) question: String,
}

/// A question that leans on what was said before names little itself: it is short, or points back with a word like
/// "it" or "that". Then the question before lends its words.
pub(crate) fn standalone(question: &str, history: &[Turn]) -> String {
    let Some(before) = history.last() else { return question.to_owned() };
    let words: Vec<String> = question
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    const POINTING: [&str; 26] = [
        "it", "its", "they", "them", "their", "that", "this", "those", "these", "he", "she", "there", "then", "same",
        "also", "too", "and", "es", "sie", "das", "diese", "dieser", "dieses", "dort", "auch", "und",
    ];
    let opens_as_addition = words.first().is_some_and(|word| matches!(word.as_str(), "and" | "und" | "what" | "was"));
    let points_back = words.iter().any(|word| POINTING.contains(&word.as_str()));
    if (points_back && words.len() <= 10) || (opens_as_addition && words.len() <= 4) || words.len() <= 2 {
        format!("{} {question}", before.question)
    } else {
        question.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_question_that_points_back_borrows_words() {
        let history = [Turn { question: "How long is the notice period?".to_owned() }];
        assert_eq!(
            standalone("And in the first year?", &history),
            "How long is the notice period? And in the first year?"
        );
        assert_eq!(standalone("Who approves it?", &history), "How long is the notice period? Who approves it?");
        let own = "Which password rules apply to administrator accounts?";
        assert_eq!(standalone(own, &history), own);
        assert_eq!(standalone("Who approves it?", &[]), "Who approves it?");
    }
}
