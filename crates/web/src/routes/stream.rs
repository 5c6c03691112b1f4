//! Answers as they are made: server-sent events (HTML Living Standard, section 9.2) and the view of a record.

use crate::app::App;
use crate::error::WebError;
use crate::names;
use crate::session::{Posted, Reader};
use crate::show::{moment, seconds};
use crate::views::{
    AnswerPartial, AnswerState, AnswerView, Mark, Place, SentenceView, SourceView, SourcesPartial, Support,
};
use answer::{Event, FactKind, Sentence, Status, Subscription, Unfounded};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use domain::{AccessScope, AnswerId, CollectionId, UserId};
use futures_util::stream;
use serde_json::json;
use std::collections::HashMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};
use storage::AnswerRecord;

/// Characters of a passage that stand in the list of sources.
const QUOTE: usize = 420;
/// How long text is passed on before it is looked again what the reader may read.
const LOOK: Duration = Duration::from_secs(1);

/// `GET /answers/{id}/events`
pub(crate) async fn events(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let id: AnswerId = id.parse().map_err(|_| WebError::NotFound)?;
    let owner = reader.who.principal.user.id;
    app.store.answer(id, owner).await?.ok_or(WebError::NotFound)?;
    let follower = Follower {
        subscription: app.live.subscribe(id, owner),
        csrf: reader.who.session.csrf.clone(),
        passages: app.store.passage_count(&reader.scope(&app).await?).await?,
        reading: 0,
        instead: None,
        closing: false,
        withdrawn: false,
        looked: None,
        written: false,
        held: String::new(),
        app,
        reader,
        id,
        owner,
        ended: false,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// `POST /answers/{id}/stop`
pub(crate) async fn stop(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response, WebError> {
    let id: AnswerId = id.parse().map_err(|_| WebError::NotFound)?;
    let owner = posted.reader.who.principal.user.id;
    let record = app.store.answer(id, owner).await?.ok_or(WebError::NotFound)?;
    let _ended_already = !app.live.stop(id, owner);
    Ok(Redirect::to(&format!("/conversations/{}#a{id}", record.conversation)).into_response())
}

struct Follower {
    app: App,
    reader: Reader,
    id: AnswerId,
    owner: UserId,
    csrf: String,
    subscription: Option<Subscription>,
    passages: u64,
    reading: usize,
    /// The larger model that took over.
    instead: Option<String>,
    /// The answer was sent; its sources follow once more, since they now say which of them it cites.
    closing: bool,
    /// A source is no longer open to the reader. What the model writes says what it says, so only the answer's own view
    /// follows, which leaves out the sentences that rest on it.
    withdrawn: bool,
    /// When it was looked last what the reader may read, for text to be passed on.
    looked: Option<Instant>,
    /// Text was passed on.
    written: bool,
    /// Text that is yet to be passed on.
    held: String,
    ended: bool,
}

impl Follower {
    /// The next event for the page; after the last one `end`, then nothing.
    async fn next(&mut self) -> Option<sse::Event> {
        if self.ended {
            return None;
        }
        match self.told().await {
            // For whoever may no longer sign in this is the end, too; the page loads again and asks who is there.
            Ok(None) | Err(WebError::SignIn { .. }) => {
                self.ended = true;
                Some(sse::Event::default().event("end").data("{}"))
            }
            Ok(Some(event)) => Some(event),
            Err(error) => {
                tracing::error!(%error, "an event could not be rendered");
                Some(sse::Event::default().comment("an event could not be rendered"))
            }
        }
    }

    /// What happens next, as far as the reader may be told of it by then; `None` after the last.
    async fn told(&mut self) -> Result<Option<sse::Event>, WebError> {
        if std::mem::take(&mut self.closing) {
            return self.fragment("sources").await.map(Some);
        }
        let event = match &mut self.subscription {
            Some(subscription) => subscription.next().await,
            None => None,
        };
        let Some(event) = event else { return Ok(None) };
        let told = match event {
            Event::Status(status) => self.status(&status),
            Event::Thinking(delta) => {
                self.look().await?;
                self.delta("thinking", &delta)
            }
            Event::Text(delta) => {
                if !std::mem::replace(&mut self.written, true) {
                    self.looked = None;
                }
                self.held.push_str(&delta);
                // Nothing of a text is left out because the database could not be asked for a moment.
                self.look().await?;
                let held = std::mem::take(&mut self.held);
                self.delta("text", &held)
            }
            Event::Escalated { model, .. } => {
                let told = sse::Event::default().event("again").data(json!({ "model": model }).to_string());
                self.instead = Some(model);
                self.held.clear();
                told
            }
            // Only programs ask for them, and not here.
            Event::Logprobs(_) => sse::Event::default().comment(""),
            Event::Sources(sources) => {
                self.reading = sources.len();
                self.fragment("sources").await?
            }
            Event::Answer(_) => {
                self.closing = true;
                self.fragment("answer").await?
            }
        };
        Ok(Some(told))
    }

    /// More of a text, or nothing if it rests on what is closed by now.
    fn delta(&self, name: &str, delta: &str) -> sse::Event {
        if self.withdrawn {
            return sse::Event::default().comment("");
        }
        sse::Event::default().event(name).data(json!({ "delta": delta }).to_string())
    }

    /// Looks again who reads and what that person may read, unless that was done just now: rights may be taken away while
    /// the model writes.
    async fn look(&mut self) -> Result<(), WebError> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(());
        }
        self.reader.renew(&self.app).await?;
        let scope = self.reader.scope(&self.app).await?;
        let ids: Vec<_> = self.app.store.sources(self.id).await?.iter().map(|source| source.passage).collect();
        self.withdrawn = self.app.store.passages_by_id(&ids, &scope).await?.len() < self.reading;
        self.looked = Some(Instant::now());
        Ok(())
    }

    fn status(&self, status: &Status) -> sse::Event {
        let passages = match self.passages {
            1 => "1 passage".to_owned(),
            count => format!("{count} passages"),
        };
        let searched = format!("searched {passages}");
        let (phase, text) = match status {
            Status::Searching => ("searching", format!("searching {passages}")),
            Status::Waiting { ahead: 0 } => ("reading", format!("{searched} · reading {}", self.reading)),
            Status::Waiting { ahead } => ("waiting", format!("{searched} · waiting behind {ahead}")),
            Status::Reading { done, total } => {
                let percent = 100 * done / (*total).max(1);
                ("reading", format!("{searched} · reading {} · {percent} %", self.reading))
            }
            Status::Writing => ("writing", format!("{searched} · read {} · writing", self.reading)),
        };
        let text = match &self.instead {
            Some(model) => format!("the first answer was not sure · {model} · {phase}"),
            None => text,
        };
        sse::Event::default().event("status").data(json!({ "phase": phase, "text": text }).to_string())
    }

    async fn fragment(&mut self, name: &str) -> Result<sse::Event, WebError> {
        let record = self.app.store.answer(self.id, self.owner).await?.ok_or(WebError::NotFound)?;
        self.reader.renew(&self.app).await?;
        let scope = self.reader.scope(&self.app).await?;
        let answer = answer_view(&self.app, &record, &scope).await?;
        self.withdrawn = answer.sources.len() < self.reading;
        let html = match name {
            "sources" => names::rendering(self.app.site.names.get(), || SourcesPartial { answer: &answer }.render())?,
            _ => names::rendering(self.app.site.names.get(), || {
                AnswerPartial { answer: &answer, csrf: &self.csrf }.render()
            })?,
        };
        Ok(sse::Event::default().event(name).data(html))
    }
}

/// An answer's record as its owner may see it now: a source that was withdrawn since is no longer shown.
pub(crate) async fn answer_view(app: &App, record: &AnswerRecord, scope: &AccessScope) -> Result<AnswerView, WebError> {
    let rows = app.store.sources(record.id).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.passage).collect();
    let passages = app.store.passages_by_id(&ids, scope).await?;
    let collections: HashMap<CollectionId, String> =
        app.store.collections().await?.into_iter().map(|collection| (collection.id, collection.name)).collect();
    let mut passages: HashMap<_, _> = passages.into_iter().map(|(passage, doc)| (passage.id, (passage, doc))).collect();
    let sources: Vec<SourceView> = rows
        .iter()
        .filter_map(|row| {
            let (passage, document) = passages.remove(&row.passage)?;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
            let matched = (row.score.clamp(0.0, 1.0) * 100.0).round() as u8;
            Some(SourceView {
                number: row.rank,
                document: document.id.to_string(),
                passage: passage.id.to_string(),
                title: document.title,
                collection: collections.get(&document.collection).cloned().unwrap_or_default(),
                lang: document.language,
                heading: passage.heading_path.join(" › "),
                at: Place::of(&passage, &document.media_type),
                version: passage.version,
                label: document.label,
                quote: quote(&passage.text),
                matched: Some(matched),
            })
        })
        .collect();
    let withdrawn = sources.len() < rows.len();
    let state = match record.state {
        storage::AnswerState::Searching => AnswerState::Searching,
        storage::AnswerState::Writing => AnswerState::Writing,
        storage::AnswerState::Finished => AnswerState::Finished,
        storage::AnswerState::Refused => AnswerState::Refused,
        storage::AnswerState::Stopped => AnswerState::Stopped,
        storage::AnswerState::Failed => AnswerState::Failed,
    };
    let taken_back = record.timings.get("taken_back").and_then(serde_json::Value::as_bool).unwrap_or(false);
    let sentences: Vec<Sentence> = serde_json::from_value(record.sentences.clone()).unwrap_or_default();
    let sentences = if state == AnswerState::Refused { Vec::new() } else { sentences };
    let sentences: Vec<SentenceView> =
        sentences.into_iter().map(|sentence| shown_sentence(sentence, &sources, withdrawn)).collect();
    let told = record.timings.get("error").and_then(serde_json::Value::as_str);
    let unchecked = state == AnswerState::Failed && told.is_some() && sentences.is_empty() && !withdrawn;
    let sentences = if unchecked { unchecked_text(&record.text) } else { sentences };
    let first = record.timings.get("first_model").and_then(serde_json::Value::as_str);
    let total = record.timings.get("total_ms").and_then(serde_json::Value::as_u64);
    // Records of earlier releases have the reason in place of the text.
    let reason = told.unwrap_or(&record.text);
    Ok(AnswerView {
        id: record.id.to_string(),
        question: record.question.clone(),
        state,
        progress: None,
        sentences,
        withdrawn: taken_back,
        label: sources.iter().map(|source| source.label).max(),
        sources,
        model: record.model.clone(),
        first_model: first.map(str::to_owned),
        record: record.id.to_string(),
        asked_at: moment(record.asked_at),
        seconds: total.map(seconds),
        error: (state == AnswerState::Failed && !reason.is_empty()).then(|| reason.to_owned()),
    })
}

