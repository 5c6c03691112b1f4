//! Ask: the straight line from a question to its answer.

mod leaves;

use crate::cite::Support;
use crate::escalate::Doubt;
use crate::generate::{Failure, generate};
use crate::judge::{Features, Judgement, Probing, confidence, declines, of_answer, of_search};
use crate::pack::{Source, label, pack};
use crate::record::Answer;
use crate::retrieve::Retrieved;
use crate::rewrite::{TURNS, Turn, standalone};
use crate::{Answering, NamedGenerator, Wishes, calls, prompt};
use audit::Actor;
use domain::{AccessScope, AnswerId, ConversationId, OperationId, UserId};
use index::{IndexError, Mode};
use inference::{Message, MessageRole, ModelError, TokenLogprob};
use leaves::leaves;
use std::time::{Duration, Instant};
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
    /// What was written so far does not hold; a larger model begins anew.
    Escalated {
        /// Its name.
        model: String,
        /// Why the first answer is given up.
        doubt: Doubt,
    },
    /// The end: the answer as it was recorded.
    Answer(Box<Answer>),
}

/// What a question is answered from.
pub(crate) struct Found {
    /// The question as it was searched.
    pub(crate) query: String,
    pub(crate) sources: Vec<Source>,
    pub(crate) confidence: f32,
    /// What the search says about whether it answers the question.
    pub(crate) features: Features,
    /// Whether it is worth showing to a model.
    pub(crate) enough: bool,
    /// Time of finding it.
    pub(crate) took: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No generation model is in use.
    #[error("no generation model is in use; an admin imports one with 'carrel model import'")]
    NoModel,
    /// No model is tried beside the one in use.
    #[error("no model is loaded beside the one in use; an admin loads one on the models page")]
    NothingBeside,
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
        self.end(question, outcome, &mut report).await
    }

    /// Brings the record of an answer to its end, whatever the outcome. What was written before a failure stays: it was
    /// shown.
    pub(crate) async fn end(
        &self,
        question: &Question,
        outcome: Result<Answer, impl Into<Failure>>,
        report: &mut impl FnMut(Event),
    ) -> Result<Answer, AskError> {
        let (answer, error) = match outcome {
            Ok(answer) => (answer, None),
            Err(failure) => {
                let Failure { error, answer }: Failure = failure.into();
                let mut answer = answer.map_or_else(|| Answer::empty(question, AnswerState::Failed), |answer| *answer);
                answer.state = AnswerState::Failed;
                (answer, Some(error))
            }
        };
        self.tally.end(answer.state);
        self.close(question, &answer, error.as_ref()).await?;
        report(Event::Answer(Box::new(answer.clone())));
        error.map_or(Ok(answer), Err)
    }

    async fn line(
        &self,
        question: &Question,
        stop: &CancellationToken,
        report: &mut impl FnMut(Event),
    ) -> Result<Answer, Failure> {
        let begin = Instant::now();
        let named = self.generator().ok_or(AskError::NoModel)?;
        if question.wishes.without_documents {
            let answer = Answer::empty(question, AnswerState::Refused);
            let messages = prompt::without_documents(&question.wishes);
            return self.generate(question, &named, answer, messages, begin, stop, report).await;
        }
        report(Event::Status(Status::Searching));
        let found = self.find(question, &named).await?;
        self.show(question, &found, report).await?;
        let first = self.write(question, &named, &found, begin, stop, report).await?;
        Ok(self.escalate(question, first, &found, begin, stop, report).await)
    }

    /// Rewrite, retrieve, judge, rerank, pack: what the question will be answered from.
    pub(crate) async fn find(&self, question: &Question, named: &NamedGenerator) -> Result<Found, AskError> {
        let history = self.history(question).await?;
        let query = standalone(&question.text, &history);
        let Retrieved { candidates, took } = self
            .retrieve_within(&query, Mode::Hybrid, self.candidates(), &question.scope, &question.wishes.filter)
            .await?;
        let confidence = confidence(&self.index, &self.wordings(&query), &candidates);
        let found = candidates.clone();
        let candidates = self.rerank(&query, candidates).await?;
        let sources = pack(candidates, &self.settings, |text| named.generator.count_tokens(text));
        let features = of_search(confidence, &found, &sources);
        let enough = confidence >= self.settings.least_confidence && !sources.is_empty();
        Ok(Found { query, sources, confidence, features, enough, took })
    }

    /// What is about to be shown is recorded first: if that cannot be written, nothing is shown.
    pub(crate) async fn show(
        &self,
        question: &Question,
        found: &Found,
        report: &mut impl FnMut(Event),
    ) -> Result<(), AskError> {
        self.record_shown(question, &found.query, &found.sources).await?;
        report(Event::Sources(found.sources.clone()));
        Ok(())
    }

    /// Prompt, generate, cite: the answer that `named` writes from what was found. Without anything good enough there
    /// is no prompt; but a model that may call functions is asked in any case: they may know what the documents don't.
    pub(crate) async fn write(
        &self,
        question: &Question,
        named: &NamedGenerator,
        found: &Found,
        begin: Instant,
        stop: &CancellationToken,
        report: &mut impl FnMut(Event),
    ) -> Result<Answer, Failure> {
        let mut answer = Answer::empty(question, AnswerState::Refused);
        answer.label = label(&found.sources);
        answer.sources.clone_from(&found.sources);
        answer.timings.retrieval = found.took;
        answer.confidence = found.confidence;
        answer.query.clone_from(&found.query);
        if !found.enough && question.wishes.tools.is_empty() {
            answer.timings.total = begin.elapsed();
            return Ok(answer);
        }
        answer.judgement.features.clone_from(&found.features);
        let messages = prompt::messages(&question.text, &found.sources, &question.wishes);
        if question.wishes.tools.is_empty() && !self.reads(question, named) && self.refuses_before(&mut answer) {
            answer.timings.total = begin.elapsed();
            return Ok(answer);
        }
        self.generate(question, named, answer, messages, begin, stop, report).await
    }

    /// Whether it is read from the hidden state of `named` if the passages answer: for prompts like those that the probe was
    /// fitted with.
    fn reads(&self, question: &Question, named: &NamedGenerator) -> bool {
        let known = match self.settings.probing {
            Probing::Never => false,
            Probing::Calibrated => self.settings.calibration.probe_of(&named.generator.info().sha256).is_some(),
            Probing::Always | Probing::Alone => true,
        };
        known && named.generator.remote_address().is_none() && prompt::is_plain(&question.wishes)
    }

    /// Whether what was found is all but certainly no answer.
    fn refuses_before(&self, answer: &mut Answer) -> bool {
        let Judgement { features, before, .. } = &mut answer.judgement;
        let Some(stages) = self.settings.calibration.plain.as_ref() else { return false };
        let probability = stages.before.probability(features);
        *before = Some(probability);
        probability < stages.before.threshold
    }

    /// Whether the model, having read question and passages, has no answer in mind.
    fn refuses_by_state(&self, model_sha256: &str, state: Vec<f32>, judgement: &mut Judgement) -> bool {
        if matches!(self.settings.probing, Probing::Always | Probing::Alone) {
            judgement.state = state;
            return self.settings.probing == Probing::Alone;
        }
        let Some(probe) = self.settings.calibration.probe_of(model_sha256) else { return false };
        let probability = probe.probability(&state);
        (judgement.before, judgement.after) = (probability, probability);
        probability.is_some_and(|probability| probability < probe.threshold)
    }

    /// Lets `named` write from `messages`, and ties what it wrote to the sources of `answer`.
    #[allow(clippy::too_many_arguments, reason = "the line's own state, passed on once")]
    async fn generate(
        &self,
        question: &Question,
        named: &NamedGenerator,
        mut answer: Answer,
        messages: Vec<Message>,
        begin: Instant,
        stop: &CancellationToken,
        report: &mut impl FnMut(Event),
    ) -> Result<Answer, Failure> {
        answer.model.clone_from(&named.name);
        answer.model_hash.clone_from(&named.generator.info().sha256);
        answer.messages.clone_from(&messages);
        let mut first_word = None;
        let reads = !question.wishes.without_documents && self.reads(question, named);
        let (hash, judgement) = (&answer.model_hash, &mut answer.judgement);
        let refuses = reads.then_some(|state| self.refuses_by_state(hash, state, judgement));
        let reader = (&question.owner, &question.scope);
        let asked = (&*self.settings, &question.wishes);
        let generated =
            generate(named, messages, self.quoted(&answer.sources), asked, reader, stop, refuses, |event| {
                if matches!(event, Event::Text(_)) {
                    first_word.get_or_insert_with(|| begin.elapsed());
                }
                report(event);
            })
            .await;
        if generated.refused {
            // Nothing was written, so there is nothing to write again.
            answer.messages.clear();
            answer.timings.total = begin.elapsed();
            answer.state = AnswerState::Refused;
            return Ok(answer);
        }

        (answer.text, answer.calls) = calls::split(&generated.text, &question.wishes, question.id);
        let likelihood = mean_likelihood(&generated.logprobs);
        if question.wishes.logprobs.is_some() {
            answer.logprobs = generated.logprobs;
        }
        answer.timings.first_word = first_word;
        let stands = self.stands(question, &mut answer, likelihood).await;
        answer.timings.total = begin.elapsed();
        let stands = match (generated.error, stands) {
            (None, Ok(stands)) => stands,
            (Some(error), _) | (None, Err(error)) => return Err(Failure { error, answer: Some(Box::new(answer)) }),
        };
        answer.state = match &generated.usage {
            None => AnswerState::Stopped,
            Some(_) if question.wishes.without_documents || !answer.calls.is_empty() => AnswerState::Finished,
            Some(_) if !stands => AnswerState::Refused,
            Some(_) => AnswerState::Finished,
        };
        answer.usage = generated.usage;
        Ok(answer)
    }

    /// Ties the sentences of an answer to its sources, and decides whether they stand. An answer of which no sentence
    /// does is no answer; nor is one that says so itself; nor one that the calibration finds too unlikely.
    async fn stands(
        &self,
        question: &Question,
        answer: &mut Answer,
        likelihood: Option<f32>,
    ) -> Result<bool, AskError> {
        let begin = Instant::now();
        let shaped = question.wishes.text_schema().and_then(|schema| leaves(&answer.text, schema));
        let text = shaped.as_deref().unwrap_or(&answer.text);
        let checked = self.prove(&question.text, text, &answer.sources).await?;
        answer.sentences = checked.iter().map(|checked| checked.sentence.clone()).collect();
        answer.timings.check = begin.elapsed();
        let Judgement { features, after, .. } = &mut answer.judgement;
        let calibration = &self.settings.calibration;
        if !features.is_empty() {
            of_answer(features, &checked, likelihood);
            // What the model had in mind says more.
            let stages = calibration.plain.as_ref().filter(|_| shaped.is_none() && after.is_none());
            let probability = stages.map(|stages| stages.after.probability(features));
            *after = after.or(probability);
            if stages.zip(probability).is_some_and(|(stages, probability)| probability < stages.after.threshold) {
                return Ok(false);
            }
        }
        // A form whose fields are ticked, and nothing else, has no sentence that could stand or not.
        let says_something = answer.sentences.iter().any(|sentence| sentence.support != Support::NotFound)
            || shaped.is_some() && answer.sentences.is_empty();
        Ok(says_something && !answer.sentences.first().is_some_and(declines))
    }

    /// The passages that a prompt quotes, if what is computed for them is kept.
    pub(crate) fn quoted(&self, sources: &[Source]) -> Vec<String> {
        match self.settings.reuse_passages {
            true => sources.iter().map(|source| source.passage.text.clone()).collect(),
            false => Vec::new(),
        }
    }

    /// What a question would be answered from, and how sure retrieval is: without a model and without a record, for
    /// measuring.
    ///
    /// # Errors
    /// A failing index, embedder or database.
    pub async fn judged(&self, question: &str, scope: &AccessScope) -> Result<(Vec<Source>, f32), AskError> {
        let found = self.retrieve(question, Mode::Hybrid, self.candidates(), scope).await?;
        let confidence = confidence(&self.index, &self.wordings(question), &found.candidates);
        let sources = pack(self.rerank(question, found.candidates).await?, &self.settings, |text| {
            self.embedder.count_tokens(text)
        });
        Ok((sources, confidence))
    }

    async fn history(&self, question: &Question) -> Result<Vec<Turn>, AskError> {
        let answers = self.store.answers(question.conversation).await?;
        let earlier: Vec<_> = answers.into_iter().take_while(|answer| answer.id != question.id).collect();
        let mut before = Vec::new();
        let of_use = earlier.len().saturating_sub(TURNS);
        for answer in earlier.into_iter().skip(of_use) {
            let said = answer.state == AnswerState::Finished && self.still_open(answer.id, question).await?;
            before.push(Turn { question: answer.question, answer: if said { answer.text } else { String::new() } });
        }
        let told = question.wishes.messages.iter().filter(|message| message.role == MessageRole::User);
        let told: Vec<Turn> =
            told.map(|message| Turn { question: message.content.clone(), answer: String::new() }).collect();
        // The last of them is the question itself.
        let told = told.into_iter().rev().skip(1).take(TURNS).collect::<Vec<_>>().into_iter().rev();
        Ok(before.into_iter().chain(told).collect())
    }

    /// Whether everything that an earlier answer was given may be read for this question: if not, it lends no name, for
    /// it says what a document says that is closed by now.
    async fn still_open(&self, answer: AnswerId, question: &Question) -> Result<bool, AskError> {
        let ids: Vec<_> = self.store.sources(answer).await?.iter().map(|source| source.passage).collect();
        Ok(self.store.passages_by_id(&ids, &question.scope).await?.len() == ids.len())
    }
}

/// The mean logarithm of the tokens' likelihoods.
#[allow(clippy::cast_precision_loss, reason = "a few hundred tokens")]
fn mean_likelihood(tokens: &[TokenLogprob]) -> Option<f32> {
    let sum: f32 = tokens.iter().map(|token| token.logprob).sum();
    (!tokens.is_empty()).then(|| sum / tokens.len() as f32)
}
