//! The job queue: leases instead of locks, so that a worker that dies loses its job to the next one.

use crate::rows::{Columns, count, id_list};
use crate::scope::push_job_condition;
use crate::{Act, JobReader, Page, Result, StorageError, Store};
use domain::{BatchId, CollectionId, ContentHash, DocumentId, JobId, UserId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteQueryResult, SqliteRow};
use sqlx::{QueryBuilder, Sqlite};

/// Why a job was called off when newer bytes of its document came.
pub(crate) const SUPERSEDED: &str = "a newer version of the file came";

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Nobody works on it.
    Waiting,
    /// A worker holds its lease.
    Running,
    /// Done.
    Done,
    /// Given up; `reason` says why.
    Failed,
    /// Called off.
    Cancelled,
    /// Not to be begun until someone lets it go on.
    Paused,
    /// In quarantine until a curator releases it.
    Held,
}

impl JobState {
    /// All states.
    pub const ALL: [Self; 7] =
        [Self::Waiting, Self::Running, Self::Done, Self::Failed, Self::Cancelled, Self::Paused, Self::Held];

    /// The state's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Paused => "paused",
            Self::Held => "held",
        }
    }
}

/// Work on one document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Identity.
    pub id: JobId,
    /// What is to be done, such as `ingest`.
    pub kind: String,
    /// What it was submitted together with.
    pub batch: Option<BatchId>,
    /// The collection that it works for.
    pub collection: CollectionId,
    /// The document.
    pub document: DocumentId,
    /// Path or file name, for lists.
    pub source: String,
    /// BLAKE3 of the bytes to read.
    pub content: ContentHash,
    /// Size of those in bytes.
    pub size_bytes: u64,
    /// How many files it lies in: 0 for one of its own, 1 for a mail's attachment.
    pub depth: u32,
    /// Where it stands.
    pub state: JobState,
    /// What the worker is at, such as `embed`.
    pub stage: String,
    /// How far it is, 0 to 1.
    pub progress: f32,
    /// How often it was leased.
    pub attempts: u32,
    /// Why it failed last.
    pub reason: Option<String>,
    /// The account that submitted it; none at the console.
    pub submitted_by: Option<UserId>,
    /// The submitter's name then.
    pub submitted_by_name: String,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it was begun last.
    pub started_at: Option<Timestamp>,
    /// When it came to its end.
    pub finished_at: Option<Timestamp>,
    /// The worker that holds it.
    pub lease_owner: Option<String>,
    /// How long that worker keeps it without a heartbeat.
    pub leased_until: Option<Timestamp>,
}

/// Which jobs a list shows; the default shows all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only those in this state.
    pub state: Option<JobState>,
    /// Only those of this batch.
    pub batch: Option<BatchId>,
    /// Only those of these collections.
    pub collections: Option<Vec<CollectionId>>,
    /// Only those that this person may read of.
    pub reader: Option<JobReader>,
}

