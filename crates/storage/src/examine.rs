//! The database as it lies there: looked at without making, migrating or writing anything.

use crate::rows::count;
use crate::store::MIGRATIONS;
use crate::{Result, Store};
use domain::Environment;
use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// How a database's schema stands to the one of this release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// It is this release's.
    Current,
    /// An older release wrote it: so many migrations are to come, with the next start of a server.
    Older(usize),
    /// A newer release wrote it.
    Newer,
}

/// What is counted for those who look from afar: a table and its rows.
const COUNTED: [(&str, &str); 13] = [
    ("users", "SELECT count(*) FROM users"),
    ("groups", "SELECT count(*) FROM groups"),
    ("collections", "SELECT count(*) FROM collections"),
    ("grants", "SELECT count(*) FROM grants"),
    ("documents", "SELECT count(*) FROM documents"),
    ("versions", "SELECT count(*) FROM versions"),
    ("passages", "SELECT count(*) FROM passages"),
    ("vectors", "SELECT count(*) FROM vectors"),
    ("conversations", "SELECT count(*) FROM conversations"),
    ("answers", "SELECT count(*) FROM answers"),
    ("jobs", "SELECT count(*) FROM jobs"),
    ("index_changes", "SELECT count(*) FROM index_changes"),
    ("audit_events", "SELECT count(*) FROM audit_events"),
];

impl Store {
    /// Opens an existing database as it is. Every write through this store is refused by SQLite.
    ///
    /// # Errors
    /// [`crate::StorageError`], `Damaged` if the file is no database.
    pub async fn examine(path: &Path, environment: Environment) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .busy_timeout(Duration::from_secs(10))
            .pragma("trusted_schema", "OFF")
            .pragma("query_only", "ON");
        let pool = SqlitePoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(10));
        let reader = pool.connect_with(options).await?;
        Ok(Self::of_pools(reader.clone(), reader, environment))
    }

    /// How the database's schema stands to the one of this release.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn schema(&self) -> Result<Schema> {
        let known: BTreeSet<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        let rows =
            sqlx::query("SELECT version FROM _sqlx_migrations WHERE success = 1").fetch_all(&self.reader).await?;
        let applied: BTreeSet<i64> = rows.iter().map(|row| row.get(0)).collect();
        Ok(match (applied.difference(&known).count(), known.difference(&applied).count()) {
            (0, 0) => Schema::Current,
            (0, missing) => Schema::Older(missing),
            _ => Schema::Newer,
        })
    }

    /// The number of the last migration that was applied.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn schema_version(&self) -> Result<i64> {
        let sql = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success = 1";
        Ok(sqlx::query_scalar(sql).fetch_one(&self.reader).await?)
    }

    /// What is wrong with the pages of the database file, without comparing indexes with their tables (`PRAGMA
    /// quick_check`), and with its references. [`Store::problem`] looks at everything.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn quick_problem(&self) -> Result<Option<String>> {
        let found: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_all(&self.reader).await?;
        if let Some(problem) = found.into_iter().find(|line| line != "ok") {
            return Ok(Some(problem));
        }
        let broken = sqlx::query("PRAGMA foreign_key_check").fetch_all(&self.reader).await?;
        Ok((!broken.is_empty()).then(|| format!("{} rows refer to rows that are not there", broken.len())))
    }

    /// Jobs that somebody leased and gave no sign of life for since `before`.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn abandoned_leases(&self, before: Timestamp) -> Result<u64> {
        let sql = "SELECT count(*) FROM jobs WHERE state = 'running' AND leased_until < ?";
        Ok(count(sqlx::query_scalar(sql).bind(before.as_millisecond()).fetch_one(&self.reader).await?))
    }

    /// Rows of the tables by which the size of a site is told: no names, no contents.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn row_counts(&self) -> Result<Vec<(&'static str, u64)>> {
        let mut counts = Vec::with_capacity(COUNTED.len());
        for (table, sql) in COUNTED {
            counts.push((table, count(sqlx::query_scalar(sql).fetch_one(&self.reader).await?)));
        }
        Ok(counts)
    }
}
