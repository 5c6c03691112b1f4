//! Escalate: a small model answers first; where its answer does not stand well, a larger one writes it again from the
//! same passages. Off unless the site names a larger model.
//!
//! The larger one's word holds, a refusal too: it was asked because the first answer was not to be trusted. If it cannot
//! write, or the reader stops it, a first answer that came to its end stays.

use crate::Answering;
use crate::ask::{Event, Found, Question};
use crate::cite::{Sentence, Support};
use crate::generate::Failure;
use crate::judge::Judgement;
use crate::record::{Answer, Timings};
use serde::Serialize;
use std::time::Instant;
use storage::AnswerState;
use tokio_util::sync::CancellationToken;

/// An answer less likely right than this goes to the larger model unless the site says otherwise.
pub const SURE: f32 = 0.75;

/// Why the first answer was not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// It was refused: the model says that the passages do not answer, or they do not bear its text out.
    Refused,
    /// A sentence of it is not fully supported.
    Unsupported,
    /// It is less likely right than the site wants it to be.
    Unsure,
}

/// The answer of the smaller model, which was given up.
#[derive(Debug, Clone, Serialize)]
pub struct First {
    /// Its model.
    pub model: String,
    /// SHA-256 of that model's weights.
    pub model_sha256: String,
    /// Why it was given up.
    pub doubt: Doubt,
    /// What it said.
    pub text: String,
    /// What it was judged by.
    pub judgement: Judgement,
}

/// What the larger model had written when it failed or was stopped: it was shown.
#[derive(Debug, Clone, Serialize)]
pub struct BrokenOff {
    /// The larger model.
    pub model: String,
    /// SHA-256 of its weights.
    pub model_sha256: String,
    /// Why it was asked.
    pub doubt: Doubt,
    /// What it had written.
    pub text: String,
    /// Why it did not go on; `None` if it was stopped.
    pub error: Option<String>,
}

impl Answering {
    /// `first`, or what the larger model writes in its place.
    pub(crate) async fn escalate(
        &self,
        question: &Question,
        first: Answer,
        found: &Found,
        begin: Instant,
        stop: &CancellationToken,
        report: &mut impl FnMut(Event),
    ) -> Answer {
        let larger = self.engines.larger().filter(|_| question.wishes.tools.is_empty() && found.enough);
        let Some((larger, doubt)) =
            larger.zip(doubt(first.state, &first.sentences, first.judgement.after, self.settings.sure))
        else {
            return first;
        };
        self.tally.escalate();
        report(Event::Escalated { model: larger.name.clone(), doubt });
        match self.write(question, &larger, found, begin, stop, report).await {
            // Whoever stops the larger one keeps what there was.
            Ok(answer) if answer.state == AnswerState::Stopped && first.state == AnswerState::Finished => {
                kept(first, Some(&answer), doubt, None, begin)
            }
            Ok(answer) => {
                let Answer { model, model_hash: model_sha256, text, judgement, .. } = first;
                Answer { first: Some(Box::new(First { model, model_sha256, doubt, text, judgement })), ..answer }
            }
            Err(Failure { error, answer }) => {
                tracing::warn!(%error, answer.id = %question.id, "the larger model could not answer; the first answer stays");
                kept(first, answer.as_deref(), doubt, Some(error.to_string()), begin)
            }
        }
    }
}

/// The first answer, with what the larger model had written by then.
fn kept(first: Answer, broken: Option<&Answer>, doubt: Doubt, error: Option<String>, begin: Instant) -> Answer {
    let broken_off = broken.map(|broken| {
        let (model, model_sha256) = (broken.model.clone(), broken.model_hash.clone());
        Box::new(BrokenOff { model, model_sha256, doubt, text: broken.text.clone(), error })
    });
    let timings = Timings { total: begin.elapsed(), ..first.timings };
    Answer { broken_off, timings, ..first }
}

/// `probability` that the answer is right, if that was judged.
fn doubt(state: AnswerState, sentences: &[Sentence], probability: Option<f32>, sure: f32) -> Option<Doubt> {
    match state {
        AnswerState::Refused => Some(Doubt::Refused),
        AnswerState::Finished if sentences.iter().any(|sentence| sentence.support != Support::Supported) => {
            Some(Doubt::Unsupported)
        }
        AnswerState::Finished if probability.is_some_and(|probability| probability < sure) => Some(Doubt::Unsure),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(state: AnswerState, support: Support, probability: Option<f32>) -> Option<Doubt> {
        let sentence = Sentence {
            text: "2 m.".to_owned(),
            citations: vec![1],
            support,
            unfounded: Vec::new(),
            starts_paragraph: true,
            list_item: false,
        };
        doubt(state, &[sentence], probability, 0.75)
    }

    #[test]
    fn only_what_is_doubtful_goes_on() {
        assert_eq!(of(AnswerState::Finished, Support::Supported, Some(0.9)), None);
        assert_eq!(of(AnswerState::Finished, Support::Supported, None), None, "without a calibration support decides");
        assert_eq!(of(AnswerState::Finished, Support::Supported, Some(0.6)), Some(Doubt::Unsure));
        assert_eq!(of(AnswerState::Finished, Support::Partly, Some(0.9)), Some(Doubt::Unsupported));
        assert_eq!(of(AnswerState::Refused, Support::Supported, Some(0.2)), Some(Doubt::Refused));
        assert_eq!(of(AnswerState::Stopped, Support::Partly, Some(0.2)), None, "who stops an answer wants no other");
    }
}