impl Act {
    /// Adds a job that waits, or is held if that is its state; progress, attempts and lease of `job` are not looked at.
    ///
    /// # Errors
    /// `Conflict` if it is there already.
    pub async fn enqueue(&mut self, job: &Job) -> Result<()> {
        sqlx::query(
            "INSERT INTO jobs (id, kind, batch, collection, document, source, content, size_bytes, depth, state, stage, \
             progress, attempts, reason, submitted_by, submitted_by_name, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0.0, 0, NULL, ?, ?, ?)",
        )
        .bind(job.id.uuid())
        .bind(&job.kind)
        .bind(job.batch.map(BatchId::uuid))
        .bind(job.collection.uuid())
        .bind(job.document.uuid())
        .bind(&job.source)
        .bind(&job.content.as_bytes()[..])
        .bind(job.size_bytes.cast_signed())
        .bind(job.depth)
        .bind(if job.state == JobState::Held { JobState::Held } else { JobState::Waiting }.as_str())
        .bind(&job.stage)
        .bind(job.submitted_by.map(UserId::uuid))
        .bind(&job.submitted_by_name)
        .bind(job.created_at.as_millisecond())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Hands up to `most` jobs that wait, oldest first, or whose lease has run out, to `owner` until `now + ttl`. Each
    /// worker needs a name of its own, for that is what a heartbeat is recognised by.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn lease(&mut self, owner: &str, now: Timestamp, ttl: SignedDuration, most: u32) -> Result<Vec<Job>> {
        let until = now.saturating_add(ttl).unwrap_or(now);
        // Two small indexes, one for each kind: neither looks at what is not wanted.
        let rows = sqlx::query(
            "UPDATE jobs SET state = 'running', lease_owner = ?1, leased_until = ?3, attempts = attempts + 1, \
             not_before = NULL, stage = '', progress = 0.0, started_at = ?2 WHERE id IN (SELECT id FROM ( \
             SELECT id, created_at FROM jobs WHERE state = 'running' AND leased_until <= ?2 UNION ALL \
             SELECT id, created_at FROM (SELECT id, created_at FROM jobs WHERE state = 'waiting' \
             AND coalesce(not_before, ?2) <= ?2 ORDER BY created_at, id LIMIT ?4)) \
             ORDER BY created_at, id LIMIT ?4) RETURNING *",
        )
        .bind(owner)
        .bind(now.as_millisecond())
        .bind(until.as_millisecond())
        .bind(most)
        .fetch_all(self.connection())
        .await?;
        let mut jobs: Vec<Job> = rows.iter().map(job_of).collect::<Result<_>>()?;
        jobs.sort_by_key(|job| (job.created_at, job.id));
        Ok(jobs)
    }

