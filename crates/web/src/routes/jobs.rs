//! The ingest queue.

use crate::app::App;
use crate::asked::Asked;
use crate::error::WebError;
use crate::routes::batches;
use crate::session::{Acting, Posted, Reader, permissions_of, scope_of};
use crate::show::{moment, page, size};
use crate::views::{JobFilter, JobRow, JobState, JobsPage, Nav};
use ::audit::{Action, Event};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::{BatchId, CollectionId, JobId, Permission, Role};
use serde::Deserialize;
use std::collections::HashMap;
use storage::{Job, JobReader};

const LISTED: u32 = 100;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    state: Option<String>,
}

/// `GET /jobs?state=`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, WebError> {
    reader.require(&app, &[Role::Curator, Role::Admin], "/jobs").await?;
    let filter = JobFilter::ALL.into_iter().find(|known| Some(known.as_str()) == wanted.state.as_deref());
    let filter = filter.unwrap_or(JobFilter::All);
    let collections = worked_on(&app, &reader).await?;
    let names: HashMap<CollectionId, String> =
        app.store.collections().await?.into_iter().map(|collection| (collection.id, collection.name)).collect();
    let states: &[Option<storage::JobState>] = match filter {
        JobFilter::All => &[None],
        JobFilter::Open => &[
            Some(storage::JobState::Running),
            Some(storage::JobState::Waiting),
            Some(storage::JobState::Held),
            Some(storage::JobState::Paused),
        ],
        JobFilter::Failed => &[Some(storage::JobState::Failed)],
    };
    let allowed = job_reader(&app, &reader).await?;
    let mut jobs = Vec::new();
    for state in states {
        let reader = Some(allowed.clone());
        let query = storage::JobFilter { state: *state, collections: collections.clone(), batch: None, reader };
        let most = LISTED.saturating_sub(u32::try_from(jobs.len()).unwrap_or(LISTED));
        jobs.extend(app.store.jobs(&query, most).await?);
    }
    let rows = jobs.into_iter().map(|job| {
        let name = names.get(&job.collection).map_or("", String::as_str).to_owned();
        job_row(job, &name)
    });
    let batches = batches::latest(&app, collections.as_deref(), &names, &allowed).await?;
    page(&JobsPage {
        chrome: reader.chrome(&app, "Jobs", Nav::Jobs),
        jobs: rows.collect(),
        filter,
        open: app.store.unended_jobs(collections.as_deref(), &allowed).await?,
        unembedded: batches.iter().map(|batch| batch.unembedded).sum(),
        batches,
        stopped: app.stage.reserve().require(0).err().map(|short| short.to_string()),
    })
}

/// `POST /jobs/{id}/cancel`
pub(crate) async fn cancel(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let (job, cancelled) = change(&app, &posted.reader, &id, JobAct::Cancel).await?;
    Ok(done(&posted, &job, if cancelled { "cancelled" } else { "too-late" }))
}

/// `POST /jobs/{id}/retry`
pub(crate) async fn retry(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let (job, retried) = change(&app, &posted.reader, &id, JobAct::Retry).await?;
    Ok(done(&posted, &job, if retried { "retried" } else { "too-late" }))
}

/// What can be done with one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobAct {
    Cancel,
    Retry,
}

impl JobAct {
    /// The act with this name in an address.
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "cancel" => Some(Self::Cancel),
            "retry" => Some(Self::Retry),
            _ => None,
        }
    }
}

/// Does it, together with its event, if the job is still in a state for that; says whether it was.
pub(crate) async fn change(app: &App, caller: &impl Acting, id: &str, what: JobAct) -> Result<(Job, bool), WebError> {
    let job = workable(app, caller, id).await?;
    let mut act = app.store.begin().await?;
    let (changed, action) = match what {
        JobAct::Cancel => (act.cancel(job.id).await?, Action::JobCancelled),
        JobAct::Retry => (act.retry(job.id).await?, Action::JobRetried),
    };
    if changed {
        let event = Event::new(action, &caller.actor(), caller.operation());
        act.record(event.on("job", job.id, &job.source)).await?;
        act.commit().await?;
    }
    Ok((job, changed))
}

fn done(posted: &Posted, job: &Job, said: &str) -> Response {
    let back = back_to(posted.fields.get("back"), job.collection, job.batch);
    Redirect::to(&format!("{back}?said={said}")).into_response()
}

/// The page that a form was on, by the name it gives.
pub(crate) fn back_to(name: &str, collection: CollectionId, batch: Option<BatchId>) -> String {
    match (name, batch) {
        ("collection", _) => format!("/collections/{collection}"),
        ("batch", Some(batch)) => format!("/batches/{batch}"),
        _ => "/jobs".to_owned(),
    }
}

/// The collections whose jobs this person sees: all for an admin, else those that may be written.
pub(crate) async fn worked_on(app: &App, caller: &impl Acting) -> Result<Option<Vec<CollectionId>>, WebError> {
    if caller.principal().user.role == Role::Admin {
        return Ok(None);
    }
    let permissions = permissions_of(app, caller).await?.into_iter();
    Ok(Some(permissions.filter(|(_, p)| *p >= Permission::Write).map(|(id, _)| id).collect()))
}

/// Of which jobs this person may read: nobody's name or failure tells of a document above the reader's clearance.
pub(crate) async fn job_reader(app: &App, caller: &impl Acting) -> Result<JobReader, WebError> {
    Ok(JobReader { user: caller.principal().user.id, scope: scope_of(app, caller).await? })
}

/// The job, if its collection is among these and it may be read of. Any other answers as one that does not exist.
pub(crate) async fn workable(app: &App, caller: &impl Acting, id: &str) -> Result<Job, WebError> {
    let id: JobId = id.parse().map_err(|_| WebError::NotFound)?;
    let job = app.store.job_for(id, &job_reader(app, caller).await?).await?.ok_or(WebError::NotFound)?;
    let allowed = worked_on(app, caller).await?.is_none_or(|collections| collections.contains(&job.collection));
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
        ended_at: job.finished_at.map(moment),
        size: size(job.size_bytes),
        may_retry: matches!(state, JobState::Failed | JobState::Cancelled),
        may_cancel: state.is_open(),
    }
}
