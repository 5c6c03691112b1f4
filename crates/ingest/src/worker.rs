//! The worker: leases jobs, reads their documents side by side, publishes what is ready in groups, and makes vectors
//! when there is nothing to read. It leaves every job done, failed or for another try.

use crate::content::ContentStore;
use crate::embed::{Vectors, pause};
use crate::job::{Bench, JobError, Prepared, give_up, memory, prepare, publish};
use crate::leases::{LEASE, Leases};
use crate::publish::{PublishError, Publisher};
use crate::read::Reader;
use crate::reserve::{Reserve, Short};
use domain::OperationId;
use inference::Embedder;
use jiff::SignedDuration;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage::{Act, Job, StorageError, Store};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const IDLE: Duration = Duration::from_millis(300);
const MOST_ATTEMPTS: u32 = 4;
/// Jobs in work at a time, most of them waiting for their turn to be read.
const IN_WORK: usize = 48;
/// Documents published in one transaction and one write to the index.
const GROUP: usize = 32;
/// The same in passages: a transaction that holds up nobody for more than a moment.
const GROUP_PASSAGES: usize = 4_000;
/// A job that is leased so often without an end is given up: it may be what ends the process.
const MOST_DEATHS: u32 = 30;
/// The longest that a document waits for others to be published with, in large imports.
const GATHER: Duration = Duration::from_millis(500);

/// Works off the queue.
#[derive(Clone)]
pub struct Worker {
    bench: Bench,
    publisher: Publisher,
    vectors: Vectors,
    reserve: Reserve,
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
    /// The disk is so full that nothing more is taken in.
    #[error(transparent)]
    NoRoom(#[from] Short),
}

/// A job and what came of it.
type Outcome = (Job, Result<Prepared, JobError>);

/// What a task ended with; one that panicked is the end of its job, not of the others.
fn outcome_of(ended: Result<(Id, Outcome), JoinError>, begun: &mut HashMap<Id, Job>) -> Option<Outcome> {
    match ended {
        Ok((id, outcome)) => {
            begun.remove(&id);
            Some(outcome)
        }
        Err(error) => begun.remove(&error.id()).map(|job| (job, Err(JobError::Panicked))),
    }
}

/// Outcomes in groups that one transaction takes without keeping others waiting.
fn groups(outcomes: Vec<Outcome>) -> Vec<Vec<Outcome>> {
    let mut groups: Vec<Vec<Outcome>> = Vec::new();
    let mut passages = 0;
    for outcome in outcomes {
        let more = outcome.1.as_ref().map_or(0, Prepared::passages);
        match groups.last_mut() {
            Some(group) if group.len() < GROUP && passages + more <= GROUP_PASSAGES => {
                group.push(outcome);
                passages += more;
            }
            _ => {
                groups.push(vec![outcome]);
                passages = more;
            }
        }
    }
    groups
}

impl Worker {
    /// A worker; `model` names the embedder's model in the database.
    #[must_use]
    pub fn new(
        store: Store,
        content: ContentStore,
        reader: Reader,
        embedder: Arc<Embedder>,
        model: String,
        publisher: Publisher,
    ) -> Self {
        let owner = format!("{}-{}", std::process::id(), OperationId::new(store.environment()));
        let vectors = Vectors::new(store.clone(), Arc::clone(&embedder), publisher.clone());
        let bench =
            Bench { store, content, reader, embedder, model, owner, leases: Leases::default(), memory: memory() };
        Self { bench, publisher, vectors, reserve: Reserve::none() }
    }

    /// The same, leaving so much room on the disk: below, it pauses, and goes on by itself.
    #[must_use]
    pub fn with_reserve(self, reserve: Reserve) -> Self {
        Self { vectors: self.vectors.with_reserve(reserve.clone()), reserve, ..self }
    }

    /// Works until `stop` is cancelled. A failing database or index is logged and tried again; a disk that is too full
    /// is waited for.
    pub async fn run(&self, stop: CancellationToken) {
        let reading = async {
            let mut waits = false;
            while !stop.is_cancelled() {
                let worked = self.read_all(&stop).await;
                let short = self.reserve.require(0);
                match (&short, waits) {
                    (Err(short), false) => tracing::warn!(%short, "documents wait to be read"),
                    (Ok(()), true) => tracing::info!("the disk has room again: documents are read"),
                    _ => {}
                }
                waits = short.is_err();
                match worked {
                    Ok(()) => pause(&stop, IDLE).await,
                    Err(error) => {
                        tracing::error!(%error, "ingest cannot go on; trying again");
                        pause(&stop, Duration::from_secs(5)).await;
                    }
                }
            }
        };
        tokio::join!(reading, self.vectors.run(&stop));
    }

    /// Works until no job is waiting and every passage has its vector.
    ///
    /// # Errors
    /// A failing database or index.
    pub async fn run_until_idle(&self) -> Result<(), WorkerError> {
        let never = CancellationToken::new();
        loop {
            self.reserve.require(0)?;
            self.read_all(&never).await?;
            while self.vectors.round().await? > 0 {}
            let now = self.bench.store.environment().now();
            if !self.bench.store.has_work(now).await?.1 {
                return Ok(());
            }
            tokio::time::sleep(IDLE).await;
        }
    }

    /// Follows the outbox, then takes jobs until none can be leased.
    async fn read_all(&self, stop: &CancellationToken) -> Result<(), WorkerError> {
        self.publisher.catch_up().await?;
        let alive = self.bench.leases.keep_alive(&self.bench.store, &self.bench.owner);
        let done = tokio::select! {
            done = self.work(stop) => done,
            () = alive => Ok(()),
        };
        if done.is_err() {
            // What was in work is so no longer: without a sign of life it goes back to the queue.
            self.bench.leases.clear();
        }
        done
    }

