//! The ingest queue.

use crate::app::App;
use crate::error::WebError;
use crate::session::{Posted, Reader};
use crate::show::{moment, page};
use crate::views::{JobFilter, JobRow, JobState, JobsPage, Nav};
use ::audit::{Action, Event};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::{CollectionId, JobId, Permission, Role};
use serde::Deserialize;
use std::collections::HashMap;
use storage::Job;

const LISTED: u32 = 200;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    state: Option<String>,
}

/// `GET /jobs?state=`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Query(wanted): Query<Wanted>,
) -> Result<Response, WebError> {
    reader.require(&app, &[Role::Curator, Role::Admin], "/jobs").await?;
    let filter = JobFilter::ALL.into_iter().find(|known| Some(known.as_str()) == wanted.state.as_deref());
    let filter = filter.unwrap_or(JobFilter::All);
    let query = storage::JobFilter { collections: worked_on(&app, &reader).await?, ..Default::default() };
    let names: HashMap<CollectionId, String> =
        app.store.collections().await?.into_iter().map(|collection| (collection.id, collection.name)).collect();
    let jobs = app.store.jobs(&query, LISTED).await?;
    let rows: Vec<JobRow> = jobs
        .into_iter()
        .map(|job| {
            let name = names.get(&job.collection).map_or("", String::as_str).to_owned();
            job_row(job, &name)
        })
        .collect();
    let open = rows.iter().filter(|row| row.state.is_open()).count() as u64;
    let listed = rows.into_iter().filter(|row| match filter {
        JobFilter::All => true,
        JobFilter::Open => row.state.is_open(),
        JobFilter::Failed => row.state == JobState::Failed,
    });
    let (chrome, jobs) = (reader.chrome(&app, "Jobs", Nav::Jobs), listed.collect());
    page(&JobsPage { chrome, jobs, filter, open, pager: None })
}

/// `POST /jobs/{id}/cancel`
pub(crate) async fn cancel(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let job = workable(&app, &posted.reader, &id).await?;
    let mut act = app.store.begin().await?;
    if !act.cancel(job.id).await? {
        return Ok(Redirect::to("/jobs?said=too-late").into_response());
    }
    let event = Event::new(Action::JobCancelled, &posted.reader.actor(), posted.reader.operation);
    act.record(event.on("job", job.id, &job.source)).await?;
    act.commit().await?;
    Ok(Redirect::to("/jobs?said=cancelled").into_response())
}

/// `POST /jobs/{id}/retry`
pub(crate) async fn retry(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let job = workable(&app, &posted.reader, &id).await?;
    let mut act = app.store.begin().await?;
    if !act.retry(job.id).await? {
        return Ok(Redirect::to("/jobs?said=too-late").into_response());
    }
    let event = Event::new(Action::JobRetried, &posted.reader.actor(), posted.reader.operation);
    act.record(event.on("job", job.id, &job.source)).await?;
    act.commit().await?;
    Ok(Redirect::to("/jobs?said=retried").into_response())
}

/// The collections whose jobs this person sees: all for an admin, else those that may be written.
async fn worked_on(app: &App, reader: &Reader) -> Result<Option<Vec<CollectionId>>, WebError> {
    if reader.role() == Role::Admin {
        return Ok(None);
    }
    let permissions = reader.permissions(app).await?.into_iter();
    Ok(Some(permissions.filter(|(_, p)| *p >= Permission::Write).map(|(id, _)| id).collect()))
}

async fn workable(app: &App, reader: &Reader, id: &str) -> Result<Job, WebError> {
    let id: JobId = id.parse().map_err(|_| WebError::NotFound)?;
    let job = app.store.job(id).await?.ok_or(WebError::NotFound)?;
    let allowed = worked_on(app, reader).await?.is_none_or(|collections| collections.contains(&job.collection));
    if allowed { Ok(job) } else { Err(WebError::NotFound) }
}

pub(crate) fn job_row(job: Job, collection: &str) -> JobRow {
    let state = match job.state {
        storage::JobState::Waiting => JobState::Waiting,
        storage::JobState::Running => JobState::Running,
        storage::JobState::Done => JobState::Done,
        storage::JobState::Failed => JobState::Failed,
        storage::JobState::Cancelled => JobState::Cancelled,
        storage::JobState::Paused => JobState::Paused,
        storage::JobState::Held => JobState::Held,
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
    let percent = (job.progress.clamp(0.0, 1.0) * 100.0) as u8;
    JobRow {
        id: job.id.to_string(),
        source: job.source,
        collection: collection.to_owned(),
        document: (state == JobState::Done).then(|| job.document.to_string()),
        state,
        stage: if state == JobState::Running { job.stage } else { String::new() },
        percent,
        reason: job.reason,
        attempts: job.attempts,
        submitted_by: job.submitted_by_name,
        submitted_at: moment(job.created_at),
        may_retry: matches!(state, JobState::Failed | JobState::Cancelled),
        may_cancel: state.is_open(),
    }
}
