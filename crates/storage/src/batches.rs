//! Batches: files that were handed in together, how far they are, and what one does with all of them at once.

use crate::act::found;
use crate::queue::{Job, JobState, job_of};
use crate::rows::{Columns, count, id_list};
use crate::scope::push_job_condition;
use crate::{Act, JobReader, Result, Store};
use domain::{BatchId, CollectionId, JobId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};

/// Files that were handed in together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Identity.
    pub id: BatchId,
    /// What people call it: a file's name, a folder's path.
    pub title: String,
    /// Where its files go.
    pub collection: CollectionId,
    /// Files that were looked at and had not changed.
    pub unchanged: u64,
    /// The account that submitted it; none at the console.
    pub submitted_by: Option<UserId>,
    /// The submitter's name then.
    pub submitted_by_name: String,
    /// When it was submitted.
    pub created_at: Timestamp,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BatchProgress {
    /// Jobs that wait.
    pub waiting: u64,
    /// Jobs that run.
    pub running: u64,
    /// Jobs that are done: their documents are found by words.
    pub done: u64,
    /// Jobs given up.
    pub failed: u64,
    /// Jobs called off.
    pub cancelled: u64,
    /// Jobs that do not begin for now.
    pub paused: u64,
    /// Jobs in quarantine.
    pub held: u64,
    /// Bytes of all jobs, and of those that came to their end.
    pub bytes: (u64, u64),
    /// Jobs that came to their end within the last minute, and how many milliseconds of that they took: a rate.
    pub lately: (u64, u64),
    /// Documents of it that still have no vectors.
    pub unembedded: u64,
}

impl BatchProgress {
    /// All jobs.
    #[must_use]
    pub const fn jobs(&self) -> u64 {
        self.open() + self.done + self.failed + self.cancelled
    }

    /// Jobs that have not come to their end.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.waiting + self.running + self.paused + self.held
    }

    /// Documents a second of late; `None` if none came to its end within the last minute.
    #[must_use]
    pub fn per_second(&self) -> Option<f64> {
        let (jobs, millis) = self.lately;
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let rate = jobs as f64 * 1000.0 / millis.max(1) as f64;
        (jobs > 0).then_some(rate)
    }

    /// Seconds that what waits and runs will take at this rate.
    #[must_use]
    pub fn seconds_left(&self) -> Option<u64> {
        let left = self.waiting + self.running;
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate"
        )]
        let seconds = self.per_second().map(|rate| (left as f64 / rate).ceil() as u64);
        seconds.filter(|_| left > 0)
    }
}

/// Where a part of a list begins, whose order is that in which its items came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BatchPlace {
    /// With the first.
    #[default]
    Beginning,
    /// Behind this one.
    After(JobId),
    /// So that it ends before this one.
    Before(JobId),
}

/// Where a rate looks back to, in milliseconds.
const LATELY: i64 = 60_000;

fn batch_of(row: &SqliteRow) -> Result<Batch> {
    Ok(Batch {
        id: row.id("id")?,
        title: row.plain("title")?,
        collection: row.id("collection")?,
        unchanged: row.number("unchanged")?,
        submitted_by: row.id_if_any("submitted_by")?,
        submitted_by_name: row.plain("submitted_by_name")?,
        created_at: row.time("created_at")?,
    })
}

impl Act {
    /// Adds a batch.
    ///
    /// # Errors
    /// `Conflict` if it is there already.
    pub async fn insert_batch(&mut self, batch: &Batch) -> Result<()> {
        sqlx::query(
            "INSERT INTO batches (id, title, collection, unchanged, submitted_by, submitted_by_name, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(batch.id.uuid())
        .bind(&batch.title)
        .bind(batch.collection.uuid())
        .bind(batch.unchanged.cast_signed())
        .bind(batch.submitted_by.map(UserId::uuid))
        .bind(&batch.submitted_by_name)
        .bind(batch.created_at.as_millisecond())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Adds a batch if it is not there yet.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn ensure_batch(&mut self, batch: &Batch) -> Result<()> {
        let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM batches WHERE id = ?)")
            .bind(batch.id.uuid())
            .fetch_one(self.connection())
            .await?;
        if there { Ok(()) } else { self.insert_batch(batch).await }
    }

    /// Notes that so many more of its files had not changed.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn add_unchanged(&mut self, batch: BatchId, files: u64) -> Result<()> {
        let done = sqlx::query("UPDATE batches SET unchanged = unchanged + ? WHERE id = ?")
            .bind(files.cast_signed())
            .bind(batch.uuid())
            .execute(self.connection())
            .await?;
        found(&done, "batch")
    }

