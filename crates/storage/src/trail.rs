//! Reading the audit log. Writing it is [`crate::Act::record`].

use crate::rows::{Columns, count};
use crate::{Result, StorageError, Store};
use audit::export::{Exporter, Format};
use audit::verify::{Fault, FaultKind};
use audit::{Action, Entry, EventHash, Head, SigningKey};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
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
    /// Only entries whose text holds this, letter case of ASCII aside.
    pub text: Option<String>,
}

fn select(filter: &AuditFilter) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new("SELECT entry FROM audit_events WHERE 1 = 1");
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

/// The row's entry, if it is as it was sealed and the columns beside it still say the same.
fn intact(row: &SqliteRow) -> Result<Option<Entry>> {
    let text: &str = row.plain("entry")?;
    let Ok(entry) = serde_json::from_str::<Entry>(text) else { return Ok(None) };
    let same = entry.hash == entry.computed_hash()
        && entry.to_json() == text
        && entry.at.as_millisecond() == row.plain::<i64>("at")?
        && entry.event.action.as_str() == row.plain::<&str>("action")?
        && entry.event.actor.name == row.plain::<&str>("actor")?
        && entry.previous.as_bytes()[..] == *row.plain::<&[u8]>("previous")?
        && entry.hash.as_bytes()[..] == *row.plain::<&[u8]>("hash")?;
    Ok(same.then_some(entry))
}

impl Store {
    async fn audit_page(&self, filter: &AuditFilter, from: u64, limit: u32) -> Result<Vec<Entry>> {
        let mut sql = select(filter);
        sql.push(" AND sequence >= ").push_bind(from.cast_signed());
        sql.push(" ORDER BY sequence LIMIT ").push_bind(limit);
        let rows = sql.build().fetch_all(&self.reader).await?;
        rows.iter().map(|row| row.json("entry")).collect()
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

    /// Reads the whole chain and checks every link: the number of entries if all are as they were sealed. Cutting the
    /// end shows only against a signed head: in an export.
    ///
    /// # Errors
    /// The outer one if the database cannot be read, the inner one names the first fault.
    pub async fn verify_audit(&self) -> Result<Result<u64, Fault>> {
        let (mut last, mut previous) = (0, EventHash::GENESIS);
        loop {
            let rows = sqlx::query("SELECT * FROM audit_events WHERE sequence > ? ORDER BY sequence LIMIT ?")
                .bind(last)
                .bind(CHUNK)
                .fetch_all(&self.reader)
                .await?;
            if rows.is_empty() {
                return Ok(Ok(count(last)));
            }
            for row in rows {
                let sequence: i64 = row.plain("sequence")?;
                let expected = count(last + 1);
                let fault = |kind| Fault { line: expected, sequence: Some(count(sequence)), kind };
                if sequence != last + 1 {
                    return Ok(Err(fault(FaultKind::Missing { from: expected })));
                }
                let entry = intact(&row)?.filter(|entry| entry.sequence == expected && entry.previous == previous);
                match entry {
                    Some(entry) => (last, previous) = (sequence, entry.hash),
                    None => return Ok(Err(fault(FaultKind::Edited))),
                }
            }
        }
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
        if format == Format::Jsonl && *filter != AuditFilter::default() {
            return Err(StorageError::Conflict {
                what: "a filtered log cannot be verified: export all of it as jsonl, or choose csv, cef or syslog"
                    .to_owned(),
            });
        }
        // The end is read first: entries that come meanwhile belong to the next export.
        let (count, hash) = self.audit_last().await?.unwrap_or((0, EventHash::GENESIS));
        let mut exporter = Exporter::new(format, writer);
        let mut next = 1;
        loop {
            let mut entries = self.audit_page(filter, next, CHUNK).await?;
            entries.retain(|entry| entry.sequence <= count);
            let Some(last) = entries.last() else { break };
            next = last.sequence + 1;
            for entry in &entries {
                exporter.write(entry)?;
            }
        }
        Ok(exporter.finish(&Head::sign(key, count, hash, self.environment().now()))?)
    }
}
