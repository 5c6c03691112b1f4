//! Answers in every state, for the tests of all pages that show one.

use super::*;

impl SourceView {
    pub(crate) fn sample(number: u32) -> Self {
        let (title, heading, page, label, quote, matched) = match number {
            1 => (
                "Employee Handbook",
                "Leave › Annual leave",
                Some(12),
                Label::Internal,
                "In the first calendar year of service, annual leave accrues monthly at 1.5 days for each full month worked, up to a maximum of 18 days.",
                91,
            ),
            2 => (
                "Employee Handbook",
                "Leave › Carrying leave over",
                Some(13),
                Label::Internal,
                "Up to five days of annual leave that were not taken may be carried into the next year and lapse on 31 March.",
                74,
            ),
            3 => (
                "Works Agreement on Working Time",
                "§ 7 Leave",
                Some(4),
                Label::Confidential,
                "Requests for leave of more than ten working days are submitted to the head of section at least six weeks in advance.",
                52,
            ),
            _ => (
                "Minutes of the Staff Council, February",
                "",
                None,
                Label::Internal,
                "The council asked for the leave table to be printed in the handbook.",
                31,
            ),
        };
        Self {
            number,
            document: format!("0195a1c0de{number}"),
            passage: format!("0195a1feed{number}"),
            title: title.to_owned(),
            collection: if number < 4 { "Handbook and policies" } else { "Staff council" }.to_owned(),
            lang: (number < 4).then(|| "en".to_owned()),
            heading: heading.to_owned(),
            at: page.map(Place::on_page).unwrap_or_default(),
            version: 3,
            label,
            quote: quote.to_owned(),
            matched: Some(matched),
        }
    }
}

fn sentence(text: &str, citations: &[u32], support: Support) -> SentenceView {
    let citations = citations.to_vec();
    let marks = Vec::new();
    SentenceView { text: text.to_owned(), citations, support, marks, starts_paragraph: false, list_item: false }
}

/// The sentence with `part` of it marked.
fn marked(one: SentenceView, part: &str, words: &'static str) -> SentenceView {
    let start = one.text.find(part).unwrap();
    SentenceView { marks: vec![Mark { range: start..start + part.len(), words }], ..one }
}

impl AnswerView {
    pub(crate) fn sample() -> Self {
        let opening = |one: SentenceView| SentenceView { starts_paragraph: true, ..one };
        let item = |one: SentenceView| SentenceView { starts_paragraph: true, list_item: true, ..one };
        Self {
            id: "0195a1b2c3".to_owned(),
            question: "How many days of annual leave do I get in my first year?".to_owned(),
            state: AnswerState::Finished,
            progress: None,
            sentences: vec![
                opening(sentence(
                    "In your first calendar year you earn 1.5 days of annual leave for each full month that you have worked, up to 18 days.",
                    &[1],
                    Support::Supported,
                )),
                sentence(
                    "Days that you do not take are not lost at once: up to five of them move into the next year and lapse at the end of March.",
                    &[2],
                    Support::Supported,
                ),
                opening(sentence("Two things to keep in mind when you plan:", &[], Support::NotChecked)),
                item(marked(
                    sentence(
                        "For more than ten working days in a row, ask your head of section eight weeks ahead.",
                        &[3],
                        Support::Partly,
                    ),
                    "eight weeks",
                    "this number does not stand in its source",
                )),
                item(sentence("Leave in August is usually granted only to parents.", &[1, 2], Support::NotFound)),
            ],
            withdrawn: false,
            first_model: None,
            sources: (1..=4).map(SourceView::sample).collect(),
            label: Some(Label::Confidential),
            model: "Qwen2.5 1.5B Q4_K_M".to_owned(),
            record: "0195a1b2c3".to_owned(),
            asked_at: "14 March 2026, 09:41".to_owned(),
            seconds: Some("8.4 s".to_owned()),
            error: None,
        }
    }

    pub(crate) fn sample_in(state: AnswerState) -> Self {
        let mut answer = Self { state, id: format!("0195a1{}", state.as_str()), ..Self::sample() };
        match state {
            AnswerState::Finished => {}
            AnswerState::Searching => {
                answer.question = "May I take my laptop abroad?".to_owned();
                answer.progress = Some("searching 1,480 passages".to_owned());
                answer.sentences.clear();
                answer.sources.clear();
                answer.label = None;
                answer.seconds = None;
            }
            AnswerState::Writing => {
                answer.question = "And in the second year?".to_owned();
                answer.progress = Some("searched 1,480 passages · reading 4 · writing".to_owned());
                answer.sentences.truncate(1);
                answer.seconds = None;
            }
            AnswerState::Refused => {
                answer.question = "Who won the regatta in 1987?".to_owned();
                answer.sentences.clear();
                answer.withdrawn = true;
                answer.sources = vec![SourceView::sample(4)];
                answer.label = Some(Label::Internal);
                answer.seconds = Some("0.6 s".to_owned());
            }
            AnswerState::Stopped => {
                answer.question = "And how many days carry over?".to_owned();
                answer.sentences.truncate(2);
            }
            AnswerState::Failed => {
                answer.question = "What does the cleaning contract cost?".to_owned();
                answer.sentences.clear();
                answer.sources.truncate(2);
                answer.error = Some("The model has too many questions waiting (32)".to_owned());
            }
        }
        answer
    }
}
