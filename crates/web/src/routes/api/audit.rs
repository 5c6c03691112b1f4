//! `GET /api/v1/audit`: the audit log, for auditors, to read. What can be verified is an export.

use super::{Params, window};
use crate::app::App;
use crate::error::WebError;
use crate::programs::Program;
use crate::routes::audit::{Wanted, looked};
use crate::session::require;
use axum::Json;
use axum::extract::State;
use domain::Role;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    person: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    document: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    text: String,
    before: Option<u64>,
    limit: Option<u32>,
}

/// `GET /api/v1/audit?from=&to=&person=&action=&document=&label=&text=&before=&limit=`, the latest first
pub(super) async fn list(
    State(app): State<App>,
    program: Program,
    Params(listed): Params<Listed>,
) -> Result<Json<Value>, WebError> {
    require(&app, &program, &[Role::Auditor], "/api/v1/audit").await?;
    let page = window(listed.limit, None)?;
    let Listed { from, to, person, action, document, label, text, before, .. } = listed;
    let wanted = Wanted { from, to, person, action, document, label, text, before };
    let filter = wanted.filter().map_err(WebError::Invalid)?;
    looked(&app, &program, "/api/v1/audit", wanted.detail()).await?;
    let entries = app.store.audit_entries(&filter, before, page.limit).await?;
    // Before which sequence the next part ends, if there may be one.
    let more = entries.len() == page.limit as usize;
    let next = entries.last().filter(|_| more).map(|entry| entry.sequence);
    Ok(Json(json!({ "entries": entries, "before": next })))
}
