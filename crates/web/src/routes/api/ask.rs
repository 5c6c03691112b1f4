//! `POST /api/v1/ask`: a question, answered as in the browser; whole, or as it is made.

use crate::answered::{REFUSAL, citation, cited, rests_on};
use crate::app::App;
use crate::error::WebError;
use crate::programs::{Filter, Program, read_json};
use crate::run::Run;
use crate::session::{Acting, scope_of};
use answer::{Answer, AskError, Asked, Event, Status, Wishes};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use domain::{AnswerId, ConversationId, OperationId};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use storage::AnswerState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    question: String,
    conversation_id: Option<ConversationId>,
    #[serde(default)]
    filter: Filter,
    #[serde(default)]
    stream: bool,
}

/// `POST /api/v1/ask`
pub(super) async fn post(
    State(app): State<App>,
    program: Program,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, WebError> {
    let wanted: Wanted = read_json(body)?;
    if !app.site.answers {
        return Err(WebError::AnswersOff);
    }
    let scope = wanted.filter.scope(&app, scope_of(&app, &program).await?).await?;
    let filter = wanted.filter.documents()?;
    if app.answering.generator().is_none() {
        return Err(AskError::NoModel.into());
    }
    app.answering.check_room()?;
    let asked = Asked {
        owner: program.principal().user.id,
        conversation: wanted.conversation_id,
        text: &wanted.question,
        scope,
        wishes: Wishes { filter, token: Some(program.bearer.token.id), ..Wishes::default() },
    };
    let question = app.answering.open_for(asked, &program.actor(), program.operation).await?;
    let ids = (question.id, question.conversation);
    let run = Run::begin(app.answering.clone(), question);
    if wanted.stream {
        let run = run.taken().await?;
        return Ok(streamed(run, ids, program.operation));
    }
    Ok(Json(whole(ids, &run.finish().await?)).into_response())
}

/// The answer with what it rests on.
fn whole(ids: (AnswerId, ConversationId), answer: &Answer) -> Value {
    let mut told = rests_on(ids, true, answer);
    told["model"] = json!(answer.model);
    told["text"] = match answer.state {
        AnswerState::Refused => json!(REFUSAL),
        _ => json!(cited(&answer.sentences)),
    };
    told
}

/// The answer as server-sent events; the last is `answer`, or `error`. Whoever leaves stops it.
fn streamed(run: Run, ids: (AnswerId, ConversationId), operation: OperationId) -> Response {
    let events = stream::unfold(Some(run), move |run| async move {
        let mut run = run?;
        let (event, ended) = match run.next().await {
            Some(Ok(Event::Answer(answer))) => (named("answer", &whole(ids, &answer)), true),
            Some(Ok(event)) => (step(event), false),
            Some(Err(error)) => (failed(error, operation), true),
            None => (failed(AskError::Interrupted, operation), true),
        };
        Some((Ok::<_, Infallible>(event), (!ended).then_some(run)))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

fn step(event: Event) -> sse::Event {
    match event {
        Event::Status(Status::Searching) => named("status", &json!({ "phase": "searching" })),
        Event::Status(Status::Waiting { ahead }) => named("status", &json!({ "phase": "waiting", "ahead": ahead })),
        Event::Status(Status::Reading { done, total }) => {
            named("status", &json!({ "phase": "reading", "done": done, "total": total }))
        }
        Event::Status(Status::Writing) => named("status", &json!({ "phase": "writing" })),
        Event::Sources(sources) => {
            named("sources", &json!({ "sources": sources.iter().map(citation).collect::<Vec<_>>() }))
        }
        Event::Thinking(delta) => named("thinking", &json!({ "delta": delta })),
        Event::Escalated { model, doubt } => named("again", &json!({ "model": model, "doubt": doubt })),
        Event::Text(delta) => named("text", &json!({ "delta": delta })),
        // Nobody asked for likelihoods here, and the end is told elsewhere.
        Event::Logprobs(_) | Event::Answer(_) => sse::Event::default().comment(""),
    }
}

fn failed(error: AskError, operation: OperationId) -> sse::Event {
    let error = WebError::from(error);
    tracing::warn!(%error, %operation, "an answer that was being streamed failed");
    let told = json!({ "code": error.code().1, "message": error.to_string(), "operation_id": operation });
    named("error", &json!({ "error": told }))
}

fn named(name: &str, data: &Value) -> sse::Event {
    sse::Event::default().event(name).data(data.to_string())
}