    /// Gives a batch another title, once it is known what was in it.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn name_batch(&mut self, batch: BatchId, title: &str) -> Result<()> {
        let done = sqlx::query("UPDATE batches SET title = ? WHERE id = ?")
            .bind(title)
            .bind(batch.uuid())
            .execute(self.connection())
            .await?;
        found(&done, "batch")
    }

    /// Moves all jobs of a batch that are in one state to another; gives how many. What runs goes on to its end.
    async fn move_jobs(&mut self, batch: BatchId, from: &[JobState], to: JobState) -> Result<u64> {
        let from: Vec<&str> = from.iter().map(|state| state.as_str()).collect();
        let done = sqlx::query(
            "UPDATE jobs SET state = ?1, not_before = NULL, reason = iif(?1 = 'waiting', NULL, reason), \
             attempts = iif(state = 'failed', 0, attempts), finished_at = iif(?1 = 'cancelled', ?4, NULL), \
             lease_owner = NULL, leased_until = NULL WHERE batch = ?2 AND state IN (SELECT value FROM json_each(?3))",
        )
        .bind(to.as_str())
        .bind(batch.uuid())
        .bind(crate::rows::json(&from)?)
        .bind(self.now().as_millisecond())
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected())
    }

    /// Keeps what waits of a batch from being begun; gives how many jobs.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn pause_batch(&mut self, batch: BatchId) -> Result<u64> {
        self.move_jobs(batch, &[JobState::Waiting], JobState::Paused).await
    }

    /// Lets what was paused go on; gives how many jobs.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn resume_batch(&mut self, batch: BatchId) -> Result<u64> {
        self.move_jobs(batch, &[JobState::Paused], JobState::Waiting).await
    }

    /// Lets what is in quarantine go on; gives how many jobs.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn release_batch(&mut self, batch: BatchId) -> Result<u64> {
        self.move_jobs(batch, &[JobState::Held], JobState::Waiting).await
    }

    /// Calls off everything of a batch that has not come to its end; gives how many jobs. Out of quarantine, documents
    /// that were never read go with them.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn cancel_batch(&mut self, batch: BatchId) -> Result<u64> {
        sqlx::query(
            "DELETE FROM documents WHERE version = 0 \
             AND id IN (SELECT document FROM jobs WHERE batch = ? AND state = 'held')",
        )
        .bind(batch.uuid())
        .execute(self.connection())
        .await?;
        let open = [JobState::Waiting, JobState::Running, JobState::Paused, JobState::Held];
        self.move_jobs(batch, &open, JobState::Cancelled).await
    }

    /// Tries everything of a batch again that failed; gives how many jobs.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn retry_batch(&mut self, batch: BatchId) -> Result<u64> {
        // Not what has been deleted, nor old bytes over newer ones: such jobs are called off.
        sqlx::query(
            "UPDATE jobs SET state = 'cancelled' WHERE batch = ? AND state = 'failed' AND (NOT EXISTS (SELECT 1 \
             FROM documents AS d WHERE d.id = jobs.document) OR EXISTS (SELECT 1 FROM jobs AS n \
             WHERE n.document = jobs.document AND (n.created_at, n.id) > (jobs.created_at, jobs.id)))",
        )
        .bind(batch.uuid())
        .execute(self.connection())
        .await?;
        sqlx::query(
            "UPDATE documents SET state = 'waiting' WHERE state = 'failed' \
             AND id IN (SELECT document FROM jobs WHERE batch = ? AND state = 'failed')",
        )
        .bind(batch.uuid())
        .execute(self.connection())
        .await?;
        self.move_jobs(batch, &[JobState::Failed], JobState::Waiting).await
    }
}

