//! Reading the audit log. Writing it is [`crate::Act::record`].

mod checkpoints;
mod counts;
mod forwarding;
mod holds;
mod probe;
mod replay;
mod retention;
mod verify;

pub use checkpoints::AuditChecked;
pub use counts::{ActionCount, Reading, Usage};
pub use forwarding::Forwarding;
pub use holds::LegalHold;
pub use replay::SourceToday;
pub use retention::{RetentionClass, RetentionError};

use crate::rows::Columns;
use crate::{Result, StorageError, Store};
use audit::export::{Exporter, Format};
use audit::{Action, Entry, EventHash, Head, SigningKey};
use domain::Label;
use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite};
use std::io::Write;
use uuid::Uuid;

/// Entries read at a time.
const CHUNK: u32 = 2000;

/// Which entries a list shows; the default shows all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Not before this moment.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
    /// Only acts of the actor with this name.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<Action>,
    /// Only entries that name this id (of a document, a passage, a user or anything else), as object or in the detail.
    pub document: Option<String>,
    /// Only entries that name this label, and no higher one.
    pub label: Option<Label>,
    /// Only entries whose text holds this, letter case of ASCII aside.
    pub text: Option<String>,
}

/// Entries with their content, before a list's own bounds and order.
fn select(filter: &AuditFilter) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new("SELECT entry FROM audit_events WHERE purged_by IS NULL");
    // Lists are by sequence, so the index over `at` gives the bounds within which they are read. Each `+` keeps SQLite
    // from reading by time instead, which would have it sort everything before it can show the first hundred.
    if let Some(from) = filter.from.map(Timestamp::as_millisecond) {
        sql.push(" AND sequence >= (SELECT min(+sequence) FROM audit_events WHERE at >= ").push_bind(from);
        sql.push(") AND +at >= ").push_bind(from);
    }
    if let Some(to) = filter.to.map(Timestamp::as_millisecond) {
        sql.push(" AND sequence <= (SELECT max(+sequence) FROM audit_events WHERE at < ").push_bind(to);
        sql.push(") AND +at < ").push_bind(to);
    }
    if let Some(actor) = &filter.actor {
        sql.push(" AND actor = ").push_bind(actor.clone());
    }
    if let Some(action) = filter.action {
        sql.push(" AND action = ").push_bind(action.as_str());
    }
    if let Some(label) = filter.label {
        sql.push(" AND label = ").push_bind(label.rank());
    }
    if let Some(id) = &filter.document {
        // What is no id was never mentioned as one.
        let id = Uuid::try_parse(id.trim()).unwrap_or(Uuid::nil());
        sql.push(" AND sequence IN (SELECT sequence FROM audit_mentions WHERE id = ").push_bind(id).push(")");
    }
    if let Some(text) = &filter.text {
        // Entries are stored as JSON, so the text is looked for as JSON writes it.
        let quoted = serde_json::Value::from(text.as_str()).to_string();
        let inner = &quoted[1..quoted.len() - 1];
        let pattern = inner.replace('!', "!!").replace('%', "!%").replace('_', "!_");
        sql.push(" AND entry LIKE ").push_bind(format!("%{pattern}%")).push(" ESCAPE '!'");
    }
    sql
}

impl Store {
    async fn audit_page(&self, filter: &AuditFilter, from: u64, limit: u32) -> Result<Vec<Entry>> {
        let mut sql = select(filter);
        sql.push(" AND sequence >= ").push_bind(from.cast_signed());
        sql.push(" ORDER BY sequence LIMIT ").push_bind(limit);
        let rows = sql.build().fetch_all(&self.reader).await?;
        rows.iter().map(|row| row.json("entry")).collect()
    }

