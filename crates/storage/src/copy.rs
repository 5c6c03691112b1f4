//! The database as a whole: copied while it is in use, and examined.

use crate::store::create;
use crate::{Result, Store};
use sqlx::Connection;
use std::path::Path;

impl Store {
    /// Writes the database as of one moment to a new file (`VACUUM INTO`: whole, without free pages). Readers and
    /// writers go on.
    ///
    /// # Errors
    /// [`crate::StorageError`]; the file must not be there.
    pub async fn copy_to(&self, path: &Path) -> Result<()> {
        // An empty file is as good as none to SQLite, and this one is for its owner only, whoever calls.
        create(path)?;
        // Not the writer, for others would have to wait; and not a reader as it is, for readers may write nothing at all.
        let mut connection = self.reader.acquire().await?.detach();
        sqlx::query("PRAGMA query_only = OFF").execute(&mut connection).await?;
        let path = path.to_string_lossy().into_owned();
        let copied = sqlx::query("VACUUM INTO ?").bind(path).execute(&mut connection).await;
        connection.close().await?;
        copied?;
        Ok(())
    }

    /// What is wrong with the pages and references of the database file, if anything is. Reads all of it.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn problem(&self) -> Result<Option<String>> {
        let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_all(&self.reader).await?;
        if let Some(problem) = found.into_iter().find(|line| line != "ok") {
            return Ok(Some(problem));
        }
        let broken = sqlx::query("PRAGMA foreign_key_check").fetch_all(&self.reader).await?;
        Ok((!broken.is_empty()).then(|| format!("{} rows refer to rows that are not there", broken.len())))
    }

    /// Closes all connections, so that the file can be moved.
    pub async fn close(self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}
