//! Record: what is written of a question, before and after it is answered. Each write carries its audit event.

use crate::ask::{AskError, Question};
use crate::cite::{Sentence, Support};
use crate::escalate::{BrokenOff, First};
use crate::generate::SAMPLING;
use crate::judge::{Judgement, declines};
use crate::pack::Source;
use crate::{Answering, Settings, Wishes};
use audit::{Action, Actor, Event, Outcome};
use domain::{AccessScope, AnswerId, ConversationId, Label, OperationId, UserId};
use inference::{Generator, Message, TokenLogprob, ToolCall, Usage};
use serde_json::{Value, json};
use std::time::Duration;
use storage::{AnswerRecord, AnswerState, Conversation, StorageError};

/// Longest question, in characters.
const LONGEST_QUESTION: usize = 4000;
/// Longest title of a conversation, in characters.
const TITLE: usize = 80;

/// How long the stages of an answer took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// Finding the passages.
    pub retrieval: Duration,
    /// From the question to the first word; `None` if there was none.
    pub first_word: Option<Duration>,
    /// Tying the sentences to their passages.
    pub check: Duration,
    /// From the question to the end.
    pub total: Duration,
}

/// An answer as it was recorded.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its record.
    pub id: AnswerId,
    /// How it ended.
    pub state: AnswerState,
    /// What the model wrote; its beginning, if that is all there is.
    pub text: String,
    /// Functions that the model called instead, or with it.
    pub calls: Vec<ToolCall>,
    /// How likely its tokens were, if the question asked for it; not recorded.
    pub logprobs: Vec<TokenLogprob>,
    /// Its sentences, each tied to its sources.
    pub sentences: Vec<Sentence>,
    /// What it rests on.
    pub sources: Vec<Source>,
    /// The highest label of its sources.
    pub label: Option<Label>,
    /// Name of the model; empty if none was asked.
    pub model: String,
    /// SHA-256 of the model's weights.
    pub model_hash: String,
    /// What the model was given.
    pub messages: Vec<Message>,
    /// The question as it was searched.
    pub query: String,
    /// How sure retrieval was, 0 to 1.
    pub confidence: f32,
    /// The answer of a smaller model, which was given up for this one.
    pub first: Option<Box<First>>,
    /// What a larger model had written of it before it failed or was stopped.
    pub broken_off: Option<Box<BrokenOff>>,
    /// Whether the passages answer the question, as far as that was judged.
    pub judgement: Judgement,
    /// Durations.
    pub timings: Timings,
    /// Tokens and finish reason, if the model came to an end.
    pub usage: Option<Usage>,
}

impl Answer {
    /// Whether something was written and taken back: not that the documents say nothing, but that they say something else.
    #[must_use]
    pub fn taken_back(&self) -> bool {
        let first = self.sentences.first();
        self.state == AnswerState::Refused && first.is_some_and(|sentence| !declines(sentence))
    }

    /// Whether its passages say all of it. A field of a form that is ticked or not, or left empty, cannot be held against
    /// them, so one that has such fields is not.
    #[must_use]
    pub fn is_supported(&self) -> bool {
        fn has_ticks(value: &Value) -> bool {
            match value {
                Value::Bool(_) | Value::Null => true,
                Value::Array(items) => items.iter().any(has_ticks),
                Value::Object(members) => members.values().any(has_ticks),
                _ => false,
            }
        }
        self.state != AnswerState::Refused
            && !self.sentences.is_empty()
            && self.sentences.iter().all(|sentence| sentence.support == Support::Supported)
            && !serde_json::from_str(&self.text).is_ok_and(|form| has_ticks(&form))
    }

    pub(crate) fn empty(question: &Question, state: AnswerState) -> Self {
        Self {
            id: question.id,
            state,
            text: String::new(),
            calls: Vec::new(),
            logprobs: Vec::new(),
            sentences: Vec::new(),
            sources: Vec::new(),
            label: None,
            model: String::new(),
            model_hash: String::new(),
            messages: Vec::new(),
            query: question.text.clone(),
            confidence: 0.0,
            first: None,
            broken_off: None,
            judgement: Judgement::default(),
            timings: Timings::default(),
            usage: None,
        }
    }
}

/// A question to be recorded, and whose eyes it is asked with.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// Who asks.
    pub owner: UserId,
    /// The conversation that it belongs to, or a new one.
    pub conversation: Option<ConversationId>,
    /// What is asked.
    pub text: &'a str,
    /// What may be read for it.
    pub scope: AccessScope,
    /// What a program asks for beyond that.
    pub wishes: Wishes,
}

