//! OpenAI's interface, so that existing clients work unchanged: chat completions, embeddings and the list of models.
//!
//! A question that comes this way is the question of the person whose token it comes with: the same retrieval within
//! the same rights, the same record, the same audit events. What OpenAI's interface has no word for stands in an extra
//! field `carrel`. docs/api.md describes it for those who call it.

mod caller;
mod chat;
mod embeddings;
mod error;
mod models;
mod order;
mod reply;
mod request;
mod stream;
mod tools;

pub(crate) use error::render_problem;

use crate::app::App;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

/// Largest request.
const BODY_BYTES: usize = 4 << 20;

/// Whether errors at this path are told as OpenAI tells them.
pub(crate) fn is_ours(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/chat/completions", post(chat::post))
        .route("/v1/embeddings", post(embeddings::post))
        .route("/v1/models", get(models::list))
        // Names of models may have slashes in them.
        .route("/v1/models/{*id}", get(models::get))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
}
