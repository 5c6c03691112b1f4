//! Documents: coming, changing rights, going.

use crate::act::found;
use crate::error::naming;
use crate::rows::json;
use crate::{Act, Result, StorageError};
use domain::{Document, DocumentId, Label, Metadata, PrincipalId};

impl Act {
    /// Adds a document whose bytes have arrived, before its first version is read: state `Waiting`, version 0.
    ///
    /// # Errors
    /// `Conflict` if the collection holds a document from this source already; `NotFound` if a reader or the collection does not exist.
    pub async fn insert_document(&mut self, document: &Document) -> Result<()> {
        sqlx::query(
            "INSERT INTO documents (id, collection, source, title, media_type, label, narrowed, version, content, \
             size_bytes, pages, language, state, warnings, created_at, updated_at, parent) \
             VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?)",
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
        .bind(document.parent.map(DocumentId::uuid))
        .execute(self.connection())
        .await
        .map_err(naming("collection"))?;
        self.add_source(document.collection, &document.source, document.id).await?;
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

    /// Changes the label, and with it that of documents taken out of it: raised, of all that are below; lowered, of those
    /// that had the same. Gives the ids of all that have the new one by this. Holds for the next query.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn relabel(&mut self, id: DocumentId, label: Label) -> Result<Vec<DocumentId>> {
        let before = self.document(id).await?.ok_or(StorageError::NotFound { what: "document" })?.label;
        let mut relabelled = Vec::new();
        for document in self.family(id).await? {
            // What was given a higher label of its own keeps it: whoever relabels the file around it may not even see it.
            let moved = "UPDATE documents SET label = ?1 WHERE id = ?2 AND (label = ?3 OR ?1 > ?3 AND label < ?1)";
            let done = sqlx::query(moved)
                .bind(label.rank())
                .bind(document.uuid())
                .bind(before.rank())
                .execute(self.connection())
                .await?;
            if done.rows_affected() > 0 {
                self.tell_index(document).await?;
                relabelled.push(document);
            }
        }
        Ok(relabelled)
    }

    /// Narrows the document, and those taken out of it, to these readers, to nobody with an empty list, or lifts that
    /// with `None`.
    ///
    /// # Errors
    /// `NotFound`, also for a reader that does not exist.
    pub async fn narrow(&mut self, id: DocumentId, readers: Option<&[PrincipalId]>) -> Result<()> {
        for document in self.family(id).await? {
            let done = sqlx::query("UPDATE documents SET narrowed = ? WHERE id = ?")
                .bind(readers.is_some())
                .bind(document.uuid())
                .execute(self.connection())
                .await?;
            found(&done, "document")?;
            sqlx::query("DELETE FROM document_readers WHERE document = ?")
                .bind(document.uuid())
                .execute(self.connection())
                .await?;
            self.insert_readers(document, readers.unwrap_or_default()).await?;
            self.tell_index(document).await?;
        }
        Ok(())
    }

    /// Hides a document from everybody, or shows it again, with the documents taken out of it. Holds for the next
    /// query.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn hide(&mut self, id: DocumentId, hidden: bool) -> Result<()> {
        let done = sqlx::query("UPDATE documents SET hidden = ? WHERE id = ?")
            .bind(hidden)
            .bind(id.uuid())
            .execute(self.connection())
            .await?;
        found(&done, "document")?;
        for document in self.family(id).await? {
            sqlx::query("UPDATE documents SET hidden = ? WHERE id = ?")
                .bind(hidden)
                .bind(document.uuid())
                .execute(self.connection())
                .await?;
            self.tell_index(document).await?;
        }
        Ok(())
    }

    /// Gives a document the readers of another, which it was taken out of.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn inherit_rights(&mut self, id: DocumentId, parent: DocumentId) -> Result<()> {
        let done = sqlx::query(
            "UPDATE documents SET (label, narrowed, hidden) = \
             (SELECT label, narrowed, hidden FROM documents WHERE id = ?2) WHERE id = ?1",
        )
        .bind(id.uuid())
        .bind(parent.uuid())
        .execute(self.connection())
        .await?;
        found(&done, "document")?;
        sqlx::query(
            "INSERT INTO document_readers (document, principal) \
             SELECT ?1, principal FROM document_readers WHERE document = ?2 ON CONFLICT DO NOTHING",
        )
        .bind(id.uuid())
        .bind(parent.uuid())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// What a document's sidecar file says; `None` if there is none.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn sidecar(&mut self, id: DocumentId) -> Result<Option<Metadata>> {
        let text: Option<String> = sqlx::query_scalar("SELECT sidecar FROM documents WHERE id = ?")
            .bind(id.uuid())
            .fetch_optional(self.connection())
            .await?
            .flatten();
        text.map(|text| serde_json::from_str(&text).map_err(|_| crate::rows::damaged("sidecar"))).transpose()
    }

    /// Says what a document's sidecar file says now; `None` if there is none.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn set_sidecar(&mut self, id: DocumentId, sidecar: Option<&Metadata>) -> Result<()> {
        let text = sidecar.map(json).transpose()?;
        let done = sqlx::query("UPDATE documents SET sidecar = ? WHERE id = ?")
            .bind(text)
            .bind(id.uuid())
            .execute(self.connection())
            .await?;
        found(&done, "document")
    }

    /// Deletes a document with all versions, passages and vectors, and the documents taken out of it.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete_document(&mut self, id: DocumentId) -> Result<()> {
        let family = self.family(id).await?;
        let done = sqlx::query("DELETE FROM documents WHERE id = ?").bind(id.uuid()).execute(self.connection()).await?;
        found(&done, "document")?;
        for document in family {
            self.supersede(document).await?;
            self.tell_index(document).await?;
        }
        Ok(())
    }

    /// A document and those taken out of it, at any depth.
    pub(crate) async fn family(&mut self, id: DocumentId) -> Result<Vec<DocumentId>> {
        let ids: Vec<uuid::Uuid> = sqlx::query_scalar(
            "WITH RECURSIVE family (id) AS (VALUES (?) UNION \
             SELECT d.id FROM documents AS d JOIN family AS f ON d.parent = f.id) SELECT id FROM family",
        )
        .bind(id.uuid())
        .fetch_all(self.connection())
        .await?;
        Ok(ids.into_iter().map(DocumentId::from).collect())
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
