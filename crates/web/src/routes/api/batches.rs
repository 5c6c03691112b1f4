//! `/api/v1/batches`: what was handed in together, how far it is, and why files of it failed.

use super::{Params, window};
use crate::app::App;
use crate::error::WebError;
use crate::programs::Program;
use crate::routes::batch_report::{Form, report};
use crate::routes::batches::{BatchAct, change, find};
use crate::routes::jobs::{job_reader, worked_on};
use crate::session::Acting;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{Batch, BatchProgress};

/// Batches that a list looks at, the latest first: not all of them are for everybody.
const LOOKED_AT: u32 = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    limit: Option<u32>,
    offset: Option<u32>,
}

/// `GET /api/v1/batches?limit=&offset=`, the latest first
pub(super) async fn list(
    State(app): State<App>,
    program: Program,
    Params(wanted): Params<Listed>,
) -> Result<Json<Value>, WebError> {
    let page = window(wanted.limit, wanted.offset)?;
    let collections = worked_on(&app, &program).await?;
    let reader = job_reader(&app, &program).await?;
    let (mut told, mut passed) = (Vec::new(), 0);
    for batch in app.store.batches(collections.as_deref(), LOOKED_AT).await? {
        if told.len() == page.limit as usize {
            break;
        }
        if !app.store.batch_is_for(&batch, &reader).await? {
            continue;
        }
        passed += 1;
        if passed > page.offset {
            let progress = app.store.batch_progress(batch.id).await?;
            told.push(batch_told(&batch, &progress));
        }
    }
    Ok(Json(json!({ "batches": told, "offset": page.offset })))
}

/// `GET /api/v1/batches/{id}`
pub(super) async fn get(
    State(app): State<App>,
    program: Program,
    Path(id): Path<String>,
) -> Result<Json<Value>, WebError> {
    let batch = find(&app, &program, &id).await?;
    let progress = app.store.batch_progress(batch.id).await?;
    Ok(Json(batch_told(&batch, &progress)))
}

/// `GET /api/v1/batches/{id}/failures`
pub(super) async fn failures(
    State(app): State<App>,
    program: Program,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    report(&app, &program, &id, Form::Json).await
}

/// `POST /api/v1/batches/{id}/{act}`: `pause`, `resume`, `cancel`, `retry` or `release`
pub(super) async fn act(
    State(app): State<App>,
    program: Program,
    Path((id, act)): Path<(String, String)>,
) -> Result<Json<Value>, WebError> {
    let batch = find(&app, &program, &id).await?;
    let act = BatchAct::of(&act).ok_or(WebError::NotFound)?;
    let jobs = change(&app, &batch, act, &program.actor(), program.operation).await?;
    let progress = app.store.batch_progress(batch.id).await?;
    Ok(Json(json!({ "changed_jobs": jobs, "batch": batch_told(&batch, &progress) })))
}

fn batch_told(batch: &Batch, progress: &BatchProgress) -> Value {
    json!({
        "id": batch.id,
        "title": batch.title,
        "collection_id": batch.collection,
        "submitted_by": batch.submitted_by_name,
        "created_at": batch.created_at,
        "jobs": {
            "waiting": progress.waiting,
            "running": progress.running,
            "done": progress.done,
            "failed": progress.failed,
            "cancelled": progress.cancelled,
            "paused": progress.paused,
            "held": progress.held,
        },
        "unchanged": batch.unchanged,
        "unembedded_documents": progress.unembedded,
        "size_bytes": progress.bytes.0,
        "ended_bytes": progress.bytes.1,
        "documents_per_second": progress.per_second(),
        "seconds_left": progress.seconds_left(),
    })
}
