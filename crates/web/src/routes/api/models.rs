//! `GET /api/v1/models`: the list of models, for admins, to read.

use crate::app::App;
use crate::error::WebError;
use crate::programs::Program;
use crate::session::require;
use axum::Json;
use axum::extract::State;
use domain::Role;
use serde_json::{Value, json};

/// `GET /api/v1/models`
pub(super) async fn list(State(app): State<App>, program: Program) -> Result<Json<Value>, WebError> {
    require(&app, &program, &[Role::Admin], "/api/v1/models").await?;
    let engines = app.models.engines();
    let models = app.models.list().await?;
    let told = models.iter().map(|model| {
        json!({
            "name": model.name,
            "kind": model.kind,
            "state": model.state().as_str(),
            "loaded": engines.named(&model.name).is_some(),
            "sha256": model.sha256,
            "imported_at": model.imported_at,
            "verified_at": model.verified_at,
            "need_bytes": model.need_bytes,
            "resident_bytes": model.resident_bytes,
            "speed": model.speed,
            "problem": model.problem,
        })
    });
    let elsewhere = app.models.elsewhere().map(|engine| json!({ "model": engine.model, "address": engine.address }));
    Ok(Json(json!({ "models": told.collect::<Vec<_>>(), "elsewhere": elsewhere })))
}
