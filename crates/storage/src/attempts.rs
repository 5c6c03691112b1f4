//! Tries to sign in, and the browsers that are known from earlier ones.

use crate::rows::{Columns, count};
use crate::{Act, Result, Store};
use domain::UserId;
use jiff::Timestamp;

/// Most browsers that are remembered of one person; the one that was used longest ago goes first.
const MOST_BROWSERS: i64 = 20;

/// A try to sign in, whether or not there is an account of that name.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The name that was typed, in lower case.
    pub name: &'a str,
    /// Network address.
    pub address: &'a str,
    /// SHA-256 of the token of a browser that is known for this very person.
    pub browser: Option<[u8; 32]>,
}

/// How many tries have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// Under this name from this address by unknown browsers, since that last went well.
    pub pair: u64,
    /// By this known browser, since that last went well.
    pub browser: u64,
    /// Under this name by unknown browsers at whatever address.
    pub name: u64,
    /// From this address by unknown browsers under whatever name.
    pub address: u64,
    /// Whether someone has signed in under this name from this address.
    pub been_here: bool,
}

impl Act {
    /// Notes a try to sign in.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn record_attempt(&mut self, attempt: &Attempt<'_>, at: Timestamp, succeeded: bool) -> Result<()> {
        sqlx::query("INSERT INTO sign_in_attempts (name, address, browser, at, succeeded) VALUES (?, ?, ?, ?, ?)")
            .bind(attempt.name)
            .bind(attempt.address)
            .bind(attempt.browser.as_ref().map(|hash| &hash[..]))
            .bind(at.as_millisecond())
            .bind(succeeded)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Forgets tries that failed before the first moment, and those that went well before the second.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn forget_attempts(&mut self, failed_before: Timestamp, succeeded_before: Timestamp) -> Result<()> {
        sqlx::query("DELETE FROM sign_in_attempts WHERE at < CASE succeeded WHEN 0 THEN ? ELSE ? END")
            .bind(failed_before.as_millisecond())
            .bind(succeeded_before.as_millisecond())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Remembers, or remembers again, a browser at which this person signed in.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn remember_browser(&mut self, token_hash: &[u8; 32], user: UserId, at: Timestamp) -> Result<()> {
        sqlx::query(
            "INSERT INTO known_browsers (token_hash, user_id, used_at) VALUES (?, ?, ?) \
             ON CONFLICT (token_hash) DO UPDATE SET used_at = excluded.used_at",
        )
        .bind(&token_hash[..])
        .bind(user.uuid())
        .bind(at.as_millisecond())
        .execute(self.connection())
        .await?;
        sqlx::query(
            "DELETE FROM known_browsers WHERE user_id = ?1 AND token_hash NOT IN \
             (SELECT token_hash FROM known_browsers WHERE user_id = ?1 ORDER BY used_at DESC LIMIT ?2)",
        )
        .bind(user.uuid())
        .bind(MOST_BROWSERS)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Forgets all browsers of a person.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn forget_browsers_of(&mut self, user: UserId) -> Result<()> {
        sqlx::query("DELETE FROM known_browsers WHERE user_id = ?")
            .bind(user.uuid())
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

impl Store {
    /// How often such an attempt failed since `since`; for the name and the address, since `long_since`.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn failures(&self, attempt: &Attempt<'_>, since: Timestamp, long_since: Timestamp) -> Result<Failures> {
        let row = sqlx::query(
            "SELECT \
             (SELECT count(*) FROM sign_in_attempts WHERE name = ?1 AND address = ?2 AND browser IS NULL AND at >= ?4 \
              AND succeeded = 0 AND rowid > coalesce((SELECT max(rowid) FROM sign_in_attempts WHERE name = ?1 \
              AND address = ?2 AND browser IS NULL AND succeeded = 1), 0)) AS pair, \
             (SELECT count(*) FROM sign_in_attempts WHERE name = ?1 AND browser = ?3 AND at >= ?4 AND succeeded = 0 \
              AND rowid > coalesce((SELECT max(rowid) FROM sign_in_attempts WHERE name = ?1 AND browser = ?3 \
              AND succeeded = 1), 0)) AS browser, \
             (SELECT count(*) FROM sign_in_attempts WHERE name = ?1 AND browser IS NULL AND at >= ?5 \
              AND succeeded = 0) AS name, \
             (SELECT count(*) FROM sign_in_attempts WHERE address = ?2 AND browser IS NULL AND at >= ?5 \
              AND succeeded = 0) AS address, \
             EXISTS (SELECT 1 FROM sign_in_attempts WHERE name = ?1 AND address = ?2 AND succeeded = 1) AS been_here",
        )
        .bind(attempt.name)
        .bind(attempt.address)
        .bind(attempt.browser.as_ref().map(|hash| &hash[..]))
        .bind(since.as_millisecond())
        .bind(long_since.as_millisecond())
        .fetch_one(&self.reader)
        .await?;
        Ok(Failures {
            pair: count(row.plain("pair")?),
            browser: count(row.plain("browser")?),
            name: count(row.plain("name")?),
            address: count(row.plain("address")?),
            been_here: row.plain::<i64>("been_here")? != 0,
        })
    }

    /// Whether this person has signed in at the browser with this token.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn knows_browser(&self, token_hash: &[u8; 32], user: UserId) -> Result<bool> {
        let found = sqlx::query("SELECT 1 FROM known_browsers WHERE token_hash = ? AND user_id = ?")
            .bind(&token_hash[..])
            .bind(user.uuid())
            .fetch_optional(&self.reader)
            .await?;
        Ok(found.is_some())
    }
}
