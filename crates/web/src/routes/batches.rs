//! Batches: how far what was handed in together is, and what one does with all of it at once.

use crate::app::App;
use crate::asked::Asked;
use crate::error::WebError;
use crate::routes::jobs::{back_to, job_reader, job_row, worked_on};
use crate::session::{Acting, Posted, Reader};
use crate::show::{about, grouped, moment, page, rate, size};
use crate::views::{BatchCounts, BatchPage, BatchView, JobState, Nav, Pager};
use ::audit::{Action, Actor, Event};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::{BatchId, CollectionId, JobId, OperationId, Role};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use storage::{Batch, BatchPlace, BatchProgress, JobReader};

/// Files on one page.
const LISTED: u32 = 100;
/// Batches that lists look at, and how many of those that are through they show.
const LOOKED_AT: u32 = 60;
const ENDED: usize = 10;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    state: Option<String>,
    after: Option<JobId>,
    before: Option<JobId>,
}

/// `GET /batches/{id}?state=&after=&before=`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, WebError> {
    let allowed = job_reader(&app, &reader).await?;
    let batch = find(&app, &reader, &id).await?;
    let filter = JobState::ALL.into_iter().find(|state| Some(state.as_str()) == wanted.state.as_deref());
    let stored = filter.and_then(|state| storage::JobState::ALL.into_iter().find(|s| s.as_str() == state.as_str()));
    let place = match (wanted.after, wanted.before) {
        (Some(job), _) => BatchPlace::After(job),
        (None, Some(job)) => BatchPlace::Before(job),
        (None, None) => BatchPlace::Beginning,
    };
    // One more than is shown says whether there are more in that direction.
    let mut jobs = app.store.batch_jobs(batch.id, stored, place, LISTED + 1, Some(&allowed)).await?;
    let more = jobs.len() > LISTED as usize;
    match place {
        BatchPlace::Before(_) if more => drop(jobs.remove(0)),
        _ => jobs.truncate(LISTED as usize),
    }
    let name = app.store.collection(batch.collection).await?.map(|collection| collection.name).unwrap_or_default();
    let progress = app.store.batch_progress(batch.id).await?;
    let view = batch_view(batch, &progress, &name);
    let address = |edge: &str, job: JobId| {
        let state = filter.map(|state| format!("state={}&", state.as_str())).unwrap_or_default();
        format!("/batches/{}?{state}{edge}={job}", view.id)
    };
    let listed = filter.map_or_else(|| view.counts.total(), |state| view.counts.of(state));
    let (earlier, later) = match place {
        BatchPlace::Beginning => (false, more),
        BatchPlace::After(_) => (true, more),
        BatchPlace::Before(_) => (more, true),
    };
    let pager = (earlier || later).then(|| Pager {
        summary: format!("{} of {} files", grouped(jobs.len() as u64), grouped(listed)),
        previous: jobs.first().filter(|_| earlier).map(|job| address("before", job.id)),
        next: jobs.last().filter(|_| later).map(|job| address("after", job.id)),
    });
    page(&BatchPage {
        chrome: reader.chrome(&app, &view.title, Nav::Jobs),
        jobs: jobs.into_iter().map(|job| job_row(job, &name)).collect(),
        batch: view,
        filter,
        pager,
        all_jobs: matches!(reader.role(), Role::Curator | Role::Admin),
    })
}

/// `POST /batches/{id}/{act}`
pub(crate) async fn act(
    State(app): State<App>,
    Path((id, name)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    let batch = find(&app, &reader, &id).await?;
    let act = BatchAct::of(&name).ok_or(WebError::NotFound)?;
    let jobs = change(&app, &batch, act, &reader.actor(), reader.operation).await?;
    let said = if jobs == 0 { "nothing-to-do" } else { act.said() };
    let back = back_to(fields.get("back"), batch.collection, Some(batch.id));
    Ok(Redirect::to(&format!("{back}?said={said}")).into_response())
}

/// What can be done with all of a batch at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchAct {
    Pause,
    Resume,
    Cancel,
    Retry,
    Release,
}

