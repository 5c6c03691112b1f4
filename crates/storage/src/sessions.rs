//! Sessions.

use crate::error::naming;
use crate::rows::Columns;
use crate::{Act, Result, Store};
use domain::{SessionId, UserId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

/// How far a sign-in has come. Only [`SignInStep::Done`] opens more than the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInStep {
    /// The person is signed in.
    Done,
    /// A code of the second factor is awaited.
    Code,
    /// A second factor has to be set up.
    Enrol,
    /// Another password has to be chosen.
    Password,
}

impl SignInStep {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Done, Self::Code, Self::Enrol, Self::Password];

    /// The step's name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Code => "code",
            Self::Enrol => "enrol",
            Self::Password => "password",
        }
    }
}

/// Someone is signed in somewhere, or on the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Identity.
    pub id: SessionId,
    /// Who.
    pub user: UserId,
    /// SHA-256 of the token in the cookie; the token itself is not stored.
    pub token_hash: [u8; 32],
    /// What every form of the session must carry.
    pub csrf: String,
    /// Network address at sign-in.
    pub address: String,
    /// What the browser called itself at sign-in.
    pub user_agent: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, to some minutes.
    pub last_seen_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
    /// How far the sign-in has come.
    pub step: SignInStep,
}

impl Act {
    /// Adds a session.
    ///
    /// # Errors
    /// `NotFound` if the user does not exist.
    pub async fn insert_session(&mut self, session: &Session) -> Result<()> {
        sqlx::query(
            "INSERT INTO sessions (id, user_id, token_hash, csrf, address, user_agent, created_at, last_seen_at, expires_at, \
             step) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(session.id.uuid())
        .bind(session.user.uuid())
        .bind(&session.token_hash[..])
        .bind(&session.csrf)
        .bind(&session.address)
        .bind(&session.user_agent)
        .bind(session.created_at.as_millisecond())
        .bind(session.last_seen_at.as_millisecond())
        .bind(session.expires_at.as_millisecond())
        .bind(session.step.as_str())
        .execute(self.connection())
        .await
        .map_err(naming("user"))?;
        Ok(())
    }

    /// Notes that a session was used; nothing happens if it is gone.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn touch_session(&mut self, id: SessionId, at: Timestamp) -> Result<()> {
        sqlx::query("UPDATE sessions SET last_seen_at = ? WHERE id = ?")
            .bind(at.as_millisecond())
            .bind(id.uuid())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Ends a session; nothing happens if it is gone.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn delete_session(&mut self, id: SessionId) -> Result<()> {
        sqlx::query("DELETE FROM sessions WHERE id = ?").bind(id.uuid()).execute(self.connection()).await?;
        Ok(())
    }

    /// Ends all sessions of a user but this one and says how many there were.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn delete_other_sessions_of(&mut self, user: UserId, kept: SessionId) -> Result<u64> {
        let done = sqlx::query("DELETE FROM sessions WHERE user_id = ? AND id <> ?")
            .bind(user.uuid())
            .bind(kept.uuid())
            .execute(self.connection())
            .await?;
        Ok(done.rows_affected())
    }

    /// Ends all sessions of a user and says how many there were.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn delete_sessions_of(&mut self, user: UserId) -> Result<u64> {
        let done =
            sqlx::query("DELETE FROM sessions WHERE user_id = ?").bind(user.uuid()).execute(self.connection()).await?;
        Ok(done.rows_affected())
    }

    /// Deletes sessions that ended before `now` and says how many there were.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn delete_expired_sessions(&mut self, now: Timestamp) -> Result<u64> {
        let done = sqlx::query("DELETE FROM sessions WHERE expires_at < ?")
            .bind(now.as_millisecond())
            .execute(self.connection())
            .await?;
        Ok(done.rows_affected())
    }
}

fn session_of(row: &SqliteRow) -> Result<Session> {
    Ok(Session {
        id: row.id("id")?,
        user: row.id("user_id")?,
        token_hash: row.bytes("token_hash")?,
        csrf: row.plain("csrf")?,
        address: row.plain("address")?,
        user_agent: row.plain("user_agent")?,
        created_at: row.time("created_at")?,
        last_seen_at: row.time("last_seen_at")?,
        expires_at: row.time("expires_at")?,
        step: row.one_of("step", &SignInStep::ALL, SignInStep::as_str)?,
    })
}

impl Store {
    /// The session with this token, also one that has expired.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn session_by_token(&self, token_hash: &[u8; 32]) -> Result<Option<Session>> {
        let row = sqlx::query("SELECT * FROM sessions WHERE token_hash = ?")
            .bind(&token_hash[..])
            .fetch_optional(&self.reader)
            .await?;
        row.as_ref().map(session_of).transpose()
    }

    /// Someone's sessions, also expired ones, the latest used first.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>> {
        let rows = sqlx::query("SELECT * FROM sessions WHERE user_id = ? ORDER BY last_seen_at DESC, id DESC")
            .bind(user.uuid())
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(session_of).collect()
    }

    /// How many sessions are alive at `now`, person by person; those without one are left out.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn session_counts(&self, now: Timestamp) -> Result<BTreeMap<UserId, usize>> {
        let rows = sqlx::query(
            "SELECT user_id, count(*) AS number FROM sessions WHERE expires_at > ? AND step = 'done' GROUP BY user_id",
        )
        .bind(now.as_millisecond())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| Ok((row.id("user_id")?, row.number("number")?))).collect()
    }
}
