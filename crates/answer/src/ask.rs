//! Ask: the straight line from a question to its answer.

use crate::cite::{Support, cite};
use crate::generate::generate;
use crate::judge::{confidence, declines};
use crate::pack::{Source, label, pack};
use crate::record::Answer;
use crate::retrieve::Retrieved;
use crate::rewrite::{Turn, standalone};
use crate::{Answering, prompt};
use audit::Actor;
use domain::{AccessScope, AnswerId, ConversationId, OperationId, UserId};
use index::{IndexError, Mode};
use inference::ModelError;
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
        let mut answer = Answer::empty(question, AnswerState::Refused);
        answer.label = label(&sources);
        answer.sources.clone_from(&sources);
        answer.timings.retrieval = took;
        answer.confidence = confidence;
        answer.query = query;
        if !enough || sources.is_empty() {
            answer.timings.total = begin.elapsed();
            return Ok(answer);
        }

        let messages = prompt::messages(&question.text, &sources);
        answer.model.clone_from(&named.name);
        answer.model_hash.clone_from(&named.generator.info().sha256);
        answer.messages.clone_from(&messages);
        let mut first_word = None;
        let reader = (&question.owner, &question.scope);
        let passages = sources.iter().map(|source| source.passage.text.clone()).collect();
        let generated = generate(&named, messages, passages, &self.settings, reader, stop, |event| {
            if matches!(event, Event::Text(_)) {
                first_word.get_or_insert_with(|| begin.elapsed());
            }
            report(event);
        })
        .await?;

        answer.sentences = cite(&self.index, &generated.text, &sources);
        answer.text = generated.text;
        answer.timings.first_word = first_word;
        answer.timings.total = begin.elapsed();
        answer.state = match &generated.usage {
            None => AnswerState::Stopped,
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
        Ok(before.map(|answer| Turn { question: answer.question }).collect())
    }
}
