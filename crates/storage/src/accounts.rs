//! What is known of an account beside the person: who knows its password, and what it demands.

use crate::act::found;
use crate::rows::Columns;
use crate::{Act, Result, Store};
use domain::{User, UserId};
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

/// Who knows the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountSource {
    /// The appliance.
    Local,
    /// A directory.
    Directory,
    /// An OpenID provider.
    Oidc,
}

impl AccountSource {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Local, Self::Directory, Self::Oidc];

    /// The source's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Directory => "directory",
            Self::Oidc => "oidc",
        }
    }
}

/// An account beside its person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose.
    pub user: UserId,
    /// Whether another password has to be chosen before anything else.
    pub must_change: bool,
    /// Whether the password is long enough only beside a second factor.
    pub short_password: bool,
    /// Who knows the password.
    pub source: AccountSource,
    /// The account's id there; none for local ones.
    pub source_id: Option<String>,
}

impl Act {
    /// Replaces what an account demands of its password.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn set_password_demands(&mut self, user: UserId, must_change: bool, short: bool) -> Result<()> {
        let done = sqlx::query("UPDATE users SET must_change = ?, short_password = ? WHERE id = ?")
            .bind(must_change)
            .bind(short)
            .bind(user.uuid())
            .execute(self.connection())
            .await?;
        found(&done, "user")
    }

    /// Says that somebody else knows the password from now on.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if another account is the one with this id there.
    pub async fn set_account_source(&mut self, user: UserId, source: AccountSource, id: &str) -> Result<()> {
        let done = sqlx::query("UPDATE users SET source = ?, source_id = ? WHERE id = ?")
            .bind(source.as_str())
            .bind((source != AccountSource::Local).then_some(id))
            .bind(user.uuid())
            .execute(self.connection())
            .await?;
        found(&done, "user")
    }
}

fn account_of(row: &SqliteRow) -> Result<Account> {
    Ok(Account {
        user: row.id("id")?,
        must_change: row.plain("must_change")?,
        short_password: row.plain("short_password")?,
        source: row.one_of("source", &AccountSource::ALL, AccountSource::as_str)?,
        source_id: row.plain("source_id")?,
    })
}

impl Store {
    /// Someone's account.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn account(&self, user: UserId) -> Result<Option<Account>> {
        let row = sqlx::query("SELECT id, must_change, short_password, source, source_id FROM users WHERE id = ?")
            .bind(user.uuid())
            .fetch_optional(&self.reader)
            .await?;
        row.as_ref().map(account_of).transpose()
    }

    /// All accounts.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn accounts(&self) -> Result<BTreeMap<UserId, Account>> {
        let rows = sqlx::query("SELECT id, must_change, short_password, source, source_id FROM users")
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(|row| account_of(row).map(|account| (account.user, account))).collect()
    }

    /// The person whose account has this id at its source.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn user_by_source(&self, source: AccountSource, id: &str) -> Result<Option<User>> {
        let row = sqlx::query("SELECT id FROM users WHERE source = ? AND source_id = ?")
            .bind(source.as_str())
            .bind(id)
            .fetch_optional(&self.reader)
            .await?;
        match row {
            Some(row) => self.user(row.id("id")?).await,
            None => Ok(None),
        }
    }
}
