//! API tokens.

use crate::error::naming;
use crate::rows::{Columns, json};
use crate::{Act, Result, Store};
use domain::{TokenId, UserId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

/// A token with which programs act for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Identity.
    pub id: TokenId,
    /// For whom they act.
    pub user: UserId,
    /// What the person calls it.
    pub name: String,
    /// What it may be used for, as words that `identity` knows.
    pub scopes: Vec<String>,
    /// SHA-256 of the secret; the secret itself is not stored.
    pub secret_hash: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used last, to some minutes.
    pub last_used_at: Option<Timestamp>,
}

impl Act {
    /// Adds a token.
    ///
    /// # Errors
    /// `NotFound` if the user does not exist.
    pub async fn insert_token(&mut self, token: &ApiToken) -> Result<()> {
        sqlx::query(
            "INSERT INTO api_tokens (id, user_id, name, scopes, secret_hash, created_at, expires_at, last_used_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(token.id.uuid())
        .bind(token.user.uuid())
        .bind(&token.name)
        .bind(json(&token.scopes)?)
        .bind(&token.secret_hash[..])
        .bind(token.created_at.as_millisecond())
        .bind(token.expires_at.as_millisecond())
        .bind(token.last_used_at.map(Timestamp::as_millisecond))
        .execute(self.connection())
        .await
        .map_err(naming("user"))?;
        Ok(())
    }

    /// Notes that a token was used; nothing happens if it is gone.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn touch_token(&mut self, id: TokenId, at: Timestamp) -> Result<()> {
        sqlx::query("UPDATE api_tokens SET last_used_at = ? WHERE id = ?")
            .bind(at.as_millisecond())
            .bind(id.uuid())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Takes a token of `user` away; `false` if there is none.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn delete_token(&mut self, id: TokenId, user: UserId) -> Result<bool> {
        let done = sqlx::query("DELETE FROM api_tokens WHERE id = ? AND user_id = ?")
            .bind(id.uuid())
            .bind(user.uuid())
            .execute(self.connection())
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

fn token_of(row: &SqliteRow) -> Result<ApiToken> {
    Ok(ApiToken {
        id: row.id("id")?,
        user: row.id("user_id")?,
        name: row.plain("name")?,
        scopes: row.json("scopes")?,
        secret_hash: row.bytes("secret_hash")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        last_used_at: row.time_if_any("last_used_at")?,
    })
}

impl Store {
    /// The token with this secret, also one that has expired.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn token_by_secret(&self, secret_hash: &[u8; 32]) -> Result<Option<ApiToken>> {
        let row = sqlx::query("SELECT * FROM api_tokens WHERE secret_hash = ?")
            .bind(&secret_hash[..])
            .fetch_optional(&self.reader)
            .await?;
        row.as_ref().map(token_of).transpose()
    }

    /// Someone's tokens, also expired ones, the latest made first.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn tokens_of(&self, user: UserId) -> Result<Vec<ApiToken>> {
        let rows = sqlx::query("SELECT * FROM api_tokens WHERE user_id = ? ORDER BY created_at DESC, id DESC")
            .bind(user.uuid())
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(token_of).collect()
    }
}
