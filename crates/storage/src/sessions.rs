//! Sessions and sign-in attempts.

use crate::error::naming;
use crate::rows::{Columns, count};
use crate::{Act, Result, Store};
use domain::{SessionId, UserId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

/// Someone is signed in somewhere.
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
}

impl Act {
    /// Adds a session.
    ///
    /// # Errors
    /// `NotFound` if the user does not exist.
    pub async fn insert_session(&mut self, session: &Session) -> Result<()> {
        sqlx::query(
            "INSERT INTO sessions (id, user_id, token_hash, csrf, address, user_agent, created_at, last_seen_at, expires_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
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

    /// Notes a try to sign in, whether or not there is an account of that name.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn record_attempt(&mut self, name: &str, address: &str, at: Timestamp, succeeded: bool) -> Result<()> {
        sqlx::query("INSERT INTO sign_in_attempts (name, address, at, succeeded) VALUES (?, ?, ?, ?)")
            .bind(name)
            .bind(address)
            .bind(at.as_millisecond())
            .bind(succeeded)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Forgets tries made before `at`.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn forget_attempts_before(&mut self, at: Timestamp) -> Result<()> {
        sqlx::query("DELETE FROM sign_in_attempts WHERE at < ?")
            .bind(at.as_millisecond())
            .execute(self.connection())
            .await?;
        Ok(())
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

    /// How often signing in under this name failed since `since` and since the last success.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn failed_attempts(&self, name: &str, since: Timestamp) -> Result<u64> {
        let number = sqlx::query_scalar(
            "SELECT count(*) FROM sign_in_attempts WHERE name = ?1 AND at >= ?2 AND succeeded = 0 AND rowid > \
             coalesce((SELECT max(rowid) FROM sign_in_attempts WHERE name = ?1 AND succeeded = 1), 0)",
        )
        .bind(name)
        .bind(since.as_millisecond())
        .fetch_one(&self.reader)
        .await?;
        Ok(count(number))
    }

    /// How often signing in from this address failed since `since`.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn failed_attempts_from(&self, address: &str, since: Timestamp) -> Result<u64> {
        let number =
            sqlx::query_scalar("SELECT count(*) FROM sign_in_attempts WHERE address = ? AND at >= ? AND succeeded = 0")
                .bind(address)
                .bind(since.as_millisecond())
                .fetch_one(&self.reader)
                .await?;
        Ok(count(number))
    }
}