    /// Renews a lease and notes how far the work is. `false` if `owner` does not hold it any more: stop working then.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn heartbeat(
        &mut self,
        id: JobId,
        owner: &str,
        until: Timestamp,
        stage: &str,
        progress: f32,
    ) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE jobs SET leased_until = ?, stage = ?, progress = ? \
             WHERE id = ? AND lease_owner = ? AND state = 'running'",
        )
        .bind(until.as_millisecond())
        .bind(stage)
        .bind(progress)
        .bind(id.uuid())
        .bind(owner)
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Puts every job that runs back into the queue. For a worker that knows that there is no other, because it alone
    /// has the index: those that held the leases are gone.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn end_leases(&mut self) -> Result<u64> {
        let done = sqlx::query(
            "UPDATE jobs SET state = 'waiting', lease_owner = NULL, leased_until = NULL, \
             stage = '' WHERE state = 'running'",
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected())
    }

    /// Whether `owner` still holds the lease, within this act.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn holds(&mut self, id: JobId, owner: &str) -> Result<bool> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ? AND lease_owner = ? AND state = 'running')",
        )
        .bind(id.uuid())
        .bind(owner)
        .fetch_one(self.connection())
        .await?)
    }

    /// Calls off every open job of a document, since newer bytes of it have come.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn supersede(&mut self, document: DocumentId) -> Result<()> {
        sqlx::query(
            "UPDATE jobs SET state = 'cancelled', finished_at = ?, reason = ?, lease_owner = NULL, leased_until = NULL \
             WHERE document = ? AND state IN ('waiting', 'running', 'paused', 'held')",
        )
        .bind(self.now().as_millisecond())
        .bind(SUPERSEDED)
        .bind(document.uuid())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Marks a job as done. Belongs into the act that writes its result, so that a lost lease undoes that.
    ///
    /// # Errors
    /// `LeaseLost` if `owner` does not hold it any more.
    pub async fn finish(&mut self, id: JobId, owner: &str) -> Result<()> {
        let done = sqlx::query(
            "UPDATE jobs SET state = 'done', progress = 1.0, reason = NULL, finished_at = ?, lease_owner = NULL, \
             leased_until = NULL WHERE id = ? AND lease_owner = ? AND state = 'running'",
        )
        .bind(self.now().as_millisecond())
        .bind(id.uuid())
        .bind(owner)
        .execute(self.connection())
        .await?;
        held(&done)
    }

    /// Puts a job back until `retry_at`, or gives it up with `None`.
    ///
    /// # Errors
    /// `LeaseLost` if `owner` does not hold it any more.
    pub async fn fail(&mut self, id: JobId, owner: &str, reason: &str, retry_at: Option<Timestamp>) -> Result<()> {
        let done = sqlx::query(
            "UPDATE jobs SET state = iif(?1 IS NULL, 'failed', 'waiting'), not_before = ?1, \
             finished_at = iif(?1 IS NULL, ?2, NULL), reason = ?3, lease_owner = NULL, leased_until = NULL \
             WHERE id = ?4 AND lease_owner = ?5 AND state = 'running'",
        )
        .bind(retry_at.map(Timestamp::as_millisecond))
        .bind(self.now().as_millisecond())
        .bind(reason)
        .bind(id.uuid())
        .bind(owner)
        .execute(self.connection())
        .await?;
        held(&done)
    }

    /// State and bytes of the job that a document got last, but for those called off because other bytes came.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn last_job(&mut self, document: DocumentId) -> Result<Option<(JobState, ContentHash)>> {
        let row = sqlx::query(
            "SELECT state, content FROM jobs WHERE document = ? AND reason IS NOT ? \
             ORDER BY created_at DESC, id DESC LIMIT 1",
        )
        .bind(document.uuid())
        .bind(SUPERSEDED)
        .fetch_optional(self.connection())
        .await?;
        let job = |row: &SqliteRow| {
            Ok((row.one_of("state", &JobState::ALL, JobState::as_str)?, row.bytes::<ContentHash>("content")?))
        };
        row.as_ref().map(job).transpose()
    }

    /// Calls off a job that has not come to its end; `false` if it came to its end before. Its worker learns of it by
    /// its heartbeat. Out of quarantine, a document that was never read goes with it.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn cancel(&mut self, id: JobId) -> Result<bool> {
        sqlx::query(
            "DELETE FROM documents WHERE version = 0 AND id = (SELECT document FROM jobs WHERE id = ? AND state = 'held')",
        )
        .bind(id.uuid())
        .execute(self.connection())
        .await?;
        let done = sqlx::query(
            "UPDATE jobs SET state = 'cancelled', finished_at = ?, lease_owner = NULL, leased_until = NULL \
             WHERE id = ? AND state IN ('waiting', 'running', 'paused', 'held')",
        )
        .bind(self.now().as_millisecond())
        .bind(id.uuid())
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Puts a failed or cancelled job back into the queue, its attempts forgotten, and a failed document back to
    /// waiting; `false` if it is neither, the document is gone, or its file has had other bytes since.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn retry(&mut self, id: JobId) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE jobs SET state = 'waiting', stage = '', progress = 0.0, attempts = 0, reason = NULL, \
             not_before = NULL, started_at = NULL, finished_at = NULL \
             WHERE id = ?1 AND state IN ('failed', 'cancelled') AND reason IS NOT ?2 \
             AND EXISTS (SELECT 1 FROM documents AS d WHERE d.id = jobs.document) AND NOT EXISTS (SELECT 1 \
             FROM jobs AS n WHERE n.document = jobs.document AND (n.created_at, n.id) > (jobs.created_at, jobs.id))",
        )
        .bind(id.uuid())
        .bind(SUPERSEDED)
        .execute(self.connection())
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE documents SET state = 'waiting' \
             WHERE state = 'failed' AND id = (SELECT document FROM jobs WHERE id = ?)",
        )
        .bind(id.uuid())
        .execute(self.connection())
        .await?;
        Ok(true)
    }
}

/// None changed means that someone else holds the job, or nobody any more.
fn held(result: &SqliteQueryResult) -> Result<()> {
    if result.rows_affected() == 0 { Err(StorageError::LeaseLost) } else { Ok(()) }
}

