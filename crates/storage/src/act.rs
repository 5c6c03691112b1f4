//! Writing: an act is a transaction that is committed together with its audit events, or not at all.

use crate::rows::Columns;
use crate::{Result, StorageError};
use audit::EventHash;
use domain::Environment;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnection, SqliteQueryResult};
use sqlx::{Sqlite, Transaction};
use std::collections::BTreeSet;
use uuid::Uuid;

/// One act under the write lock. Dropping it rolls everything back.
#[derive(Debug)]
pub struct Act {
    transaction: Transaction<'static, Sqlite>,
    environment: Environment,
    recorded: bool,
}

impl Act {
    pub(crate) const fn new(transaction: Transaction<'static, Sqlite>, environment: Environment) -> Self {
        Self { transaction, environment, recorded: false }
    }

    /// The present moment, by the store's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.environment.now()
    }

    /// Appends an event to the chain, inside this transaction.
    ///
    /// # Errors
    /// [`StorageError`]; drop the act then.
    pub async fn record(&mut self, event: audit::Event) -> Result<audit::Entry> {
        // Another process may have appended since the last act; under the write lock none can any more.
        let last = sqlx::query("SELECT sequence, hash FROM audit_events ORDER BY sequence DESC LIMIT 1")
            .fetch_optional(self.connection())
            .await?;
        let (sequence, previous) = match last {
            Some(row) => (row.number::<u64>("sequence")?, row.bytes::<EventHash>("hash")?),
            None => (0, EventHash::GENESIS),
        };
        let entry = audit::seal(previous, sequence + 1, self.now(), event);
        let sequence = entry.sequence.cast_signed();
        sqlx::query(
            "INSERT INTO audit_events (sequence, at, action, actor, entry, previous, hash, label) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(sequence)
        .bind(entry.at.as_millisecond())
        .bind(entry.event.action.as_str())
        .bind(&entry.event.actor.name)
        .bind(entry.to_json())
        .bind(&entry.previous.as_bytes()[..])
        .bind(&entry.hash.as_bytes()[..])
        .bind(entry.event.label().map(domain::Label::rank))
        .execute(self.connection())
        .await?;
        for id in mentioned(&entry.event) {
            sqlx::query("INSERT INTO audit_mentions (id, sequence) VALUES (?, ?)")
                .bind(id)
                .bind(sequence)
                .execute(self.connection())
                .await?;
        }
        self.recorded = true;
        Ok(entry)
    }

    /// Whether an event was recorded in it.
    #[must_use]
    pub const fn has_recorded(&self) -> bool {
        self.recorded
    }

    /// Commits what was written together with its events.
    ///
    /// # Errors
    /// `Unaudited`, with everything rolled back, if no event was recorded.
    pub async fn commit(self) -> Result<()> {
        if !self.recorded {
            self.transaction.rollback().await?;
            return Err(StorageError::Unaudited);
        }
        Ok(self.transaction.commit().await?)
    }

    /// Commits without an event. The one exception, for what the appliance notes about its own work: leases and
    /// heartbeats, when a session was last seen, sign-in counters, what
    /// an authenticator is asked, what the index has taken over, cached settings, signed
    /// checkpoints over the events, how far the log was forwarded.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn commit_housekeeping(self) -> Result<()> {
        Ok(self.transaction.commit().await?)
    }

    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }
}

/// For changes of one thing by its id: none changed means that it does not exist.
pub(crate) fn found(result: &SqliteQueryResult, what: &'static str) -> Result<()> {
    if result.rows_affected() == 0 { Err(StorageError::NotFound { what }) } else { Ok(()) }
}

/// Every id that the event names: its operation, its object, and all in its detail.
pub(crate) fn mentioned(event: &audit::Event) -> BTreeSet<Uuid> {
    fn collect(value: &Value, ids: &mut BTreeSet<Uuid>) {
        match value {
            Value::String(text) => ids.extend(id(text)),
            Value::Array(items) => items.iter().for_each(|item| collect(item, ids)),
            Value::Object(members) => members.values().for_each(|member| collect(member, ids)),
            _ => {}
        }
    }
    /// An id is 32 hexadecimal digits as people see it, 36 characters with hyphens as JSON has it; hashes have 64.
    fn id(text: &str) -> Option<Uuid> {
        if matches!(text.len(), 32 | 36) { Uuid::try_parse(text).ok() } else { None }
    }
    let mut ids = BTreeSet::from([event.operation.uuid()]);
    ids.extend(event.object.as_ref().and_then(|object| id(&object.id)));
    collect(&event.detail, &mut ids);
    ids
}
