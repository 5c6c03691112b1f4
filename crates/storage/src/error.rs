//! What can go wrong, and what SQLite's codes mean.

use sqlx::migrate::MigrateError;

/// Why a read or a write did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// It contradicts what is stored; `what` says how, in words for a person.
    #[error("{what}")]
    Conflict {
        /// One sentence, such as `a user with this name exists already`.
        what: String,
    },
    /// What should be changed, or what the change names, does not exist (any more).
    #[error("this {what} does not exist")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
    },
    /// The worker no longer holds the job: its lease ran out and was taken over, or the job was cancelled.
    #[error("the lease of this job was lost")]
    LeaseLost,
    /// No room on the disk.
    #[error("the disk is full; free some space and try again")]
    Full,
    /// Nothing can be written, whatever the room.
    #[error("the database cannot be written: its disk or its file is read-only")]
    ReadOnly,
    /// Another process kept the database locked for too long.
    #[error("the database is busy; try again")]
    Busy,
    /// What is stored cannot be read.
    #[error("the database is damaged: {what}; restore it from a backup")]
    Damaged {
        /// What was found.
        what: String,
    },
    /// The database was written by a newer release.
    #[error("the database was written by a newer release; use that release")]
    Newer,
    /// A write was to be committed without its audit event: a fault in the calling code.
    #[error("a change was to be committed without an audit event")]
    Unaudited,
    /// An export could not be written, or the database file not be made.
    #[error("a file could not be written: {0}")]
    File(#[from] std::io::Error),
    /// Anything else.
    #[error("the database failed: {0}")]
    Other(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        let database = match &error {
            sqlx::Error::PoolTimedOut => return Self::Busy,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                return Self::Damaged { what: error.to_string() };
            }
            sqlx::Error::Database(database) => database,
            _ => return Self::Other(error),
        };
        if database.is_unique_violation() {
            return Self::Conflict { what: duplicate(database.message()).to_owned() };
        }
        // The low byte of an extended result code is the primary one (https://sqlite.org/rescode.html).
        match database.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff) {
            Some(5 | 6) => Self::Busy,
            Some(8) => Self::ReadOnly,
            Some(11 | 26) => Self::Damaged { what: database.message().to_owned() },
            Some(13) => Self::Full,
            _ => Self::Other(error),
        }
    }
}

impl From<MigrateError> for StorageError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(_) => Self::Newer,
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => Self::Damaged { what: other.to_string() },
        }
    }
}

/// For writes that name something of kind `what`: a broken foreign key means that it does not exist.
pub(crate) fn naming(what: &'static str) -> impl Fn(sqlx::Error) -> StorageError {
    move |error| match &error {
        sqlx::Error::Database(database) if database.is_foreign_key_violation() => StorageError::NotFound { what },
        _ => error.into(),
    }
}

/// SQLite names the columns; people want to hear what it means.
fn duplicate(message: &str) -> &'static str {
    const MEANINGS: [(&str, &str); 7] = [
        ("users.name", "a user with this name exists already"),
        ("groups.name", "a group with this name exists already"),
        ("collections.name", "a collection with this name exists already"),
        ("documents.source", "the collection holds a document from this source already"),
        ("versions.version", "this version of the document exists already"),
        ("models.name", "a model with this name exists already"),
        ("security_keys.credential", "this security key is registered already"),
    ];
    MEANINGS.iter().find(|(columns, _)| message.contains(columns)).map_or("it exists already", |(_, meaning)| meaning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
    use sqlx::{ConnectOptions, Connection};
    use std::path::Path;
    use std::time::Duration;

    async fn connect(file: &Path) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true).busy_timeout(Duration::ZERO);
        options.connect().await.unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_a_busy_and_a_damaged_file_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let mut one = connect(&file).await;
        for statement in ["CREATE TABLE t (x BLOB)", "PRAGMA max_page_count = 8"] {
            sqlx::query(statement).execute(&mut one).await.unwrap();
        }
        let full = sqlx::query("INSERT INTO t VALUES (zeroblob(100000))").execute(&mut one).await.unwrap_err();
        assert!(matches!(StorageError::from(full), StorageError::Full));

        let mut two = connect(&file).await;
        let held = two.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let busy = sqlx::query("INSERT INTO t VALUES (1)").execute(&mut one).await.unwrap_err();
        assert!(matches!(StorageError::from(busy), StorageError::Busy));
        drop(held);

        let damaged = folder.path().join("b.db");
        std::fs::write(&damaged, [7; 4096]).unwrap();
        let error = sqlx::query("SELECT * FROM t").execute(&mut connect(&damaged).await).await.unwrap_err();
        assert!(matches!(StorageError::from(error), StorageError::Damaged { .. }));
    }
}
