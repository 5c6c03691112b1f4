//! Rules of retention: after how long the content of events goes. Their place and their hashes always stay.

use super::holds::push_unheld;
use crate::act::mentioned;
use crate::rows::{Columns, json};
use crate::{Result, Store};
use audit::{Action, Actor, Entry, Event, Purged, Ranges, purge_detail};
use domain::{Label, OperationId};
use jiff::{SignedDuration, Timestamp};
use sqlx::{QueryBuilder, Sqlite};

/// Events whose content is purged in one transaction, with one event that names them.
const BATCH: u32 = 2000;

/// What is never purged, because verifying the rest rests on it.
const KEPT: [Action; 4] =
    [Action::AuditPurged, Action::AuditKeyRotated, Action::LegalHoldPlaced, Action::LegalHoldReleased];

/// A class of events and how long their content is kept. An event that belongs to several is kept for the longest of their
/// times, one that belongs to none for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionClass {
    name: String,
    actions: Vec<&'static str>,
    labels: Vec<Label>,
    days: u32,
}

/// Why there is no such class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// A pattern fits no action.
    #[error("'{0}' fits no audited action; write its name, or a beginning such as answer.*")]
    NoSuchAction(String),
    /// Nothing is named, or days are 0.
    #[error("a retention class needs a name, actions and a number of days above 0")]
    Incomplete,
}

impl RetentionClass {
    /// A class of events with these actions (names, or beginnings such as `answer.*`) and, if any are given, one of these
    /// labels as the highest that they name.
    ///
    /// # Errors
    /// [`RetentionError`].
    pub fn new(name: &str, patterns: &[String], labels: Vec<Label>, days: u32) -> Result<Self, RetentionError> {
        if name.trim().is_empty() || patterns.is_empty() || days == 0 {
            return Err(RetentionError::Incomplete);
        }
        let mut actions = Vec::new();
        for pattern in patterns {
            let fits = |action: &&Action| match pattern.strip_suffix('*') {
                Some(beginning) => action.as_str().starts_with(beginning),
                None => action.as_str() == pattern,
            };
            let found: Vec<Action> = Action::ALL.iter().filter(fits).copied().collect();
            if found.is_empty() {
                return Err(RetentionError::NoSuchAction(pattern.clone()));
            }
            actions.extend(found.into_iter().filter(|action| !KEPT.contains(action)).map(Action::as_str));
        }
        Ok(Self { name: name.trim().to_owned(), actions, labels, days })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn cutoff(&self, now: Timestamp) -> i64 {
        let age = SignedDuration::from_hours(24 * i64::from(self.days));
        now.checked_sub(age).unwrap_or(Timestamp::MIN).as_millisecond()
    }

    /// Adds that the event `e` belongs to it.
    fn push_condition(&self, sql: &mut QueryBuilder<Sqlite>) -> Result<()> {
        sql.push("e.action IN (SELECT value FROM json_each(").push_bind(json(&self.actions)?).push("))");
        if !self.labels.is_empty() {
            let ranks: Vec<u8> = self.labels.iter().map(|label| label.rank()).collect();
            sql.push(" AND coalesce(e.label, -1) IN (SELECT value FROM json_each(").push_bind(json(&ranks)?).push("))");
        }
        Ok(())
    }
}

/// The events that `class` lets go now: none that another class keeps longer, none under a legal hold.
fn select_due(
    columns: &str,
    class: &RetentionClass,
    all: &[RetentionClass],
    now: Timestamp,
) -> Result<QueryBuilder<Sqlite>> {
    let mut sql =
        QueryBuilder::new(format!("SELECT {columns} FROM audit_events AS e WHERE e.purged_by IS NULL AND e.at < "));
    sql.push_bind(class.cutoff(now)).push(" AND ");
    class.push_condition(&mut sql)?;
    for longer in all.iter().filter(|other| other.days > class.days) {
        sql.push(" AND NOT (e.at >= ").push_bind(longer.cutoff(now)).push(" AND ");
        longer.push_condition(&mut sql)?;
        sql.push(")");
    }
    push_unheld(&mut sql);
    Ok(sql)
}

impl Store {
    /// How many events each class lets go now.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn audit_due(&self, classes: &[RetentionClass]) -> Result<Vec<(String, u64)>> {
        let mut due = Vec::new();
        for class in classes {
            let mut sql = select_due("count(*)", class, classes, self.environment().now())?;
            let number: i64 = sql.build_query_scalar().fetch_one(&self.reader).await?;
            due.push((class.name.clone(), crate::rows::count(number)));
        }
        Ok(due)
    }

    /// Removes the content of all events that the classes let go, in groups, each with its own event; gives their number.
    ///
    /// # Errors
    /// [`crate::StorageError`]; groups that were done before stay done.
    pub async fn purge_audit(&self, classes: &[RetentionClass], actor: &Actor, operation: OperationId) -> Result<u64> {
        let mut purged = 0;
        for class in classes {
            loop {
                let group = self.purge_group(class, classes, actor, operation).await?;
                if group == 0 {
                    break;
                }
                purged += group;
            }
        }
        Ok(purged)
    }

    async fn purge_group(
        &self,
        class: &RetentionClass,
        all: &[RetentionClass],
        actor: &Actor,
        operation: OperationId,
    ) -> Result<u64> {
        // Chosen under the write lock: a hold that was placed a moment ago counts.
        let mut act = self.begin().await?;
        let mut sql = select_due("e.entry", class, all, act.now())?;
        sql.push(" ORDER BY e.sequence LIMIT ").push_bind(BATCH);
        let rows = sql.build().fetch_all(act.connection()).await?;
        let entries: Vec<Entry> = rows.iter().map(|row| row.json("entry")).collect::<Result<_>>()?;
        if entries.is_empty() {
            return Ok(0);
        }
        // What is overwritten shall be gone from the pages of the file, too.
        sqlx::query("PRAGMA secure_delete = ON").execute(act.connection()).await?;
        let ranges: Ranges = entries.iter().map(|entry| entry.sequence).collect();
        let event = Event::new(Action::AuditPurged, actor, operation).detail(purge_detail(&class.name, &ranges));
        let by = act.record(event).await?.sequence;
        for entry in &entries {
            let sequence = entry.sequence.cast_signed();
            sqlx::query("UPDATE audit_events SET entry = ?, actor = '', purged_by = ? WHERE sequence = ?")
                .bind(Purged::of(entry).to_json())
                .bind(by.cast_signed())
                .bind(sequence)
                .execute(act.connection())
                .await?;
            for id in mentioned(&entry.event) {
                sqlx::query("DELETE FROM audit_mentions WHERE id = ? AND sequence = ?")
                    .bind(id)
                    .bind(sequence)
                    .execute(act.connection())
                    .await?;
            }
        }
        act.commit().await?;
        Ok(ranges.count())
    }
}
