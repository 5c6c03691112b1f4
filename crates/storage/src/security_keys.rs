//! Security keys (W3C Web Authentication), and what they are asked.

use crate::error::naming;
use crate::rows::Columns;
use crate::{Act, Result, Store};
use domain::{SecurityKeyId, SessionId, UserId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

/// A person's security key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityKey {
    /// Identity.
    pub id: SecurityKeyId,
    /// Whose it is.
    pub user: UserId,
    /// What the person calls it.
    pub name: String,
    /// The id that it gave itself, at most 1023 bytes.
    pub credential: Vec<u8>,
    /// Its public key, as COSE has it (RFC 9052).
    pub public_key: Vec<u8>,
    /// The host's name that it is bound to.
    pub site: String,
    /// Its counter when it was last used; 0 if it keeps none.
    pub sign_count: u32,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When somebody last signed in with it.
    pub used_at: Option<Timestamp>,
}

impl Act {
    /// Adds a key to a second factor that is there ([`Act::begin_second_factor`]).
    ///
    /// # Errors
    /// `Conflict` if the credential is known already, whoever's it is; `NotFound` without a second factor.
    pub async fn insert_security_key(&mut self, key: &SecurityKey) -> Result<()> {
        sqlx::query(
            "INSERT INTO security_keys (id, user_id, name, credential, public_key, site, sign_count, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(key.id.uuid())
        .bind(key.user.uuid())
        .bind(&key.name)
        .bind(&key.credential)
        .bind(&key.public_key)
        .bind(&key.site)
        .bind(key.sign_count)
        .bind(key.created_at.as_millisecond())
        .execute(self.connection())
        .await
        .map_err(naming("second factor"))?;
        Ok(())
    }

    /// Notes a use with this counter. `false` if the counter does not go on (W3C Web Authentication, section 6.1.1), or
    /// the key is gone: of two that come with the same answer at once, only one gets `true`, where the key counts.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn use_security_key(&mut self, id: SecurityKeyId, sign_count: u32) -> Result<bool> {
        let now = self.now();
        let done = sqlx::query(
            "UPDATE security_keys SET sign_count = ?1, used_at = ?2 \
             WHERE id = ?3 AND (sign_count < ?1 OR (sign_count = 0 AND ?1 = 0))",
        )
        .bind(sign_count)
        .bind(now.as_millisecond())
        .bind(id.uuid())
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Takes a key of this person away; says whether there was one.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn delete_security_key(&mut self, user: UserId, id: SecurityKeyId) -> Result<bool> {
        let done = sqlx::query("DELETE FROM security_keys WHERE id = ? AND user_id = ?")
            .bind(id.uuid())
            .bind(user.uuid())
            .execute(self.connection())
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes what an authenticator is asked in a session; what is too old is forgotten.
    ///
    /// # Errors
    /// `NotFound` if the session has ended.
    pub async fn insert_challenge(
        &mut self,
        session: SessionId,
        challenge: &[u8; 32],
        expires_at: Timestamp,
    ) -> Result<()> {
        let now = self.now();
        sqlx::query("DELETE FROM challenges WHERE expires_at <= ?")
            .bind(now.as_millisecond())
            .execute(self.connection())
            .await?;
        sqlx::query("INSERT INTO challenges (challenge, session, expires_at) VALUES (?, ?, ?)")
            .bind(&challenge[..])
            .bind(session.uuid())
            .bind(expires_at.as_millisecond())
            .execute(self.connection())
            .await
            .map_err(naming("session"))?;
        Ok(())
    }

    /// Uses up what was asked in this session; `false` if it was not asked here, is too old, or was answered before.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn take_challenge(&mut self, session: SessionId, challenge: &[u8]) -> Result<bool> {
        let now = self.now();
        let done = sqlx::query("DELETE FROM challenges WHERE challenge = ? AND session = ? AND expires_at > ?")
            .bind(challenge)
            .bind(session.uuid())
            .bind(now.as_millisecond())
            .execute(self.connection())
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

impl Store {
    /// Someone's security keys, oldest first.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn security_keys_of(&self, user: UserId) -> Result<Vec<SecurityKey>> {
        let rows = sqlx::query("SELECT * FROM security_keys WHERE user_id = ? ORDER BY created_at, id")
            .bind(user.uuid())
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(key_of).collect()
    }
}

fn key_of(row: &SqliteRow) -> Result<SecurityKey> {
    Ok(SecurityKey {
        id: row.id("id")?,
        user: row.id("user_id")?,
        name: row.plain("name")?,
        credential: row.plain("credential")?,
        public_key: row.plain("public_key")?,
        site: row.plain("site")?,
        sign_count: row.number("sign_count")?,
        created_at: row.time("created_at")?,
        used_at: row.time_if_any("used_at")?,
    })
}
