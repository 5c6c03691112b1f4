//! Ask: the straight line from a question to its answer.

use crate::cite::{Support, cite};
use crate::generate::generate;
use crate::judge::{confidence, declines};
use crate::pack::{Source, label, pack};
use crate::record::Answer;
use crate::retrieve::Retrieved;
use crate::rewrite::{Turn, standalone};
use crate::{Answering, NamedGenerator, Wishes, calls, prompt};
use audit::Actor;
use domain::{AccessScope, AnswerId, ConversationId, OperationId, UserId};
use index::{IndexError, Mode};
use inference::{Message, MessageRole, ModelError, TokenLogprob};
use serde_json::Value;
use std::time::Instant;
use storage::{AnswerState, StorageError};
use tokio_util::sync::CancellationToken;

/// A question, recorded already by [`Answering::open`], and whose eyes it is asked with.
#[derive(Debug, Clone)]
pub struct Question {
    /// The record that the answer goes into.
    pub id: AnswerId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Whose it is.
    pub owner: UserId,
    /// What was asked.
    pub text: String,
    /// What may be read for it.
    pub scope: AccessScope,
    /// Who asks, for the audit log.
    pub actor: Actor,
    /// The request that asked.
    pub operation: OperationId,
    /// What a program asks for beyond that.
    pub wishes: Wishes,
}

/// What an answer in the making is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Looking for passages.
    Searching,
    /// Waiting for the model behind this many others.
    Waiting {
        /// Requests before this one.
        ahead: usize,
    },
    /// The model reads the prompt.
    Reading {
        /// Tokens read.
        done: usize,
        /// Tokens of the prompt.
        total: usize,
    },
    /// The model writes.
    Writing,
}