/// What was shown and could not be checked, by its lines.
fn unchecked_text(text: &str) -> Vec<SentenceView> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let shown = |line: &str| SentenceView {
        marks: Vec::new(),
        text: line.to_owned(),
        citations: Vec::new(),
        support: Support::NotChecked,
        starts_paragraph: true,
        list_item: false,
    };
    lines.map(shown).collect()
}

/// A sentence that rests on a withdrawn passage goes with it: it says what the passage said. One that the passages left
/// do not bear out may have its rest from there.
fn shown_sentence(sentence: Sentence, sources: &[SourceView], withdrawn: bool) -> SentenceView {
    let citations: Vec<u32> =
        sentence.citations.iter().copied().filter(|n| sources.iter().any(|source| source.number == *n)).collect();
    let supported = sentence.support == answer::Support::Supported;
    let hidden = withdrawn && (citations.len() < sentence.citations.len().max(1) || !supported);
    let marks = sentence.unfounded.iter().filter(|_| !hidden).map(mark).collect();
    SentenceView {
        marks,
        text: if hidden {
            "(A sentence from a document that is no longer open to you.)".to_owned()
        } else {
            sentence.text
        },
        citations,
        support: match sentence.support {
            _ if hidden => Support::NotChecked,
            answer::Support::Supported => Support::Supported,
            answer::Support::Partly => Support::Partly,
            answer::Support::NotFound => Support::NotFound,
        },
        starts_paragraph: sentence.starts_paragraph,
        list_item: sentence.list_item,
    }
}

