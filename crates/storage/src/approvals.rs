//! What one person asks for and another has to agree to.

use crate::error::naming;
use crate::rows::{Columns, json};
use crate::{Act, Result, Store};
use domain::{ApprovalId, CollectionId, Label, UserId};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::sqlite::SqliteRow;

/// What has become of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalState {
    /// Nobody has decided.
    Waiting,
    /// Somebody else agreed; it has not been done yet.
    Approved,
    /// Somebody else said no.
    Refused,
    /// Whoever asked thought better of it.
    Withdrawn,
    /// It was done.
    Done,
}

impl ApprovalState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Approved, Self::Refused, Self::Withdrawn, Self::Done];

    /// The state's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Done => "done",
        }
    }
}

/// A request that needs a second person.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// Identity.
    pub id: ApprovalId,
    /// What kind of act, as a word that `identity` knows.
    pub kind: String,
    /// What is to be done, as the code that does it wants it.
    pub request: Value,
    /// The same in a sentence.
    pub summary: String,
    /// Why, in the words of whoever asks.
    pub reason: String,
    /// Who asks.
    pub requested_by: UserId,
    /// When.
    pub requested_at: Timestamp,
    /// When it is too late to decide, or to do it.
    pub expires_at: Timestamp,
    /// What has become of it.
    pub state: ApprovalState,
    /// Who decided.
    pub decided_by: Option<UserId>,
    /// When.
    pub decided_at: Option<Timestamp>,
}

impl Act {
    /// Adds a request.
    ///
    /// # Errors
    /// `NotFound` if the user does not exist.
    pub async fn insert_approval(&mut self, approval: &Approval) -> Result<()> {
        sqlx::query(
            "INSERT INTO approvals (id, kind, request, summary, reason, requested_by, requested_at, expires_at, state) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(approval.id.uuid())
        .bind(&approval.kind)
        .bind(json(&approval.request)?)
        .bind(&approval.summary)
        .bind(&approval.reason)
        .bind(approval.requested_by.uuid())
        .bind(approval.requested_at.as_millisecond())
        .bind(approval.expires_at.as_millisecond())
        .bind(approval.state.as_str())
        .execute(self.connection())
        .await
        .map_err(naming("user"))?;
        Ok(())
    }

    /// Brings a request from one state to the next; `false` if it is no longer in that state, or too late. Of two that
    /// do this at once, one gets `true`.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn advance_approval(
        &mut self,
        id: ApprovalId,
        from: ApprovalState,
        to: ApprovalState,
        decided_by: Option<UserId>,
    ) -> Result<bool> {
        let now = self.now();
        let done = sqlx::query(
            "UPDATE approvals SET state = ?1, decided_by = coalesce(?2, decided_by), \
             decided_at = CASE WHEN ?2 IS NULL THEN decided_at ELSE ?3 END \
             WHERE id = ?4 AND state = ?5 AND expires_at > ?3",
        )
        .bind(to.as_str())
        .bind(decided_by.map(UserId::uuid))
        .bind(now.as_millisecond())
        .bind(id.uuid())
        .bind(from.as_str())
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }
}

fn approval_of(row: &SqliteRow) -> Result<Approval> {
    Ok(Approval {
        id: row.id("id")?,
        kind: row.plain("kind")?,
        request: row.json("request")?,
        summary: row.plain("summary")?,
        reason: row.plain("reason")?,
        requested_by: row.id("requested_by")?,
        requested_at: row.time("requested_at")?,
        expires_at: row.time("expires_at")?,
        state: row.one_of("state", &ApprovalState::ALL, ApprovalState::as_str)?,
        decided_by: row.id_if_any("decided_by")?,
        decided_at: row.time_if_any("decided_at")?,
    })
}

impl Store {
    /// The request with this id.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn approval(&self, id: ApprovalId) -> Result<Option<Approval>> {
        let row =
            sqlx::query("SELECT * FROM approvals WHERE id = ?").bind(id.uuid()).fetch_optional(&self.reader).await?;
        row.as_ref().map(approval_of).transpose()
    }

    /// The highest label of a collection's documents, if it has any.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn highest_label(&self, collection: CollectionId) -> Result<Option<Label>> {
        let rank: Option<i64> = sqlx::query_scalar("SELECT max(label) FROM documents WHERE collection = ?")
            .bind(collection.uuid())
            .fetch_one(&self.reader)
            .await?;
        Ok(rank.map(|rank| Label::of_rank(u8::try_from(rank).unwrap_or(u8::MAX))))
    }

    /// The latest requests, the newest first.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn approvals(&self, most: u32) -> Result<Vec<Approval>> {
        let rows = sqlx::query("SELECT * FROM approvals ORDER BY requested_at DESC, id DESC LIMIT ?")
            .bind(most)
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(approval_of).collect()
    }
}
