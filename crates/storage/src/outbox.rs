//! What the search index has still to take over. Every change of a document puts it here in the same transaction.

use crate::reading::{PASSAGE_COLUMNS, document_of, documents_where, passage_of};
use crate::rows::Columns;
use crate::{Act, Result, Store};
use domain::{Document, DocumentId, Passage};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};

/// A document as the index needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexedDocument {
    /// The document.
    pub document: Document,
    /// The passages of its current version with their vectors, as far as these are made.
    pub passages: Vec<(Passage, Option<Vec<f32>>)>,
    /// The embedding model that made the vectors.
    pub model: String,
}

impl Store {
    /// Changes after `after` (0 for all), oldest first: sequence and document.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn index_changes(&self, after: u64, limit: u32) -> Result<Vec<(u64, DocumentId)>> {
        let rows =
            sqlx::query("SELECT sequence, document FROM index_changes WHERE sequence > ? ORDER BY sequence LIMIT ?")
                .bind(after.cast_signed())
                .bind(limit)
                .fetch_all(&self.reader)
                .await?;
        rows.iter().map(|row| Ok((row.number("sequence")?, row.id("document")?))).collect()
    }

    /// The document for the index; `None` if it is gone or has no version in use, so that the index must drop it.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn indexed(&self, id: DocumentId) -> Result<Option<IndexedDocument>> {
        // One read transaction: document and passages must be of the same version.
        let mut reading = self.reader.begin().await?;
        let mut sql = documents_where();
        sql.push("d.id = ").push_bind(id.uuid()).push(" AND d.state = 'ready' AND d.hidden = 0");
        let Some(row) = sql.build().fetch_optional(&mut *reading).await? else { return Ok(None) };
        let document = document_of(&row)?;
        let model = sqlx::query_scalar("SELECT model FROM versions WHERE document = ? AND version = ?")
            .bind(id.uuid())
            .bind(document.version)
            .fetch_one(&mut *reading)
            .await?;
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT v.vector, ");
        sql.push(PASSAGE_COLUMNS)
            .push(" FROM passages AS p LEFT JOIN vectors AS v ON v.passage = p.id WHERE p.document = ")
            .push_bind(id.uuid())
            .push(" AND p.version = ")
            .push_bind(document.version)
            .push(" ORDER BY p.ordinal");
        let rows = sql.build().fetch_all(&mut *reading).await?;
        let passages = rows.iter().map(|row| Ok((passage_of(row)?, vector_of(row)?))).collect::<Result<_>>()?;
        Ok(Some(IndexedDocument { document, passages, model }))
    }
}

fn vector_of(row: &SqliteRow) -> Result<Option<Vec<f32>>> {
    Ok(row.plain::<Option<&[u8]>>("vector")?.map(|bytes| {
        let (numbers, _) = bytes.as_chunks();
        numbers.iter().map(|number| f32::from_le_bytes(*number)).collect()
    }))
}

impl Act {
    pub(crate) async fn tell_index(&mut self, id: DocumentId) -> Result<()> {
        sqlx::query("INSERT INTO index_changes (document) VALUES (?)")
            .bind(id.uuid())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Puts every document that belongs into the index into the outbox, each once: whoever makes the index anew begins with
    /// this, so that the next start goes on where it was cut short. Gives the number of documents and of their passages.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn tell_index_of_all(&mut self) -> Result<(u64, u64)> {
        let row = sqlx::query(
            "SELECT count(*) AS documents, coalesce(sum(passage_count), 0) AS passages FROM documents \
             WHERE state = 'ready' AND hidden = 0",
        )
        .fetch_one(self.connection())
        .await?;
        for statement in [
            "DELETE FROM index_changes WHERE document IN (SELECT id FROM documents WHERE state = 'ready' AND hidden = 0)",
            "INSERT INTO index_changes (document) SELECT id FROM documents WHERE state = 'ready' AND hidden = 0 ORDER BY id",
        ] {
            sqlx::query(statement).execute(self.connection()).await?;
        }
        Ok((row.number("documents")?, row.number("passages")?))
    }

    /// Forgets changes up to and with this sequence, once the index holds them.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn forget_index_changes(&mut self, up_to: u64) -> Result<()> {
        sqlx::query("DELETE FROM index_changes WHERE sequence <= ?")
            .bind(up_to.cast_signed())
            .execute(self.connection())
            .await?;
        Ok(())
    }
}
