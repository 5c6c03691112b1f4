//! What the log adds up to: acts a day, who read a document, and how much is asked, without what is asked.

use crate::rows::Columns;
use crate::{Result, Store};
use audit::Action;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

/// Fewer people than this are never counted together: a count of few would tell about one of them.
const LEAST_PEOPLE: u32 = 5;
/// Counts of questions are rounded to this, so that two groups that differ by one person do not tell about that person.
const GRAIN: u64 = 10;

/// How often something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionCount {
    /// What.
    pub action: Action,
    /// How often.
    pub count: u64,
}

/// What one person was shown of a document or passage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Sign-in name.
    pub person: String,
    /// How often passages were shown in answers or results, or the document was opened.
    pub times: u64,
    /// The first of these events.
    pub first: Timestamp,
    /// The last of these events.
    pub last: Timestamp,
    /// Sequence of the last one.
    pub sequence: u64,
}

/// How much a group asks; no questions and no names of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// The group; `None` stands for everyone.
    pub group: Option<String>,
    /// How many of them asked something, at least five.
    pub people: u64,
    /// How many questions they asked, rounded to tens.
    pub questions: u64,
}

impl Store {
    /// How often each act happened from one moment until before another, in the order of the vocabulary.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn audit_counts(&self, from: Timestamp, to: Timestamp) -> Result<Vec<ActionCount>> {
        let rows =
            sqlx::query("SELECT action, count(*) AS count FROM audit_events WHERE at >= ? AND at < ? GROUP BY action")
                .bind(from.as_millisecond())
                .bind(to.as_millisecond())
                .fetch_all(&self.reader)
                .await?;
        let count = |row: &SqliteRow| Ok(ActionCount { action: row.word("action")?, count: row.number("count")? });
        let mut counts = rows.iter().map(count).collect::<Result<Vec<_>>>()?;
        counts.sort_by_key(|count| count.action);
        Ok(counts)
    }

    /// Who was shown this document or passage, the latest first: in answers, in results of a search, or by opening it.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn readers_of(&self, id: Uuid, limit: u32) -> Result<Vec<Reading>> {
        let rows = sqlx::query(
            "SELECT e.actor AS person, count(*) AS times, min(e.at) AS first, max(e.at) AS last, max(e.sequence) AS sequence \
             FROM audit_mentions AS m JOIN audit_events AS e ON e.sequence = m.sequence \
             WHERE m.id = ? AND e.purged_by IS NULL \
             AND e.action IN ('passages.shown', 'search.performed', 'document.opened') \
             GROUP BY e.actor ORDER BY max(e.sequence) DESC LIMIT ?",
        )
        .bind(id)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let reading = |row: &SqliteRow| {
            Ok(Reading {
                person: row.plain("person")?,
                times: row.number("times")?,
                first: row.time("first")?,
                last: row.time("last")?,
                sequence: row.number("sequence")?,
            })
        };
        rows.iter().map(reading).collect()
    }

    /// How much was asked since a moment, by group, the group that asks most first. Groups of which fewer than five people
    /// asked are left out.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn usage_since(&self, since: Timestamp) -> Result<Vec<Usage>> {
        let rows = sqlx::query(
            "WITH asked AS (SELECT u.id AS person, count(*) AS questions FROM audit_events AS e \
                 JOIN users AS u ON u.name = e.actor WHERE e.action = 'question.asked' AND e.at >= ?1 GROUP BY u.id) \
             SELECT g.name AS name, count(*) AS people, sum(a.questions) AS questions FROM asked AS a \
                 JOIN members AS m ON m.user_id = a.person JOIN groups AS g ON g.id = m.group_id \
                 GROUP BY g.id HAVING count(*) >= ?2 \
             UNION ALL SELECT NULL, count(*), sum(questions) FROM asked HAVING count(*) >= ?2 \
             ORDER BY questions DESC, name",
        )
        .bind(since.as_millisecond())
        .bind(LEAST_PEOPLE)
        .fetch_all(&self.reader)
        .await?;
        let usage = |row: &SqliteRow| {
            let questions: u64 = row.number("questions")?;
            let questions = (questions + GRAIN / 2) / GRAIN * GRAIN;
            Ok(Usage { group: row.plain("name")?, people: row.number("people")?, questions })
        };
        rows.iter().map(usage).collect()
    }
}
