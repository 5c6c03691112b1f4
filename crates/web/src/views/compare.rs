//! One question, answered by the model in use and by the one beside it.

use super::{AnswerState, AnswerView, Chrome, Support, filters};
use askama::Template;

/// The page on which two models are compared.
#[derive(Debug, Clone, Template)]
#[template(path = "models_compare.html")]
pub struct ComparePage {
    /// The frame.
    pub chrome: Chrome,
    /// Name of the model in use.
    pub stable: Option<String>,
    /// Name of the one beside it.
    pub experimental: Option<String>,
    /// Whether the person manages models.
    pub may_manage: bool,
    /// Whether this comparison's second answer is by the model that is beside now, so that it can be promoted.
    pub may_promote: bool,
    /// What stands in the question field.
    pub question: String,
    /// Why it was not accepted.
    pub error: Option<String>,
    /// How many passages the person may see.
    pub passages: u64,
    /// What both made of the site's own questions.
    pub evaluation: EvaluationView,
    /// The two answers: the model in use first.
    pub sides: Vec<CompareSide>,
}

impl ComparePage {
    /// The side whose list of sources is shown: both were given the same, but a refusal calls them by another name.
    #[must_use]
    pub fn with_sources(&self) -> Option<&CompareSide> {
        let told = self.sides.iter().find(|side| side.answer.state != AnswerState::Refused);
        told.or_else(|| self.sides.first())
    }

    /// Whether an answer is in work, so that a reader without script needs the page again soon.
    #[must_use]
    pub fn in_work(&self) -> bool {
        self.sides.iter().any(|side| side.answer.state.in_work())
    }
}

/// What both made of the site's own questions, and whether that is still going on.
#[derive(Debug, Clone, Default)]
pub struct EvaluationView {
    /// What is in work, and how far.
    pub at_work: Option<String>,
    /// Who wanted that, if it was not the reader.
    pub by: Option<String>,
    /// Why the last one has no figures.
    pub failed: Option<String>,
    /// Name of the model that was in use then, if there was one.
    pub beside: Option<String>,
    /// The figures; none before the first evaluation.
    pub rows: Vec<EvaluationRow>,
    /// How many questions of which set, and when.
    pub of: Option<String>,
}

/// A figure of both models.
#[derive(Debug, Clone)]
pub struct EvaluationRow {
    /// What is counted.
    pub what: &'static str,
    /// The figure of the model on trial.
    pub own: String,
    /// That of the model in use; empty if there was none.
    pub beside: String,
}

/// One of the two answers.
#[derive(Debug, Clone)]
pub struct CompareSide {
    /// `stable` or `experimental`.
    pub role: &'static str,
    /// The model.
    pub model: String,
    /// Its answer.
    pub answer: AnswerView,
    /// What it took: what is meant and the figure with its unit; empty while it is in work.
    pub figures: Vec<(&'static str, String)>,
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::{Label, Role};

    impl ComparePage {
        pub(crate) fn sample() -> Self {
            let side = |role, model: &str, id: &str, first: &str, writes: &str| {
                let mut answer = AnswerView::sample();
                answer.id = id.to_owned();
                answer.record = id.to_owned();
                answer.model = model.to_owned();
                let figures = vec![
                    ("First word", first.to_owned()),
                    ("Writes", writes.to_owned()),
                    ("Sentences supported", "2 of 4".to_owned()),
                    ("Passages cited", "3 of 4".to_owned()),
                ];
                CompareSide { role, model: model.to_owned(), answer, figures }
            };
            let mut chrome = Chrome::sample("Compare models", Nav::Models, Role::Admin);
            chrome.banner = Some(Label::Confidential);
            Self {
                chrome,
                stable: Some("Qwen2.5-Coder-1.5B-Instruct".to_owned()),
                experimental: Some("Qwen2.5-3B-Instruct".to_owned()),
                may_manage: true,
                may_promote: true,
                question: AnswerView::sample().question,
                error: None,
                passages: 1_480,
                evaluation: EvaluationView {
                    beside: Some("Qwen2.5-Coder-1.5B-Instruct".to_owned()),
                    rows: vec![
                        EvaluationRow { what: "Right answers", own: "71 %".to_owned(), beside: "64 %".to_owned() },
                        EvaluationRow {
                            what: "First word after, median",
                            own: "6.8 s".to_owned(),
                            beside: "3.2 s".to_owned(),
                        },
                    ],
                    of: Some("30 questions of site.csv, 14 March 2026, 09:41".to_owned()),
                    ..EvaluationView::default()
                },
                sides: vec![
                    side("stable", "Qwen2.5-Coder-1.5B-Instruct", "0195a1b2c3", "3.2 s", "18.6 tokens/s"),
                    side("experimental", "Qwen2.5-3B-Instruct", "0195a1b2c4", "6.8 s", "9.7 tokens/s"),
                ],
            }
        }

        pub(crate) fn sample_in_work() -> Self {
            let mut page = Self { may_promote: false, ..Self::sample() };
            for (side, state) in page.sides.iter_mut().zip([AnswerState::Writing, AnswerState::Searching]) {
                let id = std::mem::take(&mut side.answer.id);
                side.answer = AnswerView { id, ..AnswerView::sample_in(state) };
                side.figures.clear();
            }
            page
        }

        pub(crate) fn sample_start() -> Self {
            let chrome = Chrome { banner: None, ..Self::sample().chrome };
            let evaluation = EvaluationView {
                at_work: Some("Qwen2.5-3B-Instruct on site.csv: 12 of 60 answers".to_owned()),
                by: Some("dora".to_owned()),
                failed: Some("site.csv: the first line has to name the columns: question, answer, document".to_owned()),
                ..EvaluationView::default()
            };
            let sides = Vec::new();
            Self { chrome, sides, evaluation, question: String::new(), may_promote: false, ..Self::sample() }
        }

        pub(crate) fn sample_nothing_beside() -> Self {
            let chrome = Chrome { banner: None, ..Chrome::sample("Compare models", Nav::Compare, Role::Curator) };
            Self { chrome, experimental: None, may_manage: false, ..Self::sample_start() }
        }
    }
}
