//! Opening the database and beginning to write.

use crate::{Act, Result};
use domain::Environment;
use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// How long to wait for another process's write.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections for reading; SQLite reads in parallel, beside one writer.
const READERS: u32 = 4;

/// The database. Cheap to clone; several processes may have the same file open.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) reader: SqlitePool,
    pub(crate) writer: SqlitePool,
    environment: Environment,
}

impl Store {
    /// Opens the database file, makes it if it is not there (readable by its owner only), and brings its schema up to
    /// date.
    ///
    /// # Errors
    /// [`crate::StorageError`], `Newer` if a newer release has written it, `Damaged` if it is no database of ours.
    pub async fn open(path: &Path, environment: Environment) -> Result<Self> {
        create(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // With NORMAL a power cut may undo the last commits, and an act must not be without its record.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            .pragma("trusted_schema", "OFF")
            .pragma("journal_size_limit", "67108864");
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(PATIENCE)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false);
        let writer = pool.clone().max_connections(1);
        let writer = {
            // Two processes that open a new database at once must not both migrate it.
            let _migrating = lock(path).await?;
            let writer = writer.connect_with(options.clone()).await?;
            MIGRATIONS.run(&writer).await?;
            writer
        };
        let reader = pool.max_connections(READERS).connect_with(options.pragma("query_only", "ON")).await?;
        Ok(Self { reader, writer, environment })
    }

    pub(crate) const fn of_pools(reader: SqlitePool, writer: SqlitePool, environment: Environment) -> Self {
        Self { reader, writer, environment }
    }

    /// The clock and random source that it was opened with.
    #[must_use]
    pub const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Begins an act. Takes the write lock at once, so keep it short: no model and no network in between.
    ///
    /// # Errors
    /// `Busy` if another writer keeps the lock for more than ten seconds.
    pub async fn begin(&self) -> Result<Act> {
        // Not a plain BEGIN: the chain's end must not move between reading it and appending to it.
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await;
        if matches!(transaction, Err(sqlx::Error::InvalidSavePointStatement)) {
            // On a full disk SQLite ends a transaction by itself (https://sqlite.org/lang_transaction.html), and sqlx goes on
            // counting it: this connection would never write again.
            tracing::warn!("the connection that writes to the database was lost; opening another one");
            self.writer.acquire().await?.close().await?;
            transaction = self.writer.begin_with("BEGIN IMMEDIATE").await;
        }
        Ok(Act::new(transaction?, self.environment.clone()))
    }
}

/// Makes an empty file, which SQLite takes for an empty database; its journal files get the same mode. An existing file
/// is left alone: closing it here would drop the locks that SQLite may hold on it elsewhere in this process.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Waits for the lock beside the database file; held until the result is dropped.
async fn lock(path: &Path) -> io::Result<File> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    tokio::task::spawn_blocking(move || {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(beside)?;
        file.lock()?;
        Ok(file)
    })
    .await
    .map_err(io::Error::other)?
}