impl Store {
    /// The batch with this id.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn batch(&self, id: BatchId) -> Result<Option<Batch>> {
        let row =
            sqlx::query("SELECT * FROM batches WHERE id = ?").bind(id.uuid()).fetch_optional(&self.reader).await?;
        row.as_ref().map(batch_of).transpose()
    }

    /// Batches, the latest first; of these collections, or all.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn batches(&self, collections: Option<&[CollectionId]>, limit: u32) -> Result<Vec<Batch>> {
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT * FROM batches");
        if let Some(collections) = collections {
            sql.push(" WHERE collection IN (SELECT unhex(value) FROM json_each(")
                .push_bind(id_list(collections.iter().map(|id| id.uuid())))
                .push("))");
        }
        sql.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(limit);
        let rows = sql.build().fetch_all(&self.reader).await?;
        rows.iter().map(batch_of).collect()
    }

    /// Whether `reader` may read of a batch: it is the reader's own, or so is one of its jobs to read of.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn batch_is_for(&self, batch: &Batch, reader: &JobReader) -> Result<bool> {
        if batch.submitted_by == Some(reader.user) {
            return Ok(true);
        }
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT EXISTS (SELECT 1 FROM jobs WHERE batch = ");
        sql.push_bind(batch.id.uuid()).push(" AND ");
        push_job_condition(&mut sql, reader);
        sql.push(")");
        Ok(sql.build_query_scalar().fetch_one(&self.reader).await?)
    }

    /// Up to `limit` jobs of a batch in the order of their ids, which is that in which they came but for those of one
    /// millisecond; all or those in one state. Costs the same wherever in the list it begins.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn batch_jobs(
        &self,
        batch: BatchId,
        state: Option<JobState>,
        place: BatchPlace,
        limit: u32,
        reader: Option<&JobReader>,
    ) -> Result<Vec<Job>> {
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT * FROM jobs WHERE batch = ");
        sql.push_bind(batch.uuid());
        if let Some(state) = state {
            sql.push(" AND state = ").push_bind(state.as_str());
        }
        if let Some(reader) = reader {
            sql.push(" AND ");
            push_job_condition(&mut sql, reader);
        }
        match place {
            BatchPlace::Beginning => sql.push(" ORDER BY id"),
            BatchPlace::After(job) => sql.push(" AND id > ").push_bind(job.uuid()).push(" ORDER BY id"),
            BatchPlace::Before(job) => sql.push(" AND id < ").push_bind(job.uuid()).push(" ORDER BY id DESC"),
        };
        sql.push(" LIMIT ").push_bind(limit);
        let rows = sql.build().fetch_all(&self.reader).await?;
        let mut jobs: Vec<Job> = rows.iter().map(job_of).collect::<Result<_>>()?;
        if matches!(place, BatchPlace::Before(_)) {
            jobs.reverse();
        }
        Ok(jobs)
    }

    /// Pages of the documents of a batch, as far as these have pages and are read.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn pages_of_batch(&self, batch: BatchId) -> Result<u64> {
        let pages = sqlx::query_scalar(
            "SELECT coalesce(sum(d.pages), 0) FROM jobs AS j JOIN documents AS d ON d.id = j.document WHERE j.batch = ?",
        )
        .bind(batch.uuid())
        .fetch_one(&self.reader)
        .await?;
        Ok(count(pages))
    }

    /// How far a batch is.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn batch_progress(&self, batch: BatchId) -> Result<BatchProgress> {
        let rows = sqlx::query(
            "SELECT state, count(*) AS jobs, coalesce(sum(size_bytes), 0) AS bytes FROM jobs WHERE batch = ? GROUP BY state",
        )
        .bind(batch.uuid())
        .fetch_all(&self.reader)
        .await?;
        let mut progress = BatchProgress::default();
        for row in &rows {
            let jobs = count(row.plain("jobs")?);
            let bytes = count(row.plain("bytes")?);
            let state = row.one_of("state", &JobState::ALL, JobState::as_str)?;
            let ended = matches!(state, JobState::Done | JobState::Failed | JobState::Cancelled);
            progress.bytes.0 += bytes;
            progress.bytes.1 += if ended { bytes } else { 0 };
            *match state {
                JobState::Waiting => &mut progress.waiting,
                JobState::Running => &mut progress.running,
                JobState::Done => &mut progress.done,
                JobState::Failed => &mut progress.failed,
                JobState::Cancelled => &mut progress.cancelled,
                JobState::Paused => &mut progress.paused,
                JobState::Held => &mut progress.held,
            } = jobs;
        }
        let now = self.environment().now().as_millisecond();
        let row = sqlx::query(
            "SELECT count(*) AS jobs, ?2 - coalesce(min(coalesce(started_at, finished_at)), ?2) AS millis FROM jobs \
             WHERE batch = ?1 AND state IN ('done', 'failed') AND finished_at > ?2 - ?3",
        )
        .bind(batch.uuid())
        .bind(now)
        .bind(LATELY)
        .fetch_one(&self.reader)
        .await?;
        progress.lately = (count(row.plain("jobs")?), count(row.plain::<i64>("millis")?.min(LATELY)));
        let unembedded = sqlx::query_scalar(
            "SELECT count(*) FROM documents AS d WHERE d.embedded = 0 \
             AND EXISTS (SELECT 1 FROM jobs AS j INDEXED BY jobs_document WHERE j.document = d.id AND j.batch = ?)",
        )
        .bind(batch.uuid())
        .fetch_one(&self.reader)
        .await?;
        progress.unembedded = count(unembedded);
        Ok(progress)
    }
}
