//! What became of what an answer rested on. For the audit only: no scope narrows these reads, and whoever calls them
//! records that.

use crate::conversations::answer_of;
use crate::rows::Columns;
use crate::{AnswerRecord, Result, Source, Store};
use domain::{AnswerId, ContentHash};

/// What is there today of a passage that an answer was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceToday {
    /// The version of its document in use; `None` if the document is gone.
    pub version: Option<u32>,
    /// The hash of the passage's text; `None` if the passage is gone.
    pub hash: Option<ContentHash>,
}

impl Store {
    /// Anyone's answer.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn answer_for_audit(&self, id: AnswerId) -> Result<Option<AnswerRecord>> {
        let row =
            sqlx::query("SELECT * FROM answers WHERE id = ?").bind(id.uuid()).fetch_optional(&self.reader).await?;
        row.as_ref().map(answer_of).transpose()
    }

    /// What is there today of `source`.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn source_today(&self, source: &Source) -> Result<SourceToday> {
        let version = sqlx::query("SELECT version FROM documents WHERE id = ?")
            .bind(source.document.uuid())
            .fetch_optional(&self.reader)
            .await?;
        let hash = sqlx::query("SELECT hash FROM passages WHERE id = ?")
            .bind(source.passage.uuid())
            .fetch_optional(&self.reader)
            .await?;
        Ok(SourceToday {
            version: version.map(|row| row.number("version")).transpose()?,
            hash: hash.map(|row| row.bytes("hash")).transpose()?,
        })
    }
}