impl BatchAct {
    const ALL: [Self; 5] = [Self::Pause, Self::Resume, Self::Cancel, Self::Retry, Self::Release];

    /// The act with this name in an address.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.as_str() == name)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Release => "release",
        }
    }

    const fn said(self) -> &'static str {
        match self {
            Self::Pause => "batch-paused",
            Self::Resume => "batch-resumed",
            Self::Cancel => "batch-cancelled",
            Self::Retry => "batch-retried",
            Self::Release => "batch-released",
        }
    }
}

/// Does it, together with its event; gives to how many jobs. One that changes nothing is no event.
pub(crate) async fn change(
    app: &App,
    batch: &Batch,
    act: BatchAct,
    actor: &Actor,
    operation: OperationId,
) -> Result<u64, WebError> {
    let mut writing = app.store.begin().await?;
    let jobs = match act {
        BatchAct::Pause => writing.pause_batch(batch.id).await?,
        BatchAct::Resume => writing.resume_batch(batch.id).await?,
        BatchAct::Cancel => writing.cancel_batch(batch.id).await?,
        BatchAct::Retry => writing.retry_batch(batch.id).await?,
        BatchAct::Release => writing.release_batch(batch.id).await?,
    };
    if jobs > 0 {
        let event = Event::new(Action::BatchChanged, actor, operation).on("batch", batch.id, &batch.title);
        writing.record(event.detail(json!({ "act": act.as_str(), "jobs": jobs }))).await?;
        writing.commit().await?;
    }
    Ok(jobs)
}

/// The batch, if its collection is among these. One of another collection answers as one that does not exist.
pub(crate) async fn find(app: &App, caller: &impl Acting, id: &str) -> Result<Batch, WebError> {
    let id: BatchId = id.parse().map_err(|_| WebError::NotFound)?;
    let batch = app.store.batch(id).await?.ok_or(WebError::NotFound)?;
    let works = worked_on(app, caller).await?.is_none_or(|collections| collections.contains(&batch.collection));
    let allowed = works && app.store.batch_is_for(&batch, &job_reader(app, caller).await?).await?;
    if allowed { Ok(batch) } else { Err(WebError::NotFound) }
}

/// The batches of these collections that are not through, and the latest of the others, the newest first.
pub(crate) async fn latest(
    app: &App,
    collections: Option<&[CollectionId]>,
    names: &HashMap<CollectionId, String>,
    reader: &JobReader,
) -> Result<Vec<BatchView>, WebError> {
    let (mut views, mut ended) = (Vec::new(), 0);
    for batch in app.store.batches(collections, LOOKED_AT).await? {
        if !app.store.batch_is_for(&batch, reader).await? {
            continue;
        }
        let progress = app.store.batch_progress(batch.id).await?;
        let name = names.get(&batch.collection).map_or("", String::as_str);
        let view = batch_view(batch, &progress, name);
        if !view.in_work() && view.counts.open() == 0 {
            ended += 1;
            if ended > ENDED {
                continue;
            }
        }
        views.push(view);
    }
    Ok(views)
}

pub(crate) fn batch_view(batch: Batch, progress: &BatchProgress, collection: &str) -> BatchView {
    BatchView {
        id: batch.id.to_string(),
        title: batch.title,
        collection_id: batch.collection.to_string(),
        collection: collection.to_owned(),
        submitted_by: batch.submitted_by_name,
        submitted_at: moment(batch.created_at),
        counts: BatchCounts {
            waiting: progress.waiting,
            running: progress.running,
            done: progress.done,
            failed: progress.failed,
            cancelled: progress.cancelled,
            paused: progress.paused,
            held: progress.held,
        },
        unchanged: batch.unchanged,
        unembedded: progress.unembedded,
        size: size(progress.bytes.0),
        rate: progress.per_second().filter(|_| progress.waiting + progress.running > 0).map(rate),
        left: progress.seconds_left().map(about),
    }
}
