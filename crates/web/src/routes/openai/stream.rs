//! The answer as server-sent events, in OpenAI's chunks.

use super::error::ApiError;
use super::reply::{Reply, finish_reason};
use super::tools;
use crate::answered::REFUSAL;
use crate::run::Run;
use answer::{Answer, Event};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use inference::TokenLogprob;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use storage::AnswerState;

/// Streams `run` to whoever reads; when nobody does any more, the answer is stopped.
pub(super) fn respond(run: Run, reply: Reply, include_usage: bool) -> Response {
    let mut writer = Writer {
        run,
        reply,
        include_usage,
        waiting: VecDeque::new(),
        text: String::new(),
        shown: 0,
        logprobs: Vec::new(),
        ended: false,
    };
    writer.send(&json!({ "role": "assistant", "content": "" }));
    let events = stream::unfold(writer, |mut writer| async move {
        let event = writer.next().await?;
        Some((Ok::<_, Infallible>(event), writer))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

struct Writer {
    run: Run,
    reply: Reply,
    include_usage: bool,
    /// Made and not yet sent.
    waiting: VecDeque<sse::Event>,
    /// The model's text so far, and how much of it was sent.
    text: String,
    shown: usize,
    /// Of tokens whose text is still to be sent.
    logprobs: Vec<TokenLogprob>,
    ended: bool,
}

impl Writer {
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            match self.run.next().await {
                Some(Ok(Event::Text(delta))) => {
                    self.text.push_str(&delta);
                    self.show();
                }
                Some(Ok(Event::Thinking(delta))) => self.send(&json!({ "reasoning_content": delta })),
                Some(Ok(Event::Logprobs(tokens))) => self.logprobs.extend(tokens),
                // Nothing of the first answer was sent: a stream of this kind cannot take text back.
                Some(Ok(Event::Escalated { .. })) => {
                    self.text.clear();
                    self.logprobs.clear();
                }
                Some(Ok(Event::Status(_) | Event::Sources(_))) => {}
                Some(Ok(Event::Answer(answer))) => self.end(&answer),
                Some(Err(error)) => self.fail(&error.into()),
                None => self.fail(&answer::AskError::Interrupted.into()),
            }
        }
    }

    /// Sends what may be shown. JSON waits for its end, since it may have to be refused; so does a call, and so does
    /// every text that a larger model may write again.
    fn show(&mut self) {
        let waits = self.reply.shaped || self.reply.forced || self.reply.may_begin_again;
        let end = match (waits, self.reply.tools) {
            (true, _) => return,
            (false, true) => tools::shown(&self.text),
            (false, false) => self.text.len(),
        };
        if end > self.shown {
            let delta = self.text[self.shown..end].to_owned();
            self.shown = end;
            self.send(&json!({ "content": delta }));
        }
    }

    fn end(&mut self, answer: &Answer) {
        let refused = answer.state == AnswerState::Refused;
        if refused && self.reply.shaped {
            self.send(&json!({ "refusal": REFUSAL }));
        } else if refused && self.shown == 0 {
            self.send(&json!({ "content": REFUSAL }));
        } else if !refused && self.shown == 0 && !answer.text.is_empty() {
            self.send(&json!({ "content": answer.text }));
        } else if !refused && answer.calls.is_empty() && self.shown < self.text.len() {
            // Looked like the beginning of a call and was none.
            let rest = self.text[self.shown..].to_owned();
            self.send(&json!({ "content": rest }));
        }
        if !answer.calls.is_empty() {
            self.send(&json!({ "tool_calls": tools::told(&answer.calls, true) }));
        }
        let mut last = self.reply.chunk(&json!({}), Some(finish_reason(answer)), &[]);
        last["carrel"] = self.reply.ours(answer);
        self.push(&last);
        if self.include_usage {
            let counts = self.reply.counts(answer);
            self.push(&counts);
        }
        self.finish();
    }

    fn fail(&mut self, error: &ApiError) {
        self.push(&error.body());
        self.finish();
    }

    fn finish(&mut self) {
        self.waiting.push_back(sse::Event::default().data("[DONE]"));
        self.ended = true;
    }

    fn send(&mut self, delta: &Value) {
        let logprobs = match delta.get("content") {
            Some(content) if content != "" => std::mem::take(&mut self.logprobs),
            _ => Vec::new(),
        };
        let chunk = self.reply.chunk(delta, None, &logprobs);
        self.push(&chunk);
    }

    fn push(&mut self, value: &Value) {
        self.waiting.push_back(sse::Event::default().data(value.to_string()));
    }
}