    async fn work(&self, stop: &CancellationToken) -> Result<(), WorkerError> {
        let mut tasks: JoinSet<Outcome> = JoinSet::new();
        let mut begun: HashMap<Id, Job> = HashMap::new();
        let mut ready: Vec<Outcome> = Vec::new();
        let mut since = Instant::now();
        loop {
            if !stop.is_cancelled() && tasks.len() <= IN_WORK / 2 {
                self.lease(IN_WORK - tasks.len(), &mut tasks, &mut begun).await?;
            }
            self.vectors.give_way(!tasks.is_empty());
            if ready.is_empty() {
                since = Instant::now();
            }
            // Not longer than this: one slow document must not hold up what is ready, nor what else could begin.
            match timeout(GATHER, tasks.join_next_with_id()).await {
                Ok(Some(ended)) => ready.extend(outcome_of(ended, &mut begun)),
                Ok(None) if ready.is_empty() => return Ok(()),
                Ok(None) => {}
                Err(_) => self.publisher.catch_up().await?,
            }
            while let Some(ended) = tasks.try_join_next_with_id() {
                ready.extend(outcome_of(ended, &mut begun));
            }
            if ready.len() >= GROUP || since.elapsed() > GATHER || tasks.is_empty() {
                for group in groups(std::mem::take(&mut ready)) {
                    self.settle(group).await?;
                }
            }
        }
    }

    /// Leases up to `most` jobs and begins with them.
    async fn lease(
        &self,
        most: usize,
        tasks: &mut JoinSet<Outcome>,
        begun: &mut HashMap<Id, Job>,
    ) -> Result<(), WorkerError> {
        let bench = &self.bench;
        // Reading a document makes passages, vectors and entries of the index.
        if self.reserve.require(0).is_err() {
            return Ok(());
        }
        let now = bench.store.environment().now();
        // Looking costs nothing; taking the write lock only to find nothing would disturb those who write.
        if !bench.store.has_work(now).await?.0 {
            return Ok(());
        }
        let mut act = bench.store.begin().await?;
        let jobs = act.lease(&bench.owner, now, LEASE, u32::try_from(most).unwrap_or(1)).await?;
        act.commit_housekeeping().await?;
        for job in jobs {
            let (bench, task) = (bench.clone(), job.clone());
            let lost = bench.leases.take(job.id);
            let handle = tasks.spawn(async move {
                if task.attempts > MOST_DEATHS {
                    return (task.clone(), Err(JobError::Deadly(task.attempts)));
                }
                let outcome = tokio::select! {
                    outcome = prepare(&bench, &task) => outcome,
                    () = lost.cancelled() => Err(JobError::Lost),
                };
                (task, outcome)
            });
            begun.insert(handle.id(), job);
        }
        Ok(())
    }

    /// Writes down what came of these jobs and lets the index follow. If a group cannot be written as a whole, each
    /// of its jobs gets an act of its own, so that one of them cannot hold up the others.
    async fn settle(&self, outcomes: Vec<Outcome>) -> Result<(), WorkerError> {
        let written = self.write(&outcomes).await;
        let written = match written {
            Err(error) if outcomes.len() > 1 => {
                tracing::warn!(%error, "a group of documents could not be written; trying one by one");
                let mut result = Ok(());
                for outcome in &outcomes {
                    if let Err(error) = self.write(std::slice::from_ref(outcome)).await {
                        result = self.postpone(&outcome.0, &error.to_string()).await.and(result);
                    }
                }
                result
            }
            Err(error) => match outcomes.first() {
                Some((job, _)) => self.postpone(job, &error.to_string()).await,
                None => Err(error),
            },
            Ok(()) => Ok(()),
        };
        for (job, _) in &outcomes {
            self.bench.leases.drop(job.id);
        }
        written?;
        self.publisher.catch_up().await?;
        self.vectors.wake();
        Ok(())
    }

    async fn write(&self, outcomes: &[Outcome]) -> Result<(), StorageError> {
        let mut act = self.bench.store.begin().await?;
        for (job, outcome) in outcomes {
            match outcome {
                Ok(ready) => publish(&mut act, &self.bench, job, ready).await?,
                Err(JobError::Lost) => tracing::info!(job.id = %job.id, "ingest was cancelled or taken over"),
                Err(error) if error.may_pass() && job.attempts < MOST_ATTEMPTS => {
                    retry_later(&mut act, &self.bench, job, &error.to_string()).await?;
                }
                Err(error) => give_up(&mut act, &self.bench, job, &error.to_string()).await?,
            }
        }
        commit(act).await
    }

    /// What is ready could not be written: another try, or the end.
    async fn postpone(&self, job: &Job, reason: &str) -> Result<(), StorageError> {
        let mut act = self.bench.store.begin().await?;
        if job.attempts < MOST_ATTEMPTS {
            retry_later(&mut act, &self.bench, job, reason).await?;
        } else {
            give_up(&mut act, &self.bench, job, reason).await?;
        }
        commit(act).await
    }
}

/// Publishing and giving up have recorded their events; leases and retries have none.
async fn commit(act: Act) -> Result<(), StorageError> {
    if act.has_recorded() { act.commit().await } else { act.commit_housekeeping().await }
}

async fn retry_later(act: &mut Act, bench: &Bench, job: &Job, reason: &str) -> Result<(), StorageError> {
    if !act.holds(job.id, &bench.owner).await? {
        return Ok(());
    }
    tracing::warn!(%reason, job.id = %job.id, "ingest will be tried again");
    let retry_at = act.now() + back_off(job.attempts);
    act.fail(job.id, &bench.owner, reason, Some(retry_at)).await
}

fn back_off(attempts: u32) -> SignedDuration {
    SignedDuration::from_secs(5 << attempts.min(6))
}
