//! `POST /v1/chat/completions`

use super::caller::Caller;
use super::error::ApiError;
use super::reply::Reply;
use super::request::{ChatRequest, read};
use super::{models, order, stream};
use crate::app::App;
use crate::error::WebError;
use crate::run::Run;
use crate::session::Acting;
use answer::Asked;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use identity::TokenScope;

/// `POST /v1/chat/completions`
pub(super) async fn post(
    State(app): State<App>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    caller.require(TokenScope::Chat)?;
    if !app.site.answers {
        return Err(WebError::AnswersOff.into());
    }
    let request: ChatRequest = read(body)?;
    let model = models::generation(&app, &request.model)?;
    let order = order::check(request, caller.0.bearer.token.id, app.store.environment())?;
    let within = [
        ("carrel.collections", order.collections.as_deref()),
        ("carrel.filter.collections", order.filtered_collections.as_deref()),
    ];
    let scope = caller.scope(&app, within).await?;
    let shaped = order.is_shaped();
    let asked = Asked {
        owner: caller.0.principal().user.id,
        conversation: None,
        text: &order.question,
        scope,
        wishes: order.wishes,
    };
    let question = app.answering.open_for(asked, &caller.0.actor(), caller.0.operation).await?;
    let escalates = app.answering.engines().larger().is_some();
    let reply = Reply::new(&question, model, shaped, escalates, app.store.environment().now());
    let run = Run::begin(app.answering.clone(), question);
    if order.stream {
        return Ok(stream::respond(run.taken().await?, reply, order.include_usage));
    }
    let answer = run.finish().await?;
    Ok(Json(reply.whole(&answer)).into_response())
}
