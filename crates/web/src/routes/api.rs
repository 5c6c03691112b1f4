//! JSON for programs, so far for the person whose session it is.

use crate::app::App;
use crate::error::WebError;
use crate::routes::search;
use crate::session::{Reader, verify_csrf};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use index::Mode;
use serde::Deserialize;
use serde_json::{Value, json};

const MOST: usize = 100;

#[derive(Deserialize)]
pub(crate) struct Search {
    query: String,
    #[serde(default = "ten")]
    limit: usize,
}

const fn ten() -> usize {
    10
}

/// `POST /api/v1/search`: `{"query", "limit"}` → `{"results": […], "took_ms"}`. Beside the session cookie it takes
/// the session's token in `x-csrf-token`; tokens of programs' own come with API tokens.
pub(crate) async fn search(
    State(app): State<App>,
    reader: Reader,
    headers: HeaderMap,
    Json(wanted): Json<Search>,
) -> Result<Json<Value>, WebError> {
    let token = headers.get("x-csrf-token").and_then(|value| value.to_str().ok()).unwrap_or_default();
    verify_csrf(&reader, token)?;
    let scope = reader.scope(&app).await?;
    let limit = wanted.limit.clamp(1, MOST);
    let found = app.answering.retrieve(&wanted.query, Mode::Hybrid, limit, &scope).await?;
    search::record(&app, &reader, &wanted.query, &found.candidates).await?;
    let results: Vec<Value> = found
        .candidates
        .iter()
        .map(|candidate| {
            json!({
                "passage": candidate.passage.id,
                "document": candidate.document.id,
                "title": candidate.document.title,
                "page": candidate.passage.page,
                "heading_path": candidate.passage.heading_path,
                "label": candidate.document.label,
                "text": candidate.passage.text,
            })
        })
        .collect();
    let took_ms = u64::try_from(found.took.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(json!({ "results": results, "took_ms": took_ms })))
}
