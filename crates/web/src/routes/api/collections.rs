//! `GET /api/v1/collections`: those that the person may read, as the library shows them.

use crate::app::App;
use crate::error::WebError;
use crate::programs::Program;
use crate::routes::library::shelves;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

/// `GET /api/v1/collections`
pub(super) async fn list(State(app): State<App>, program: Program) -> Result<Json<Value>, WebError> {
    let shelves = shelves(&app, &program).await?;
    let collections: Vec<Value> = shelves
        .into_iter()
        .map(|shelf| {
            json!({
                "id": shelf.collection.id,
                "name": shelf.collection.name,
                "description": shelf.collection.description,
                "default_label": shelf.collection.default_label,
                "permission": shelf.permission,
                "documents": shelf.documents,
                "unembedded": shelf.unembedded,
                "updated_at": shelf.updated,
            })
        })
        .collect();
    Ok(Json(json!({ "collections": collections })))
}