    /// The first entries of `filter`, oldest first.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn audit_in_order(&self, filter: &AuditFilter, limit: u32) -> Result<Vec<Entry>> {
        self.audit_page(filter, 1, limit).await
    }

    /// Entries before the sequence `before`, newest first.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn audit_entries(&self, filter: &AuditFilter, before: Option<u64>, limit: u32) -> Result<Vec<Entry>> {
        let mut sql = select(filter);
        if let Some(before) = before {
            sql.push(" AND sequence < ").push_bind(before.cast_signed());
        }
        sql.push(" ORDER BY sequence DESC LIMIT ").push_bind(limit);
        let rows = sql.build().fetch_all(&self.reader).await?;
        rows.iter().map(|row| row.json("entry")).collect()
    }

    /// Entries from a sequence on, in order: for exports.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn audit_from(&self, sequence: u64, limit: u32) -> Result<Vec<Entry>> {
        self.audit_page(&AuditFilter::default(), sequence, limit).await
    }

    /// What the database still knows of a purged event: when it was, what kind of act, and the event that purged it. `None`
    /// if its content is there, or there is no such event.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn audit_purged(&self, sequence: u64) -> Result<Option<(Timestamp, Action, u64)>> {
        let row =
            sqlx::query("SELECT at, action, purged_by FROM audit_events WHERE sequence = ? AND purged_by IS NOT NULL")
                .bind(sequence.cast_signed())
                .fetch_optional(&self.reader)
                .await?;
        row.map(|row| Ok((row.time("at")?, row.word("action")?, row.number("purged_by")?))).transpose()
    }

    /// Where the chain stands: sequence and hash of the last entry.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn audit_last(&self) -> Result<Option<(u64, EventHash)>> {
        let row = sqlx::query("SELECT sequence, hash FROM audit_events ORDER BY sequence DESC LIMIT 1")
            .fetch_optional(&self.reader)
            .await?;
        row.map(|row| Ok((row.number("sequence")?, row.bytes("hash")?))).transpose()
    }

    /// Writes the entries of `filter` in order, then the head, signed with `key` at the store's present moment, and
    /// gives the writer back. JSONL holds the whole log, so that it can be verified.
    ///
    /// # Errors
    /// `Conflict` if JSONL is to be filtered, `File` if `writer` fails.
    pub async fn export_audit<W: Write + Send>(
        &self,
        format: Format,
        filter: &AuditFilter,
        key: &SigningKey,
        writer: W,
    ) -> Result<W> {
        self.export_audit_since(format, filter, (0, &|_, _| ()), key, writer).await
    }

    /// As [`Store::export_audit`], from after the sequence `since` on, telling `progress` after each chunk how far it has
    /// come: the sequence written last, and the last of all.
    ///
    /// # Errors
    /// As there; `Conflict` if the log does not reach to `since`.
    pub async fn export_audit_since<W: Write + Send>(
        &self,
        format: Format,
        filter: &AuditFilter,
        (since, progress): (u64, &(dyn Fn(u64, u64) + Sync)),
        key: &SigningKey,
        writer: W,
    ) -> Result<W> {
        if format == Format::Jsonl && *filter != AuditFilter::default() {
            return Err(StorageError::Conflict {
                what: "a filtered log cannot be verified: export all of it as jsonl, or choose csv, cef or syslog"
                    .to_owned(),
            });
        }
        // The end is read first: entries that come meanwhile belong to the next export.
        let (count, hash) = self.audit_last().await?.unwrap_or((0, EventHash::GENESIS));
        if since > count {
            return Err(StorageError::Conflict {
                what: format!(
                    "the log has {count} events, none after {since}: this is not the log that the head is of"
                ),
            });
        }
        let mut exporter = Exporter::new(format, writer);
        let mut last = since;
        // Stored lines are what was sealed: JSONL takes them as they stand, with what is left of purged ones.
        while format == Format::Jsonl && last < count {
            let lines = self.audit_lines(last, count).await?;
            let Some(end) = lines.last() else { break };
            last = end.0;
            for (_, line) in &lines {
                exporter.write_line(line)?;
            }
            progress(last, count);
        }
        while format != Format::Jsonl && last < count {
            let mut entries = self.audit_page(filter, last + 1, CHUNK).await?;
            entries.retain(|entry| entry.sequence <= count);
            let Some(end) = entries.last() else { break };
            last = end.sequence;
            for entry in &entries {
                exporter.write(entry)?;
            }
            progress(last, count);
        }
        Ok(exporter.finish(&Head::sign_extract(key, since + 1, count, hash, self.environment().now()))?)
    }

    /// The next stored lines after `last` and up to `end`, with their sequences.
    async fn audit_lines(&self, last: u64, end: u64) -> Result<Vec<(u64, String)>> {
        let rows = sqlx::query(
            "SELECT sequence, entry FROM audit_events WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?",
        )
        .bind(last.cast_signed())
        .bind(end.cast_signed())
        .bind(CHUNK)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| Ok((row.number("sequence")?, row.plain("entry")?))).collect()
    }
}