impl Answering {
    /// Whether the model would take a question now, so that one that has no chance need not be recorded first.
    ///
    /// # Errors
    /// [`AskError::Model`] with how many wait and when to come back.
    pub fn check_room(&self) -> Result<(), AskError> {
        Ok(self.generator().map_or(Ok(()), |named| named.generator.check_room())?)
    }

    /// Records that `owner` asks `text`, in `conversation` or a new one.
    ///
    /// # Errors
    /// An empty or endless question; a conversation that is not the owner's; a failing database.
    pub async fn open(
        &self,
        owner: UserId,
        conversation: Option<ConversationId>,
        text: &str,
        scope: AccessScope,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<Question, AskError> {
        let wishes = Wishes::default();
        self.open_for(Asked { owner, conversation, text, scope, wishes }, actor, operation).await
    }

    /// As [`Answering::open`], for a program with wishes of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn open_for(
        &self,
        asked: Asked<'_>,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<Question, AskError> {
        let Asked { owner, conversation, text, scope, wishes } = asked;
        let text = text.trim();
        if text.is_empty() {
            return Err(AskError::Invalid("ask something; the question was empty"));
        }
        if !wishes.without_documents && text.chars().count() > LONGEST_QUESTION {
            return Err(AskError::Invalid("the question is too long; use at most 4,000 characters"));
        }
        let environment = self.store.environment();
        let now = environment.now();
        let known = match conversation {
            Some(id) => Some(
                self.store.conversation(id, owner).await?.ok_or(AskError::Invalid("there is no such conversation"))?.id,
            ),
            None => None,
        };
        let mut act = self.store.begin().await?;
        let conversation = match known {
            Some(id) => id,
            None => {
                let id = ConversationId::new(environment);
                let title = title(text);
                act.insert_conversation(&Conversation { id, owner, title, created_at: now, updated_at: now }).await?;
                id
            }
        };
        let id = AnswerId::new(environment);
        act.insert_answer(&AnswerRecord {
            id,
            conversation,
            question: text.to_owned(),
            state: AnswerState::Searching,
            text: String::new(),
            sentences: json!([]),
            label: None,
            model: String::new(),
            model_hash: String::new(),
            prompt: String::new(),
            timings: json!({}),
            asked_at: now,
            finished_at: None,
        })
        .await?;
        act.record(
            Event::new(Action::QuestionAsked, actor, operation).on("answer", id, title(text)).detail(asked_detail(
                text,
                conversation,
                &wishes,
            )),
        )
        .await?;
        act.commit().await?;
        self.tally.ask();
        let (text, actor) = (text.to_owned(), actor.clone());
        Ok(Question { id, conversation, owner, text, scope, actor, operation, wishes })
    }

    /// Records which passages are about to be shown.
    pub(crate) async fn record_shown(
        &self,
        question: &Question,
        query: &str,
        sources: &[Source],
    ) -> Result<(), AskError> {
        let rows: Vec<storage::Source> = sources
            .iter()
            .map(|source| storage::Source {
                rank: source.rank,
                passage: source.passage.id,
                document: source.document.id,
                version: source.passage.version,
                title: source.document.title.clone(),
                page: source.passage.page,
                hash: source.passage.hash,
                score: source.score,
            })
            .collect();
        let mut act = self.store.begin().await?;
        act.set_sources(question.id, &rows).await?;
        act.record(
            Event::new(Action::PassagesShown, &question.actor, question.operation)
                .on("answer", question.id, title(&question.text))
                .detail(json!({ "query": query, "passages": shown(sources) })),
        )
        .await?;
        Ok(act.commit().await?)
    }

    /// Records how the answer ended, and what broke it off. The event is written in any case: what was shown was shown.
    pub(crate) async fn close(
        &self,
        question: &Question,
        answer: &Answer,
        error: Option<&AskError>,
    ) -> Result<(), AskError> {
        let now = self.store.environment().now();
        let engines = [self.engines.stable(), self.engines.experimental(), self.engines.larger()];
        let wrote = |generator: &Generator| generator.info().sha256 == answer.model_hash;
        let on_gpu = engines.iter().flatten().any(|named| named.generator.on_gpu() && wrote(&named.generator));
        let record = AnswerRecord {
            id: question.id,
            conversation: question.conversation,
            question: question.text.clone(),
            state: answer.state,
            text: answer.text.clone(),
            sentences: json!(answer.sentences),
            label: answer.label,
            model: answer.model.clone(),
            model_hash: answer.model_hash.clone(),
            prompt: prompt_record(answer, &question.wishes, &self.settings, on_gpu).to_string(),
            timings: timings(answer, error),
            // Stands in the record already, like the question, and stays.
            asked_at: now,
            finished_at: Some(now),
        };
        let (action, outcome) = match answer.state {
            AnswerState::Stopped => (Action::AnswerStopped, Outcome::Success),
            AnswerState::Failed => (Action::AnswerFinished, Outcome::Failed),
            _ => (Action::AnswerFinished, Outcome::Success),
        };
        let first = answer.first.as_ref().map(|first| {
            json!({ "model": first.model, "model_sha256": first.model_sha256, "doubt": first.doubt, "text": first.text })
        });
        let mut act = self.store.begin().await?;
        match act.finish_answer(&record).await {
            // The conversation may have been deleted while it was being answered.
            Ok(()) | Err(StorageError::NotFound { .. }) => {}
            Err(refused) => return Err(refused.into()),
        }
        act.record(
            Event::new(action, &question.actor, question.operation)
                .on("answer", question.id, title(&question.text))
                .outcome(outcome)
                .detail(json!({
                    "state": answer.state,
                    "label": answer.label,
                    "model": answer.model,
                    "model_sha256": answer.model_hash,
                    "text": answer.text,
                    "error": error.map(ToString::to_string),
                    "calls": answer.calls,
                    "first": first,
                    "broken_off": answer.broken_off,
                    "cited": answer.sentences.iter().flat_map(|sentence| &sentence.citations).collect::<Vec<_>>(),
                })),
        )
        .await?;
        Ok(act.commit().await?)
    }

