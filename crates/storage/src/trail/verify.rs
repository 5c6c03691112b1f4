//! Checking the stored chain: every entry, every link, every checkpoint.

use super::CHUNK;
use crate::rows::{Columns, count, damaged};
use crate::trail::AuditChecked;
use crate::{Result, Store};
use audit::merkle::Frontier;
use audit::verify::{Fault, FaultKind};
use audit::{Checkpoint, Entry, EventHash, Lineage, PublicKey, Purged, Ranges};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// The row's entry, if it is as it was sealed and the columns beside it still say the same.
fn intact(row: &SqliteRow) -> Result<Option<Entry>> {
    let text: &str = row.plain("entry")?;
    let Ok(entry) = serde_json::from_str::<Entry>(text) else { return Ok(None) };
    let same = entry.hash == entry.computed_hash()
        && entry.to_json() == text
        && entry.at.as_millisecond() == row.plain::<i64>("at")?
        && entry.event.action.as_str() == row.plain::<&str>("action")?
        && entry.event.actor.name == row.plain::<&str>("actor")?
        && entry.event.label().map(|label| i64::from(label.rank())) == row.plain::<Option<i64>>("label")?
        && entry.previous.as_bytes()[..] == *row.plain::<&[u8]>("previous")?
        && entry.hash.as_bytes()[..] == *row.plain::<&[u8]>("hash")?;
    Ok(same.then_some(entry))
}

/// What is left of the row's entry, if no more is.
fn purged(row: &SqliteRow) -> Result<Option<Purged>> {
    let text: &str = row.plain("entry")?;
    let Ok(purged) = serde_json::from_str::<Purged>(text) else { return Ok(None) };
    let same = purged.purged
        && purged.to_json() == text
        && purged.previous.as_bytes()[..] == *row.plain::<&[u8]>("previous")?
        && purged.hash.as_bytes()[..] == *row.plain::<&[u8]>("hash")?;
    Ok(same.then_some(purged))
}

impl Store {
    /// Reads the whole chain and checks every link: the number of entries if all are as they were sealed. Cutting the
    /// end shows only against a signed head: in an export.
    ///
    /// # Errors
    /// The outer one if the database cannot be read, the inner one names the first fault.
    pub async fn verify_audit(&self) -> Result<Result<u64, Fault>> {
        Ok(self.check_audit(None).await?.map(|checked| checked.entries))
    }

    /// As [`Store::verify_audit`], and holds the chain against all checkpoints: each must be signed by `key` or one of its
    /// predecessors, and its root be the one of the entries that are there. An end that was cut off below a checkpoint
    /// shows as well.
    ///
    /// # Errors
    /// As there.
    pub async fn check_audit(&self, key: Option<&PublicKey>) -> Result<Result<AuditChecked, Fault>> {
        let checkpoints = self.audit_checkpoints().await?;
        let mut walk = Walk { checkpoints: &checkpoints, ..Walk::default() };
        loop {
            let rows = sqlx::query("SELECT * FROM audit_events WHERE sequence > ? ORDER BY sequence LIMIT ?")
                .bind(walk.tree.size().cast_signed())
                .bind(CHUNK)
                .fetch_all(&self.reader)
                .await?;
            if rows.is_empty() {
                return Ok(walk.end(key));
            }
            for row in &rows {
                if let Err(fault) = walk.step(row)? {
                    return Ok(Err(fault));
                }
            }
        }
    }
}

/// The chain up to where it was read.
#[derive(Default)]
struct Walk<'a> {
    tree: Frontier,
    previous: Option<EventHash>,
    purged: Ranges,
    named: Ranges,
    lineage: Lineage,
    /// Those that lie ahead, and how many were met.
    checkpoints: &'a [Checkpoint],
    met: usize,
}

impl Walk<'_> {
    fn step(&mut self, row: &SqliteRow) -> Result<Result<(), Fault>> {
        let expected = self.tree.size() + 1;
        let sequence = count(row.plain("sequence")?);
        let fault = |kind| Fault { line: expected, sequence: Some(sequence), kind };
        if sequence != expected {
            return Ok(Err(fault(FaultKind::Missing { from: expected })));
        }
        let (at, previous, hash) = match row.try_get::<Option<i64>, _>("purged_by").map_err(|_| damaged("purged_by"))? {
            Some(_) => {
                let Some(left) = purged(row)? else { return Ok(Err(fault(FaultKind::Edited))) };
                self.purged.add(sequence, sequence);
                (left.sequence, left.previous, left.hash)
            }
            None => {
                let Some(entry) = intact(row)? else { return Ok(Err(fault(FaultKind::Edited))) };
                self.lineage.see(&entry.event);
                for (first, last) in audit::purged_by(&entry.event, sequence) {
                    self.named.add(first, last);
                }
                (entry.sequence, entry.previous, entry.hash)
            }
        };
        if at != expected || previous != self.previous.unwrap_or(EventHash::GENESIS) {
            return Ok(Err(fault(FaultKind::Edited)));
        }
        self.previous = Some(hash);
        self.tree.push(hash);
        while let Some(checkpoint) = self.checkpoints.get(self.met).filter(|next| next.size == sequence) {
            if checkpoint.root != self.tree.root() || checkpoint.hash != hash {
                return Ok(Err(fault(FaultKind::Diverged)));
            }
            self.met += 1;
        }
        Ok(Ok(()))
    }

    fn end(self, key: Option<&PublicKey>) -> Result<AuditChecked, Fault> {
        let entries = self.tree.size();
        if let Some(sequence) = self.purged.first_outside(&self.named) {
            return Err(Fault { line: sequence, sequence: Some(sequence), kind: FaultKind::GoneWithoutRecord });
        }
        let ahead = self.checkpoints.get(self.met);
        if let Some(checkpoint) = ahead {
            let kind = FaultKind::OlderThanKept { size: checkpoint.size };
            return Err(Fault { line: entries + 1, sequence: Some(entries + 1), kind });
        }
        for checkpoint in self.checkpoints {
            let ours = checkpoint.signer().is_ok_and(|by| key.is_none_or(|key| self.lineage.leads(&by, key)));
            if !ours {
                let (line, sequence) = (checkpoint.size, Some(checkpoint.size));
                return Err(Fault { line, sequence, kind: FaultKind::KeptIsForged });
            }
        }
        Ok(AuditChecked { entries, purged: self.purged.count(), checkpoints: self.met as u64 })
    }
}
