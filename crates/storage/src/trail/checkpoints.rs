//! Signed checkpoints over the log, and proofs from them.

use crate::rows::{Columns, damaged, json};
use crate::{Result, StorageError, Store};
use audit::merkle::Frontier;
use audit::proof::{ConsistencyProof, InclusionProof};
use audit::{Checkpoint, EventHash, SigningKey};
use jiff::SignedDuration;

/// Hashes read at a time.
const CHUNK: u32 = 50_000;

/// What a check of the whole stored log found in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditChecked {
    /// Number of entries.
    pub entries: u64,
    /// How many of them have only their hashes left, by the rules of retention.
    pub purged: u64,
    /// Number of signed checkpoints that the entries lead to.
    pub checkpoints: u64,
}

impl Store {
    /// All checkpoints, oldest first.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn audit_checkpoints(&self) -> Result<Vec<Checkpoint>> {
        let rows =
            sqlx::query("SELECT checkpoint FROM audit_checkpoints ORDER BY size").fetch_all(&self.reader).await?;
        rows.iter().map(|row| row.json("checkpoint")).collect()
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn last_checkpoint(&self) -> Result<Option<Checkpoint>> {
        let row = sqlx::query("SELECT checkpoint FROM audit_checkpoints ORDER BY size DESC LIMIT 1")
            .fetch_optional(&self.reader)
            .await?;
        row.map(|row| row.json("checkpoint")).transpose()
    }

    /// The newest checkpoint if the log ends there and `key` signed it, or else a new one over all events.
    ///
    /// # Errors
    /// `Damaged` if the last checkpoint is not as it was signed, or the log ends before it.
    pub async fn checkpoint(&self, key: &SigningKey) -> Result<Checkpoint> {
        // The write lock keeps two processes from signing one after the other over the same events.
        let mut act = self.begin().await?;
        let last = sqlx::query("SELECT checkpoint, peaks FROM audit_checkpoints ORDER BY size DESC LIMIT 1")
            .fetch_optional(act.connection())
            .await?;
        let (known, mut tree) = match last {
            Some(row) => {
                let known: Checkpoint = row.json("checkpoint")?;
                let tree = Frontier::restore(known.size, row.plain("peaks")?).ok_or_else(|| damaged("peaks"))?;
                if tree.root() != known.root {
                    return Err(damaged("peaks"));
                }
                (Some(known), tree)
            }
            None => (None, Frontier::default()),
        };
        let mut hash = known.as_ref().map_or(EventHash::GENESIS, |known| known.hash);
        let before = tree.size();
        self.grow(&mut tree, &mut hash, u64::MAX).await?;
        if let Some(known) = known.filter(|_| tree.size() == before) {
            // After a rotation the same events are signed by the next key only when there are more of them.
            return Ok(known);
        }
        let checkpoint = Checkpoint::sign(key, &tree, hash, act.now());
        sqlx::query("INSERT INTO audit_checkpoints (size, checkpoint, peaks) VALUES (?, ?, ?)")
            .bind(checkpoint.size.cast_signed())
            .bind(json(&checkpoint)?)
            .bind(tree.peaks())
            .execute(act.connection())
            .await?;
        act.commit_housekeeping().await?;
        Ok(checkpoint)
    }

    /// A new checkpoint if `events` have come since the last one, or any have and `age` has passed.
    ///
    /// # Errors
    /// As [`Store::checkpoint`].
    pub async fn checkpoint_if_due(
        &self,
        key: &SigningKey,
        events: u64,
        age: SignedDuration,
    ) -> Result<Option<Checkpoint>> {
        let count = self.audit_last().await?.map_or(0, |(count, _)| count);
        let (size, due) = match self.last_checkpoint().await? {
            Some(last) => (last.size, self.environment().now().duration_since(last.at) >= age),
            None => (0, true),
        };
        let more = count.saturating_sub(size);
        if more >= events.max(1) || (more > 0 && due) { Ok(Some(self.checkpoint(key).await?)) } else { Ok(None) }
    }

    /// The proof that event `sequence` is in the log, under the newest checkpoint, which `key` signs first if it does not
    /// reach that far.
    ///
    /// # Errors
    /// `NotFound` if there is no such event, `Conflict` if its content was purged, `Damaged` if the stored events do not
    /// lead to the checkpoint.
    pub async fn prove_event(&self, sequence: u64, key: &SigningKey) -> Result<InclusionProof> {
        let missing = StorageError::NotFound { what: "event" };
        if self.audit_purged(sequence).await?.is_some() {
            let what = "the content of this event was purged; only its hash is left".to_owned();
            return Err(StorageError::Conflict { what });
        }
        let entry =
            self.audit_from(sequence, 1).await?.pop().filter(|entry| entry.sequence == sequence).ok_or(missing)?;
        let checkpoint = match self.last_checkpoint().await? {
            Some(last) if last.size >= sequence && last.public_key == key.public().to_string() => last,
            _ => self.checkpoint(key).await?,
        };
        let events = self.event_hashes(checkpoint.size).await?;
        InclusionProof::new(entry, checkpoint, &events).ok_or_else(|| damaged("hash"))
    }

    /// The proof that `older` is the beginning of the log, under the newest checkpoint.
    ///
    /// # Errors
    /// `Conflict` if it is not.
    pub async fn prove_consistency(&self, older: Checkpoint, key: &SigningKey) -> Result<ConsistencyProof> {
        let checkpoint = self.checkpoint(key).await?;
        let events = self.event_hashes(checkpoint.size).await?;
        ConsistencyProof::new(older, checkpoint, &events).ok_or_else(|| StorageError::Conflict {
            what:
                "the older checkpoint is not the beginning of this log: it is of another log, or this one was changed"
                    .to_owned(),
        })
    }

    /// The hashes of the events 1 to `size`: 32 bytes each in memory.
    async fn event_hashes(&self, size: u64) -> Result<Vec<EventHash>> {
        let mut hashes: Vec<EventHash> = Vec::new();
        loop {
            let last = hashes.len() as u64;
            let more = self.hashes_after(last, size).await?;
            if more.is_empty() {
                return Ok(hashes);
            }
            hashes.extend(more);
        }
    }

    async fn grow(&self, tree: &mut Frontier, last: &mut EventHash, end: u64) -> Result<()> {
        loop {
            let more = self.hashes_after(tree.size(), end).await?;
            let Some(newest) = more.last() else { return Ok(()) };
            *last = *newest;
            more.into_iter().for_each(|hash| tree.push(hash));
        }
    }

    async fn hashes_after(&self, last: u64, end: u64) -> Result<Vec<EventHash>> {
        let rows =
            sqlx::query("SELECT hash FROM audit_events WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?")
                .bind(last.cast_signed())
                .bind(i64::try_from(end).unwrap_or(i64::MAX))
                .bind(CHUNK)
                .fetch_all(&self.reader)
                .await?;
        rows.iter().map(|row| row.bytes("hash")).collect()
    }
}
