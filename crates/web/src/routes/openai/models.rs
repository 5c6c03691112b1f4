//! `GET /v1/models`: the models in use.

use super::caller::Caller;
use super::error::ApiError;
use crate::app::App;
use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

/// Names whichever model is in use, so that a program need not change when another one is promoted.
const WHICHEVER: &str = "carrel";

/// `GET /v1/models`
pub(super) async fn list(State(app): State<App>, _caller: Caller) -> Result<Json<Value>, ApiError> {
    let models: Vec<Value> = names(&app).await?.iter().map(|name| object(name)).collect();
    Ok(Json(json!({ "object": "list", "data": models })))
}

/// `GET /v1/models/{id}`
pub(super) async fn get(
    State(app): State<App>,
    _caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    if names(&app).await?.contains(&id) { Ok(Json(object(&id))) } else { Err(unknown(&id)) }
}

async fn names(app: &App) -> Result<Vec<String>, ApiError> {
    let generation = app.answering.generator().map(|named| named.name);
    Ok(generation.into_iter().chain([embedding_name(app).await?, WHICHEVER.to_owned()]).collect())
}

/// When a model was made is not known here, and whose it is OpenAI's clients do not ask.
fn object(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": 0, "owned_by": "carrel" })
}

fn unknown(name: &str) -> ApiError {
    let message = format!("there is no model '{name}'; GET /v1/models lists them, and 'carrel' is whichever is in use");
    ApiError::not_found("model", message, "model_not_found")
}

/// The name of the generation model that `wanted` means.
pub(super) fn generation(app: &App, wanted: &str) -> Result<String, ApiError> {
    let named = app.answering.generator().ok_or(answer::AskError::NoModel)?;
    if wanted == named.name || wanted == WHICHEVER { Ok(named.name) } else { Err(unknown(wanted)) }
}

/// The name of the embedding model that `wanted` means.
pub(super) async fn embedding(app: &App, wanted: &str) -> Result<String, ApiError> {
    let name = embedding_name(app).await?;
    if wanted == name || wanted == WHICHEVER { Ok(name) } else { Err(unknown(wanted)) }
}

async fn embedding_name(app: &App) -> Result<String, ApiError> {
    let active = app.store.active_model(inference::ModelKind::Embed.as_str()).await?;
    Ok(active.map_or_else(|| "embedding".to_owned(), |model| model.name))
}
