//! The worker: takes jobs by lease, runs them, and leaves every one of them done, failed or for another try.

use crate::content::ContentStore;
use crate::job::{Bench, JobError, run};
use crate::publish::{PublishError, Publisher};
use audit::{Action, Actor, Event, Outcome};
use domain::OperationId;
use inference::Embedder;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use storage::{Job, StorageError, Store};
use tokio_util::sync::CancellationToken;

const LEASE: SignedDuration = SignedDuration::from_secs(60);
const HEARTBEAT: Duration = Duration::from_secs(2);
const IDLE: Duration = Duration::from_millis(300);
const MOST_ATTEMPTS: u32 = 4;

/// Works off the queue.
#[derive(Clone)]
pub struct Worker {
    bench: Bench,
}

/// Why the worker stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The database refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The index refused.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl Worker {
    /// A worker; `model` names the embedder's model in the database.
    #[must_use]
    pub fn new(
        store: Store,
        content: ContentStore,
        embedder: Arc<Embedder>,
        model: String,
        publisher: Publisher,
    ) -> Self {
        let owner = format!("{}-{}", std::process::id(), OperationId::new(store.environment()));
        Self { bench: Bench { store, content, embedder, model, publisher, owner } }
    }

    /// Works until `stop` is cancelled. A failing database or index is logged and tried again.
    pub async fn run(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.step().await {
                Ok(true) => {}
                Ok(false) => pause(&stop, IDLE).await,
                Err(error) => {
                    tracing::error!(%error, "ingest cannot go on; trying again");
                    pause(&stop, Duration::from_secs(5)).await;
                }
            }
        }
    }

    /// Works until no job is waiting.
    ///
    /// # Errors
    /// A failing database or index.
    pub async fn run_until_idle(&self) -> Result<(), WorkerError> {
        while self.step().await? {}
        Ok(())
    }

    /// Follows the outbox, then does one job if one is waiting; says whether there was one.
    async fn step(&self) -> Result<bool, WorkerError> {
        self.bench.publisher.catch_up().await?;
        // Looking costs nothing; taking the write lock only to find nothing would disturb those who write.
        if self.bench.store.open_jobs().await? == 0 {
            return Ok(false);
        }
        let now = self.bench.store.environment().now();
        let mut act = self.bench.store.begin().await?;
        let Some(job) = act.lease(&self.bench.owner, now, LEASE).await? else { return Ok(false) };
        act.commit_housekeeping().await?;
        tracing::debug!(job.id = %job.id, source = %job.source, "ingest begins");
        let outcome = self.with_heartbeat(&job).await;
        match self.settle(&job, outcome).await {
            Err(WorkerError::Storage(StorageError::LeaseLost)) => Ok(true),
            settled => settled.map(|()| true),
        }
    }

    /// Runs the job beside a heartbeat; ends it when the lease is lost (cancelled, or taken over).
    async fn with_heartbeat(&self, job: &Job) -> Option<Result<(), JobError>> {
        let stage = Mutex::new(("reading", 0.0_f32));
        let report = |name, progress| *stage.lock().unwrap_or_else(PoisonError::into_inner) = (name, progress);
        let beat = async {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                let (name, progress) = *stage.lock().unwrap_or_else(PoisonError::into_inner);
                match self.beat(job, name, progress).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => tracing::warn!(%error, job.id = %job.id, "heartbeat failed"),
                }
            }
        };
        tokio::select! {
            outcome = run(&self.bench, job, report) => Some(outcome),
            () = beat => None,
        }
    }

    async fn beat(&self, job: &Job, stage: &str, progress: f32) -> Result<bool, StorageError> {
        let until = self.bench.store.environment().now() + LEASE;
        let mut act = self.bench.store.begin().await?;
        let held = act.heartbeat(job.id, &self.bench.owner, until, stage, progress).await?;
        act.commit_housekeeping().await?;
        Ok(held)
    }

    async fn settle(&self, job: &Job, outcome: Option<Result<(), JobError>>) -> Result<(), WorkerError> {
        let store = &self.bench.store;
        let outcome = outcome.unwrap_or(Err(JobError::Lost));
        match outcome {
            Ok(()) => self.bench.publisher.catch_up().await?,
            Err(JobError::Lost) => tracing::info!(job.id = %job.id, "ingest was cancelled or taken over"),
            Err(error) if error.may_pass() && job.attempts < MOST_ATTEMPTS => {
                tracing::warn!(%error, job.id = %job.id, "ingest will be tried again");
                let retry_at = store.environment().now() + back_off(job.attempts);
                let mut act = store.begin().await?;
                act.fail(job.id, &self.bench.owner, &error.to_string(), Some(retry_at)).await?;
                act.commit_housekeeping().await?;
            }
            Err(error) => {
                let reason = error.to_string();
                let mut act = store.begin().await?;
                tracing::warn!(job.id = %job.id, source = %job.source, %reason, "ingest failed");
                act.fail(job.id, &self.bench.owner, &reason, None::<Timestamp>).await?;
                let version = store.document_for_ingest(job.document).await?.map(|document| document.version);
                if version == Some(0) {
                    act.fail_document(job.document).await?;
                }
                act.record(
                    Event::new(Action::DocumentFailed, &Actor::system(), OperationId::new(store.environment()))
                        .on("document", job.document, &job.source)
                        .outcome(Outcome::Failed)
                        .detail(json!({ "reason": reason })),
                )
                .await?;
                act.commit().await?;
            }
        }
        Ok(())
    }
}

fn back_off(attempts: u32) -> SignedDuration {
    SignedDuration::from_secs(5 << attempts.min(6))
}

async fn pause(stop: &CancellationToken, time: Duration) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}
