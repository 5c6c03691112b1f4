//! `/api/v1/jobs`: the ingest queue, as far as the person works on it.

use super::{Params, window};
use crate::app::App;
use crate::error::WebError;
use crate::programs::Program;
use crate::routes::jobs::{JobAct, change, job_reader, workable, worked_on};
use crate::session::require;
use axum::Json;
use axum::extract::{Path, State};
use domain::{BatchId, Role};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{Job, JobFilter, JobState};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    state: Option<String>,
    batch: Option<BatchId>,
    limit: Option<u32>,
    offset: Option<u32>,
}

/// `GET /api/v1/jobs?state=&batch=&limit=&offset=`, the latest first
pub(super) async fn list(
    State(app): State<App>,
    program: Program,
    Params(wanted): Params<Listed>,
) -> Result<Json<Value>, WebError> {
    require(&app, &program, &[Role::Curator, Role::Admin], "/api/v1/jobs").await?;
    let page = window(wanted.limit, wanted.offset)?;
    let filter = JobFilter {
        state: wanted.state.as_deref().map(state).transpose()?,
        batch: wanted.batch,
        collections: worked_on(&app, &program).await?,
        reader: Some(job_reader(&app, &program).await?),
    };
    let jobs = app.store.jobs_page(&filter, page).await?;
    Ok(Json(json!({ "jobs": jobs.iter().map(job_told).collect::<Vec<_>>(), "offset": page.offset })))
}

/// `GET /api/v1/jobs/{id}`
pub(super) async fn get(
    State(app): State<App>,
    program: Program,
    Path(id): Path<String>,
) -> Result<Json<Value>, WebError> {
    Ok(Json(job_told(&workable(&app, &program, &id).await?)))
}

/// `POST /api/v1/jobs/{id}/{act}`: `cancel` or `retry`
pub(super) async fn act(
    State(app): State<App>,
    program: Program,
    Path((id, act)): Path<(String, String)>,
) -> Result<Json<Value>, WebError> {
    let act = JobAct::of(&act).ok_or(WebError::NotFound)?;
    let (job, changed) = change(&app, &program, &id, act).await?;
    if !changed {
        return Err(WebError::Conflict("too late: the job is no longer in a state for that".to_owned()));
    }
    // A job whose document went with it can still be told.
    let now = app.store.job(job.id).await?.unwrap_or(job);
    Ok(Json(job_told(&now)))
}

fn state(name: &str) -> Result<JobState, WebError> {
    let found = JobState::ALL.into_iter().find(|state| state.as_str() == name);
    found.ok_or_else(|| {
        let names = JobState::ALL.map(JobState::as_str).join(", ");
        WebError::Invalid(format!("'{name}' is not a state of a job; use one of {names}"))
    })
}

pub(super) fn job_told(job: &Job) -> Value {
    json!({
        "id": job.id,
        "kind": job.kind,
        "batch_id": job.batch,
        "collection_id": job.collection,
        // Before its first version was read there is nothing to look at.
        "document_id": (job.state == JobState::Done).then_some(job.document),
        "source": job.source,
        "size_bytes": job.size_bytes,
        "state": job.state,
        "stage": (job.state == JobState::Running).then_some(job.stage.as_str()),
        "progress": job.progress,
        "attempts": job.attempts,
        "reason": job.reason,
        "submitted_by": job.submitted_by_name,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    })
}
