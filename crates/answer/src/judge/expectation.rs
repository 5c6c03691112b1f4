//! What kind of thing a question asks for, by its words. English and German.

use crate::cite::{FactKind, facts};

/// What an answer must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expectation {
    /// A number, a date or a time: `how many`, `what does … cost`.
    Figure,
    /// A date, a time or a length of time: `when`.
    Time,
    /// Nothing that can be told by its shape.
    Anything,
}

impl Expectation {
    pub(super) fn of(question: &str) -> Self {
        const FIGURE: [&str; 28] = [
            "how many",
            "how much",
            "how long",
            "how far",
            "how fast",
            "how big",
            "how high",
            "how old",
            "how often",
            "how soon",
            "how quickly",
            "how heavy",
            "how large",
            "how late",
            "how deep",
            "cost",
            "price",
            "what number",
            "which number",
            "phone number",
            "wie viel",
            "wie hoch",
            "wie lange",
            "wie groß",
            "wie oft",
            "wie weit",
            "kostet",
            "percentage",
        ];
        const TIME: [&str; 8] =
            ["when ", "what time", "which day", "by when", "until when", "wann", "bis wann", "what date"];
        let question = format!("{} ", question.to_lowercase());
        let has = |words: &[&str]| words.iter().any(|word| question.contains(word));
        match () {
            () if has(&FIGURE) => Self::Figure,
            // "What do I do when …" asks for no time.
            () if TIME.iter().any(|word| question.starts_with(word)) || has(&TIME[1..3]) => Self::Time,
            () => Self::Anything,
        }
    }

    /// Whether `text` has something of this kind.
    pub(super) fn is_met_by(self, text: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Figure | Self::Time => facts(text).iter().any(|fact| fact.kind() != FactKind::Name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_for_a_figure_is_not_met_by_words() {
        let asked = Expectation::of("How big is the fine for driving too fast?");
        assert_eq!(asked, Expectation::Figure);
        assert!(!asked.is_met_by("Fines are not paid."));
        assert!(asked.is_met_by("The fine is EUR 30."));
        assert_eq!(Expectation::of("Wann ist das Büro geschlossen?"), Expectation::Time);
        assert_eq!(Expectation::of("What do I do when the siren sounds?"), Expectation::Anything);
        assert!(Expectation::of("Who founded the port?").is_met_by("A guild of pilots did."));
    }
}
