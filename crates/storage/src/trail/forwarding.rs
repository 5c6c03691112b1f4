//! How far the log was passed on to a receiver: the buffer is the log itself, and this is the cursor in it.

use crate::rows::Columns;
use crate::{Act, Result, Store};
use jiff::Timestamp;

/// Where forwarding to one receiver stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarding {
    /// Its address.
    pub receiver: String,
    /// The last event that it has taken in for sure.
    pub sequence: u64,
    /// When this was written.
    pub at: Timestamp,
    /// Why it does not go on at present.
    pub problem: Option<String>,
}

impl Store {
    /// Where forwarding to `receiver` stands; `None` if nothing was ever forwarded.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn forwarding(&self, receiver: &str) -> Result<Option<Forwarding>> {
        let row = sqlx::query("SELECT sequence, at, problem FROM audit_forwarding WHERE receiver = ?")
            .bind(receiver)
            .fetch_optional(&self.reader)
            .await?;
        let state = |row: sqlx::sqlite::SqliteRow| {
            Ok(Forwarding {
                receiver: receiver.to_owned(),
                sequence: row.number("sequence")?,
                at: row.time("at")?,
                problem: row.plain("problem")?,
            })
        };
        row.map(state).transpose()
    }

    /// The receiver that was served last.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn last_forwarding(&self) -> Result<Option<Forwarding>> {
        let receiver: Option<String> =
            sqlx::query_scalar("SELECT receiver FROM audit_forwarding ORDER BY at DESC LIMIT 1")
                .fetch_optional(&self.reader)
                .await?;
        match receiver {
            Some(receiver) => self.forwarding(&receiver).await,
            None => Ok(None),
        }
    }
}

impl Act {
    /// Notes where forwarding stands; housekeeping.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn set_forwarding(&mut self, receiver: &str, sequence: u64, problem: Option<&str>) -> Result<()> {
        let at = self.now().as_millisecond();
        sqlx::query(
            "INSERT INTO audit_forwarding (receiver, sequence, at, problem) VALUES (?, ?, ?, ?) ON CONFLICT (receiver) \
             DO UPDATE SET sequence = excluded.sequence, at = excluded.at, problem = excluded.problem",
        )
        .bind(receiver)
        .bind(sequence.cast_signed())
        .bind(at)
        .bind(problem)
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
