//! One request and its answer, with a time limit on each part.

use super::connection::{Connection, chain};
use super::events::Events;
use super::reply::Reply;
use super::{Sender, Upstream, refusal, request};
use crate::ModelError;
use crate::generator::{FinishReason, GenerateRequest, Progress, Usage};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use std::time::{Duration, Instant};
use tokio::time::{Instant as Deadline, timeout, timeout_at};

/// Most of a refusal's body that is read.
const REFUSAL_BYTES: usize = 16 * 1024;

impl Upstream {
    /// Asks, passes the text on as it comes, and tells the breaker how the engine did.
    pub(super) async fn answer(&self, request: &GenerateRequest, sender: &Sender) -> Result<Usage, ModelError> {
        let admission = self.breaker.admit(Instant::now()).map_err(|wait| self.resting(wait))?;
        let mut failed = false;
        let outcome = self.exchange(request, sender, &mut failed).await;
        let unwell = matches!(outcome, Err(ModelError::RemoteUnreachable { .. } | ModelError::RemoteBroken { .. }));
        admission.settle(!(failed || unwell), Instant::now());
        outcome
    }

    async fn exchange(
        &self,
        request: &GenerateRequest,
        sender: &Sender,
        failed: &mut bool,
    ) -> Result<Usage, ModelError> {
        let begin = Instant::now();
        let estimate = request::estimated_prompt_tokens(&request.messages, &request.tools);
        let limit = self.options.connect_timeout;
        let mut connection = timeout(limit, Connection::open(&self.address))
            .await
            .map_err(|_| self.unreachable(format!("no connection within {}", seconds(limit))))?
            .map_err(|reason| self.unreachable(reason))?;
        let _ = sender.send(Ok(Progress::Prefill { done: 0, total: estimate, reused: 0 }));
        let first_limit = self.options.first_token_timeout;
        let first_by = Deadline::now() + first_limit;
        let late = || self.unreachable(format!("no word within {}", seconds(first_limit)));
        let body = request::body(&self.options, request);
        let posted = connection.post(&self.address, self.key.as_deref(), body);
        let response = timeout_at(first_by, posted).await.map_err(|_| late())?;
        let mut response = response.map_err(|reason| self.unreachable(reason))?;
        if response.status() != StatusCode::OK {
            *failed = refusal::is_failure(response.status());
            let said = timeout_at(first_by, beginning(&mut response)).await.unwrap_or_default();
            return Err(refusal::refused(&self.options.address, response.status(), response.headers(), &said));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("text/event-stream") {
            return Err(self.broken(format!("it does not stream but sends '{}'", kind.escape_default())));
        }

        let (mut events, mut reply, mut first) = (Events::default(), Reply::default(), None);
        let mut by = first_by;
        let idle = self.options.idle_timeout;
        loop {
            let frame = timeout_at(by, response.body_mut().frame()).await.map_err(|_| match first {
                None => late(),
                Some(_) => self.broken(format!("nothing more came within {}", seconds(idle))),
            })?;
            let mut data = Vec::new();
            let ended = frame.is_none();
            let read = match frame {
                Some(Ok(frame)) => events.push(frame.data_ref().map_or(&[][..], |data| data.as_ref()), &mut data),
                Some(Err(error)) => return Err(self.broken(format!("it stops in the middle: {}", chain(&error)))),
                None => events.finish(&mut data),
            };
            read.map_err(|error| self.broken(error.reason()))?;
            for event in &data {
                let added = reply.take(event).map_err(|reason| self.broken(reason))?;
                if reply.pieces > 0 {
                    first.get_or_insert_with(|| begin.elapsed());
                    by = Deadline::now() + idle;
                }
                for progress in added {
                    let _ = sender.send(Ok(progress));
                }
            }
            if reply.done || ended {
                break;
            }
        }
        if !reply.done && reply.finish.is_none() {
            return Err(self.broken("it stops in the middle"));
        }
        let calls = reply.calls();
        if !calls.is_empty() {
            let _ = sender.send(Ok(Progress::Text(calls)));
        }
        Ok(usage(&reply, estimate, begin.elapsed(), first))
    }
}

/// Counts of the engine, or ours where it has none: one token for a piece.
fn usage(reply: &Reply, estimate: usize, total: Duration, first: Option<Duration>) -> Usage {
    let prefill = first.unwrap_or(total);
    Usage {
        finish: reply.finish.unwrap_or(FinishReason::Stop),
        prompt_tokens: reply.counts.map_or(estimate, |counts| counts.prompt_tokens),
        reused_tokens: reply.counts.map_or(0, |counts| counts.cached()),
        new_tokens: reply.counts.map_or(reply.pieces, |counts| counts.completion_tokens),
        drafted_tokens: 0,
        accepted_tokens: 0,
        prefill,
        decode: total.saturating_sub(prefill),
    }
}

/// The first bytes of a body, as far as it can be read.
async fn beginning(response: &mut Response<Incoming>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = response.body_mut().frame().await {
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data.as_ref()));
        if bytes.len() >= REFUSAL_BYTES {
            break;
        }
    }
    bytes.truncate(REFUSAL_BYTES);
    bytes
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f32())
}
