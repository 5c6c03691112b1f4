//! Second factors: the sealed secrets of one-time codes, and recovery codes. Keys are in `security_keys`.

use crate::error::naming;
use crate::rows::{Columns, count};
use crate::{Act, Result, Store};
use domain::UserId;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// A person's second factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// The secret of one-time codes, sealed by `identity`; `None` if it is made of security keys alone.
    pub sealed: Option<Vec<u8>>,
    /// The time step of the last code that was taken.
    pub last_step: u64,
    /// When it was set up.
    pub created_at: Timestamp,
    /// Recovery codes that are left.
    pub recovery_codes: u64,
}

impl Act {
    /// Begins a second factor that holds nothing yet; one that is there stays as it is.
    ///
    /// # Errors
    /// `NotFound` if the user does not exist.
    pub async fn begin_second_factor(&mut self, user: UserId) -> Result<()> {
        let now = self.now();
        sqlx::query(
            "INSERT INTO second_factors (user_id, sealed, last_step, created_at) VALUES (?, NULL, 0, ?) \
             ON CONFLICT (user_id) DO NOTHING",
        )
        .bind(user.uuid())
        .bind(now.as_millisecond())
        .execute(self.connection())
        .await
        .map_err(naming("user"))?;
        Ok(())
    }

    /// Gives a second factor its secret of one-time codes, or takes that away (`None`); keys and recovery codes stay.
    ///
    /// # Errors
    /// `NotFound` if the person has no second factor.
    pub async fn set_code_secret(&mut self, user: UserId, secret: Option<(&[u8], u64)>) -> Result<()> {
        let done = sqlx::query("UPDATE second_factors SET sealed = ?, last_step = ? WHERE user_id = ?")
            .bind(secret.map(|(sealed, _)| sealed))
            .bind(secret.map_or(0, |(_, last_step)| last_step).cast_signed())
            .bind(user.uuid())
            .execute(self.connection())
            .await?;
        crate::act::found(&done, "second factor")
    }

    /// Takes a second factor away, with its keys and recovery codes; says whether there was one.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn delete_second_factor(&mut self, user: UserId) -> Result<bool> {
        let done = sqlx::query("DELETE FROM second_factors WHERE user_id = ?")
            .bind(user.uuid())
            .execute(self.connection())
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes that the code of this time step was taken. `false` if it, or a later one, had been taken before: of two
    /// that come with the same code at once, only one gets `true`.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn take_step(&mut self, user: UserId, step: u64) -> Result<bool> {
        let done = sqlx::query("UPDATE second_factors SET last_step = ?1 WHERE user_id = ?2 AND last_step < ?1")
            .bind(step.cast_signed())
            .bind(user.uuid())
            .execute(self.connection())
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Replaces the recovery codes, given as SHA-256.
    ///
    /// # Errors
    /// `NotFound` if the person has no second factor.
    pub async fn set_recovery_codes(&mut self, user: UserId, hashes: &BTreeSet<[u8; 32]>) -> Result<()> {
        sqlx::query("DELETE FROM recovery_codes WHERE user_id = ?")
            .bind(user.uuid())
            .execute(self.connection())
            .await?;
        for hash in hashes {
            sqlx::query("INSERT INTO recovery_codes (user_id, code_hash) VALUES (?, ?)")
                .bind(user.uuid())
                .bind(&hash[..])
                .execute(self.connection())
                .await
                .map_err(naming("second factor"))?;
        }
        Ok(())
    }

    /// Uses a recovery code up; `false` if there is no such code (any more).
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn take_recovery_code(&mut self, user: UserId, hash: &[u8; 32]) -> Result<bool> {
        let done = sqlx::query("DELETE FROM recovery_codes WHERE user_id = ? AND code_hash = ?")
            .bind(user.uuid())
            .bind(&hash[..])
            .execute(self.connection())
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

impl Store {
    /// Someone's second factor.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>> {
        let row = sqlx::query(
            "SELECT *, (SELECT count(*) FROM recovery_codes AS c WHERE c.user_id = f.user_id) AS codes \
             FROM second_factors AS f WHERE user_id = ?",
        )
        .bind(user.uuid())
        .fetch_optional(&self.reader)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(SecondFactor {
            sealed: row.plain("sealed")?,
            last_step: row.number("last_step")?,
            created_at: row.time("created_at")?,
            recovery_codes: count(row.plain("codes")?),
        }))
    }

    /// Who has a second factor.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn users_with_second_factor(&self) -> Result<BTreeSet<UserId>> {
        let rows = sqlx::query("SELECT user_id FROM second_factors").fetch_all(&self.reader).await?;
        rows.iter().map(|row| row.id("user_id")).collect()
    }
}