pub(crate) fn job_of(row: &SqliteRow) -> Result<Job> {
    Ok(Job {
        id: row.id("id")?,
        kind: row.plain("kind")?,
        batch: row.id_if_any("batch")?,
        collection: row.id("collection")?,
        document: row.id("document")?,
        source: row.plain("source")?,
        content: row.bytes("content")?,
        size_bytes: row.number("size_bytes")?,
        depth: row.number("depth")?,
        state: row.one_of("state", &JobState::ALL, JobState::as_str)?,
        stage: row.plain("stage")?,
        progress: row.plain::<f64>("progress")? as f32,
        attempts: row.number("attempts")?,
        reason: row.plain("reason")?,
        submitted_by: row.id_if_any("submitted_by")?,
        submitted_by_name: row.plain("submitted_by_name")?,
        created_at: row.time("created_at")?,
        started_at: row.time_if_any("started_at")?,
        finished_at: row.time_if_any("finished_at")?,
        lease_owner: row.plain("lease_owner")?,
        leased_until: row.time_if_any("leased_until")?,
    })
}

impl Store {
    /// The job with this id.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn job(&self, id: JobId) -> Result<Option<Job>> {
        let row = sqlx::query("SELECT * FROM jobs WHERE id = ?").bind(id.uuid()).fetch_optional(&self.reader).await?;
        row.as_ref().map(job_of).transpose()
    }

    /// The job with this id, if `reader` may read of it.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn job_for(&self, id: JobId, reader: &JobReader) -> Result<Option<Job>> {
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT * FROM jobs WHERE id = ");
        sql.push_bind(id.uuid()).push(" AND ");
        push_job_condition(&mut sql, reader);
        let row = sql.build().fetch_optional(&self.reader).await?;
        row.as_ref().map(job_of).transpose()
    }

    /// Jobs, the latest first.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn jobs(&self, filter: &JobFilter, limit: u32) -> Result<Vec<Job>> {
        self.jobs_page(filter, Page { offset: 0, limit }).await
    }

    /// The jobs of a batch, oldest first.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn jobs_of(&self, batch: BatchId) -> Result<Vec<Job>> {
        let rows = sqlx::query("SELECT * FROM jobs WHERE batch = ? ORDER BY created_at, id")
            .bind(batch.uuid())
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(job_of).collect()
    }

    /// How many jobs wait or run.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn open_jobs(&self) -> Result<u64> {
        let number = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE state IN ('waiting', 'running')")
            .fetch_one(&self.reader)
            .await?;
        Ok(count(number))
    }

    /// The bytes that the open job of a document will read; `None` without one.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn open_content(&self, document: DocumentId) -> Result<Option<ContentHash>> {
        let row = sqlx::query(
            "SELECT content FROM jobs WHERE document = ? AND state IN ('waiting', 'running', 'paused', 'held') \
             ORDER BY created_at DESC, id DESC LIMIT 1",
        )
        .bind(document.uuid())
        .fetch_optional(&self.reader)
        .await?;
        row.as_ref().map(|row| row.bytes("content")).transpose()
    }

    /// How many jobs that `reader` may read of have not ended, of these collections or all: paused and held ones too.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn unended_jobs(&self, collections: Option<&[CollectionId]>, reader: &JobReader) -> Result<u64> {
        let mut sql = QueryBuilder::<Sqlite>::new(
            "SELECT count(*) FROM jobs WHERE state IN ('waiting', 'running', 'paused', 'held')",
        );
        if let Some(collections) = collections {
            sql.push(" AND collection IN (SELECT unhex(value) FROM json_each(")
                .push_bind(id_list(collections.iter().map(|id| id.uuid())))
                .push("))");
        }
        push_job_condition(sql.push(" AND "), reader);
        Ok(count(sql.build_query_scalar().fetch_one(&self.reader).await?))
    }

    /// Whether a job can be leased at `now`, and whether any waits or runs at all. Cheap however many there are.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn has_work(&self, now: Timestamp) -> Result<(bool, bool)> {
        let row = sqlx::query(
            "SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 'waiting' AND coalesce(not_before, ?1) <= ?1) \
             OR EXISTS (SELECT 1 FROM jobs WHERE state = 'running' AND leased_until <= ?1) AS now, \
             EXISTS (SELECT 1 FROM jobs WHERE state = 'waiting') \
             OR EXISTS (SELECT 1 FROM jobs WHERE state = 'running') AS later",
        )
        .bind(now.as_millisecond())
        .fetch_one(&self.reader)
        .await?;
        Ok((row.plain("now")?, row.plain("later")?))
    }
}
