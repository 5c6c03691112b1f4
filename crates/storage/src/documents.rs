//! Documents: coming, changing rights, going.

use crate::act::found;
use crate::error::naming;
use crate::rows::json;
use crate::{Act, Result};
use domain::{Document, DocumentId, Label, PrincipalId};

impl Act {
    /// Adds a document whose bytes have arrived, before its first version is read: state `Waiting`, version 0.
    ///
    /// # Errors
    /// `Conflict` if the collection holds a document from this source already; `NotFound` if a reader or the collection does not exist.
    pub async fn insert_document(&mut self, document: &Document) -> Result<()> {
        sqlx::query(
            "INSERT INTO documents (id, collection, source, title, media_type, label, narrowed, version, content, \
             size_bytes, pages, language, state, warnings, created_at, updated_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, 'waiting', ?, ?, ?)",
        )
        .bind(document.id.uuid())
        .bind(document.collection.uuid())
        .bind(&document.source)
        .bind(&document.title)
        .bind(&document.media_type)
        .bind(document.label.rank())
        .bind(document.readers.is_some())
        .bind(&document.content.as_bytes()[..])
        .bind(document.size_bytes.cast_signed())
        .bind(document.pages)
        .bind(&document.language)
        .bind(json(&document.warnings)?)
        .bind(document.created_at.as_millisecond())
        .bind(document.updated_at.as_millisecond())
        .execute(self.connection())
        .await
        .map_err(naming("collection"))?;
        self.insert_readers(document.id, document.readers.as_deref().unwrap_or_default()).await
    }

    /// Notes that no version could be read. A version published before stays in use.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn fail_document(&mut self, id: DocumentId) -> Result<()> {
        let done = sqlx::query("UPDATE documents SET state = iif(version = 0, 'failed', state) WHERE id = ?")
            .bind(id.uuid())
            .execute(self.connection())
            .await?;
        found(&done, "document")
    }

    /// Changes the label. Holds for the next query.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn relabel(&mut self, id: DocumentId, label: Label) -> Result<()> {
        let done = sqlx::query("UPDATE documents SET label = ? WHERE id = ?")
            .bind(label.rank())
            .bind(id.uuid())
            .execute(self.connection())
            .await?;
        found(&done, "document")?;
        self.tell_index(id).await
    }

    /// Narrows the document to these readers, to nobody with an empty list, or lifts that with `None`.
    ///
    /// # Errors
    /// `NotFound`, also for a reader that does not exist.
    pub async fn narrow(&mut self, id: DocumentId, readers: Option<&[PrincipalId]>) -> Result<()> {
        let done = sqlx::query("UPDATE documents SET narrowed = ? WHERE id = ?")
            .bind(readers.is_some())
            .bind(id.uuid())
            .execute(self.connection())
            .await?;
        found(&done, "document")?;
        sqlx::query("DELETE FROM document_readers WHERE document = ?")
            .bind(id.uuid())
            .execute(self.connection())
            .await?;
        self.insert_readers(id, readers.unwrap_or_default()).await?;
        self.tell_index(id).await
    }

    /// Deletes a document with all versions, passages and vectors.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete_document(&mut self, id: DocumentId) -> Result<()> {
        let done = sqlx::query("DELETE FROM documents WHERE id = ?").bind(id.uuid()).execute(self.connection()).await?;
        found(&done, "document")?;
        self.tell_index(id).await
    }

    async fn insert_readers(&mut self, id: DocumentId, readers: &[PrincipalId]) -> Result<()> {
        for reader in readers {
            sqlx::query("INSERT INTO document_readers (document, principal) VALUES (?, ?) ON CONFLICT DO NOTHING")
                .bind(id.uuid())
                .bind(reader.uuid())
                .execute(self.connection())
                .await
                .map_err(naming("user or group"))?;
        }
        Ok(())
    }
}
