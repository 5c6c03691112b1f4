//! Leases that this worker holds: kept alive together, given up one by one.

use domain::JobId;
use jiff::SignedDuration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use storage::{StorageError, Store};
use tokio_util::sync::CancellationToken;

/// How long a job stays with a worker that gives no sign of life.
pub(crate) const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Time between two signs of life.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// The jobs in work, each with its stage, how far it is (0 to 1), and how to end it.
#[derive(Clone, Default)]
pub(crate) struct Leases {
    held: Arc<Mutex<HashMap<JobId, Held>>>,
}

struct Held {
    stage: &'static str,
    progress: f32,
    lost: CancellationToken,
}

impl Leases {
    fn held(&self) -> MutexGuard<'_, HashMap<JobId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job on; the token is cancelled when its lease is lost (cancelled, or taken over).
    pub(crate) fn take(&self, job: JobId) -> CancellationToken {
        let lost = CancellationToken::new();
        self.held().insert(job, Held { stage: "reading", progress: 0.0, lost: lost.clone() });
        lost
    }

    /// Notes how far a job is.
    pub(crate) fn report(&self, job: JobId, stage: &'static str, progress: f32) {
        if let Some(held) = self.held().get_mut(&job) {
            (held.stage, held.progress) = (stage, progress);
        }
    }

    /// Nothing is in work any more.
    pub(crate) fn clear(&self) {
        self.held().clear();
    }

    /// A job has come to its end, one way or another.
    pub(crate) fn drop(&self, job: JobId) {
        self.held().remove(&job);
    }

    /// Keeps all leases alive, for as long as it is polled.
    pub(crate) async fn keep_alive(&self, store: &Store, owner: &str) {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            if let Err(error) = self.beat(store, owner).await {
                tracing::warn!(%error, "heartbeat failed");
            }
        }
    }

    async fn beat(&self, store: &Store, owner: &str) -> Result<(), StorageError> {
        let jobs: Vec<(JobId, &'static str, f32)> =
            self.held().iter().map(|(job, held)| (*job, held.stage, held.progress)).collect();
        if jobs.is_empty() {
            return Ok(());
        }
        let mut act = store.begin().await?;
        let until = act.now() + LEASE;
        let mut lost = Vec::new();
        for (job, stage, progress) in jobs {
            if !act.heartbeat(job, owner, until, stage, progress).await? {
                lost.push(job);
            }
        }
        act.commit_housekeeping().await?;
        let held = self.held();
        for job in lost {
            // One that was finished meanwhile is no longer held here, and needs no word.
            if let Some(held) = held.get(&job) {
                held.lost.cancel();
            }
        }
        Ok(())
    }
}