fn mark(part: &Unfounded) -> Mark {
    let words = match (part.kind, part.asked) {
        (FactKind::Name, false) => "this name does not stand in its source",
        (FactKind::Name, true) => "this name stands in the question, not in the source",
        (FactKind::Number, false) => "this number does not stand in its source",
        (FactKind::Number, true) => "this number stands in the question, not in the source",
        (FactKind::Date, false) => "this date does not stand in its source",
        (FactKind::Date, true) => "this date stands in the question, not in the source",
        (FactKind::Sense, _) => "the source seems to say the opposite",
    };
    Mark { range: part.start..part.end, words }
}

fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTE) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_passages_left_do_not_bear_out_goes_with_a_withdrawn_one() {
        let left = [SourceView::sample(1)];
        let is_shown = |support, citations: &[u32], withdrawn| {
            let sentence = Sentence {
                text: "Leave is 24 days.".to_owned(),
                citations: citations.to_vec(),
                support,
                unfounded: Vec::new(),
                starts_paragraph: true,
                list_item: false,
            };
            shown_sentence(sentence, &left, withdrawn).text == "Leave is 24 days."
        };
        assert!(is_shown(answer::Support::Supported, &[1], true));
        assert!(!is_shown(answer::Support::Supported, &[1, 2], true));
        assert!(!is_shown(answer::Support::Partly, &[1], true), "its other half may have come from what is closed");
        assert!(is_shown(answer::Support::Partly, &[1], false));
    }
}