    /// Records a search and the passages it shows.
    ///
    /// # Errors
    /// A failing database; then the passages must not be shown.
    pub async fn record_search(
        &self,
        query: &str,
        sources: &[Source],
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), AskError> {
        let mut act = self.store.begin().await?;
        act.record(
            Event::new(Action::SearchPerformed, actor, operation)
                .detail(json!({ "query": query, "passages": shown(sources) })),
        )
        .await?;
        Ok(act.commit().await?)
    }
}

/// The passages as the audit log names them.
fn shown(sources: &[Source]) -> Value {
    sources
        .iter()
        .map(|source| {
            json!({
                "rank": source.rank,
                "passage": source.passage.id,
                "hash": source.passage.hash,
                "document": source.document.id,
                "version": source.passage.version,
                "title": source.document.title,
                "page": source.passage.page,
                "label": source.document.label,
            })
        })
        .collect()
}

fn asked_detail(text: &str, conversation: ConversationId, wishes: &Wishes) -> Value {
    let mut detail = json!({ "question": text, "conversation": conversation });
    if let Some(token) = wishes.token {
        detail["token"] = json!(token);
        detail["documents"] = json!(!wishes.without_documents);
    }
    if !wishes.filter.is_empty() {
        detail["filter"] = json!(wishes.filter);
    }
    detail
}

/// All that is needed to write the same text again.
fn prompt_record(answer: &Answer, wishes: &Wishes, settings: &Settings, on_gpu: bool) -> Value {
    let mut record = json!({
        "messages": answer.messages,
        "sampling": wishes.sampling.unwrap_or(SAMPLING),
        "max_new_tokens": wishes.max_new_tokens.unwrap_or(settings.answer_tokens),
        "query": answer.query,
        "build": crate::replay::build(on_gpu),
    });
    if settings.reuse_passages && !answer.sources.is_empty() {
        record["reuse_passages"] = json!(true);
    }
    if let Some(first) = &answer.first {
        record["first"] = json!(first);
    }
    if let Some(broken_off) = &answer.broken_off {
        record["broken_off"] = json!(broken_off);
    }
    let asked = [("stop", json!(wishes.stop)), ("schema", json!(wishes.schema)), ("tools", json!(wishes.tools))];
    for (name, value) in asked {
        if !value.is_null() && value != json!([]) {
            record[name] = value;
        }
    }
    record
}

/// Durations and what else pages say of an answer; why it failed, as its reader is told.
fn timings(answer: &Answer, error: Option<&AskError>) -> Value {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    json!({
        "retrieval_ms": ms(answer.timings.retrieval),
        "first_word_ms": answer.timings.first_word.map(ms),
        "total_ms": ms(answer.timings.total),
        "check_ms": ms(answer.timings.check),
        "confidence": answer.confidence,
        "answerable_before": answer.judgement.before,
        "answerable": answer.judgement.after,
        "taken_back": answer.taken_back(),
        "first_model": answer.first.as_ref().map(|first| &first.model),
        "error": error.map(AskError::told),
        "prompt_tokens": answer.usage.as_ref().map(|usage| usage.prompt_tokens),
        "reused_tokens": answer.usage.as_ref().map(|usage| usage.reused_tokens),
        "new_tokens": answer.usage.as_ref().map(|usage| usage.new_tokens),
        "decode_ms": answer.usage.as_ref().map(|usage| ms(usage.decode)),
    })
}

fn title(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TITLE) {
        Some((at, _)) => format!("{}…", line[..at].trim_end()),
        None => line,
    }
}