/// What happens while an answer is made, in this order: statuses and sources before the first text.
#[derive(Debug, Clone)]
pub enum Event {
    /// It does something else now.
    Status(Status),
    /// The passages that the answer will rest on.
    Sources(Vec<Source>),
    /// More of what the model thinks before it answers: not part of the answer, not recorded.
    Thinking(String),
    /// How likely the tokens of the next text were, if the question asked for it.
    Logprobs(Vec<TokenLogprob>),
    /// More of the text, as the model writes it.
    Text(String),
    /// The end: the answer as it was recorded.
    Answer(Box<Answer>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No generation model is in use.
    #[error("no generation model is in use; an admin imports one with 'carrel model import'")]
    NoModel,
    /// Nothing was asked, or too much.
    #[error("{0}")]
    Invalid(&'static str),
    /// The model refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The index refused.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The database refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A thread was lost.
    #[error("the answer was interrupted; ask again")]
    Interrupted,
}

impl Answering {
    /// Answers `question`, telling `report` what happens; `stop` ends it within a step and keeps what is there. The
    /// record is brought to an end whatever happens.
    ///
    /// # Errors
    /// [`AskError`], recorded as a failed answer.
    pub async fn ask(
        &self,
        question: &Question,
        stop: &CancellationToken,
        mut report: impl FnMut(Event),
    ) -> Result<Answer, AskError> {
        let outcome = self.line(question, stop, &mut report).await;
        let answer = match outcome {
            Ok(answer) => answer,
            Err(error) => {
                let mut answer = Answer::empty(question, AnswerState::Failed);
                answer.text = error.to_string();
                self.close(question, &answer).await?;
                report(Event::Answer(Box::new(answer)));
                return Err(error);
            }
        };
        self.close(question, &answer).await?;
        report(Event::Answer(Box::new(answer.clone())));
        Ok(answer)
    }

    async fn line(
        &self,
        question: &Question,
        stop: &CancellationToken,
        report: &mut impl FnMut(Event),
    ) -> Result<Answer, AskError> {
        let begin = Instant::now();
        let mut answer = Answer::empty(question, AnswerState::Refused);
        let (named, messages) = if question.wishes.without_documents {
            (self.generator().ok_or(AskError::NoModel)?, prompt::without_documents(&question.wishes))
        } else {
            match self.find(question, &mut answer, report).await? {
                (named, Some(messages)) => (named, messages),
                (_, None) => {
                    answer.timings.total = begin.elapsed();
                    return Ok(answer);
                }
            }
        };
        answer.model.clone_from(&named.name);
        answer.model_hash.clone_from(&named.generator.info().sha256);
        answer.messages.clone_from(&messages);
        let mut first_word = None;
        let reader = (question.owner, &question.scope);
        let asked = (&*self.settings, &question.wishes);
        let generated = generate(&named, messages, asked, &reader, stop, |event| {
            if matches!(event, Event::Text(_)) {
                first_word.get_or_insert_with(|| begin.elapsed());
            }
            report(event);
        })
        .await?;

        (answer.text, answer.calls) = calls::split(&generated.text, &question.wishes, question.id);
        let said = question.wishes.text_schema().and_then(|_| leaves(&answer.text));
        answer.sentences = cite(&self.index, said.as_deref().unwrap_or(&answer.text), &answer.sources);
        answer.logprobs = generated.logprobs;
        answer.timings.first_word = first_word;
        answer.timings.total = begin.elapsed();
        answer.state = match &generated.usage {
            None => AnswerState::Stopped,
            Some(_) if question.wishes.without_documents || !answer.calls.is_empty() => AnswerState::Finished,
            // An answer of which no sentence stands in the passages is no answer; nor is one that says so itself.
            Some(_)
                if answer.sentences.iter().all(|sentence| sentence.support == Support::NotFound)
                    || answer.sentences.first().is_some_and(|sentence| declines(&sentence.text)) =>
            {
                AnswerState::Refused
            }
            Some(_) => AnswerState::Finished,
        };
        answer.usage = generated.usage;
        Ok(answer)
    }

    /// Finds what the answer will rest on; without anything good enough there is no prompt. A model that may call
    /// functions is asked in any case: they may know what the documents don't.
    async fn find(
        &self,
        question: &Question,
        answer: &mut Answer,
        report: &mut impl FnMut(Event),
    ) -> Result<(NamedGenerator, Option<Vec<Message>>), AskError> {
        report(Event::Status(Status::Searching));
        let history = self.history(question).await?;
        let query = standalone(&question.text, &history);
        let Retrieved { candidates, took } =
            self.retrieve(&query, Mode::Hybrid, self.settings.candidates, &question.scope).await?;
        let confidence = confidence(&self.index, &query, &candidates);
        let enough = confidence >= self.settings.least_confidence;
        let named = self.generator().ok_or(AskError::NoModel)?;
        let sources = pack(candidates, &self.settings, |text| named.generator.count_tokens(text));

        // What is about to be shown is recorded first: if that cannot be written, nothing is shown.
        self.record_shown(question, &query, &sources).await?;
        report(Event::Sources(sources.clone()));
        answer.label = label(&sources);
        answer.timings.retrieval = took;
        answer.confidence = confidence;
        answer.query = query;
        answer.sources = sources;
        if (!enough || answer.sources.is_empty()) && question.wishes.tools.is_empty() {
            return Ok((named, None));
        }
        let messages = prompt::messages(&question.text, &answer.sources, &question.wishes);
        Ok((named, Some(messages)))
    }

    /// What a question would be answered from, and how sure retrieval is: without a model and without a record, for
    /// measuring.
    ///
    /// # Errors
    /// A failing index, embedder or database.
    pub async fn judged(&self, question: &str, scope: &AccessScope) -> Result<(Vec<Source>, f32), AskError> {
        let found = self.retrieve(question, Mode::Hybrid, self.settings.candidates, scope).await?;
        let confidence = confidence(&self.index, question, &found.candidates);
        let sources = pack(found.candidates, &self.settings, |text| self.embedder.count_tokens(text));
        Ok((sources, confidence))
    }

    async fn history(&self, question: &Question) -> Result<Vec<Turn>, AskError> {
        let answers = self.store.answers(question.conversation).await?;
        let before = answers.into_iter().filter(|answer| answer.id != question.id);
        let told = question.wishes.messages.iter().filter(|message| message.role == MessageRole::User);
        let told: Vec<Turn> = told.map(|message| Turn { question: message.content.clone() }).collect();
        // The last of them is the question itself.
        let told = told.into_iter().rev().skip(1).collect::<Vec<_>>().into_iter().rev();
        Ok(before.map(|answer| Turn { question: answer.question }).chain(told).collect())
    }
}

/// What a JSON text says, one statement a line: each value with the name before it. `None` if it is no JSON.
fn leaves(text: &str) -> Option<String> {
    fn collect(name: &str, value: &Value, lines: &mut Vec<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| collect(name, value, lines)),
            Value::Array(items) => items.iter().for_each(|item| collect(name, item, lines)),
            Value::String(text) => lines.push(text.clone()),
            Value::Number(number) => lines.push(format!("{} {number}", name.replace(['_', '-'], " "))),
            Value::Bool(_) | Value::Null => {}
        }
    }
    let mut lines = Vec::new();
    collect("", &serde_json::from_str(text).ok()?, &mut lines);
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn json_is_read_as_what_it_says() {
        let text = r#"{"answer": "24 days.", "leave_days": 24, "sure": true, "more": ["a", {"b": "c"}]}"#;
        assert_eq!(super::leaves(text).unwrap(), "24 days.\nleave days 24\na\nc");
        assert!(super::leaves("24 days").is_none());
    }
}
