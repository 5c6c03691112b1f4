//! Legal holds: what must not be purged, whatever the rules of retention say.

use crate::rows::Columns;
use crate::{Act, Result, StorageError, Store};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};
use uuid::Uuid;

/// A legal hold. What is `None` does not narrow it; with nothing given it holds the whole log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalHold {
    /// Identity.
    pub id: Uuid,
    /// What it is called, such as the name of the case.
    pub name: String,
    /// Events by or about the person with this sign-in name.
    pub person: Option<String>,
    /// Events that name this document.
    pub document: Option<Uuid>,
    /// Events from this moment on.
    pub since: Option<Timestamp>,
    /// Events before this moment.
    pub until: Option<Timestamp>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it was released; `None` while it holds.
    pub released_at: Option<Timestamp>,
}

/// Adds that no hold holds the event `e`.
pub(super) fn push_unheld(sql: &mut QueryBuilder<Sqlite>) {
    sql.push(
        " AND NOT EXISTS (SELECT 1 FROM legal_holds AS h WHERE h.released_at IS NULL \
         AND (h.person IS NULL OR h.person = e.actor OR EXISTS (SELECT 1 FROM users AS u \
             JOIN audit_mentions AS m ON m.id = u.id WHERE u.name = h.person AND m.sequence = e.sequence)) \
         AND (h.document IS NULL OR EXISTS \
             (SELECT 1 FROM audit_mentions AS m WHERE m.id = h.document AND m.sequence = e.sequence)) \
         AND (h.since IS NULL OR e.at >= h.since) AND (h.until IS NULL OR e.at < h.until))",
    );
}

impl Store {
    /// All holds, those in force first, then the latest.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn legal_holds(&self) -> Result<Vec<LegalHold>> {
        let rows = sqlx::query("SELECT * FROM legal_holds ORDER BY released_at IS NOT NULL, placed_at DESC, id")
            .fetch_all(&self.reader)
            .await?;
        let hold = |row: &SqliteRow| {
            Ok(LegalHold {
                id: row.plain("id")?,
                name: row.plain("name")?,
                person: row.plain("person")?,
                document: row.plain("document")?,
                since: row.time_if_any("since")?,
                until: row.time_if_any("until")?,
                placed_at: row.time("placed_at")?,
                released_at: row.time_if_any("released_at")?,
            })
        };
        rows.iter().map(hold).collect()
    }
}

impl Act {
    /// Places a hold.
    ///
    /// # Errors
    /// `Conflict` if there is one of this name.
    pub async fn place_hold(&mut self, hold: &LegalHold) -> Result<()> {
        sqlx::query(
            "INSERT INTO legal_holds (id, name, person, document, since, until, placed_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(hold.id)
        .bind(&hold.name)
        .bind(&hold.person)
        .bind(hold.document)
        .bind(hold.since.map(Timestamp::as_millisecond))
        .bind(hold.until.map(Timestamp::as_millisecond))
        .bind(hold.placed_at.as_millisecond())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Releases the hold of this name.
    ///
    /// # Errors
    /// `NotFound` if none of this name holds.
    pub async fn release_hold(&mut self, name: &str) -> Result<()> {
        let now = self.now().as_millisecond();
        let done = sqlx::query("UPDATE legal_holds SET released_at = ? WHERE name = ? AND released_at IS NULL")
            .bind(now)
            .bind(name)
            .execute(self.connection())
            .await?;
        if done.rows_affected() == 0 { Err(StorageError::NotFound { what: "legal hold" }) } else { Ok(()) }
    }
}
