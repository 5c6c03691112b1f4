//! Sources: every path that holds a document's bytes, so that equal files are one document with several places.

use crate::rows::Columns;
use crate::{Act, Result, StorageError, Store};
use domain::{CollectionId, ContentHash, Document, DocumentId, FolderId, Label};
use jiff::Timestamp;

use crate::reading::{document_of, documents_where};

/// A path of a collection and what is known of it without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSource {
    /// The path.
    pub source: String,
    /// The document that it holds.
    pub document: DocumentId,
    /// The watched folder that it was seen in last.
    pub folder: Option<FolderId>,
    /// Size and time of its file when it was seen last: as long as both stay, the file is taken to be the same.
    pub seen: Option<(u64, Timestamp)>,
    /// BLAKE3 of the document's bytes.
    pub content: ContentHash,
    /// Whether its document can be found: a version was read, and it is not hidden.
    pub in_use: bool,
}

impl Act {
    /// The document that has this source, as it stands within this act.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn document_at(&mut self, collection: CollectionId, source: &str) -> Result<Option<Document>> {
        let mut sql = documents_where();
        sql.push("d.id = (SELECT document FROM sources WHERE collection = ")
            .push_bind(collection.uuid())
            .push(" AND source = ")
            .push_bind(source)
            .push(")");
        let row = sql.build().fetch_optional(self.connection()).await?;
        row.as_ref().map(document_of).transpose()
    }

    /// A document of its own (not taken out of another, nor narrowed) with these bytes and this label in the
    /// collection.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn document_with(
        &mut self,
        collection: CollectionId,
        content: &ContentHash,
        label: Label,
    ) -> Result<Option<Document>> {
        let mut sql = documents_where();
        sql.push("d.content = ")
            .push_bind(content.as_bytes().to_vec())
            .push(" AND d.collection = ")
            .push_bind(collection.uuid())
            .push(" AND d.label = ")
            .push_bind(label.rank())
            .push(" AND d.parent IS NULL AND d.narrowed = 0 AND d.state <> 'failed' AND d.hidden = 0 LIMIT 1");
        let row = sql.build().fetch_optional(self.connection()).await?;
        row.as_ref().map(document_of).transpose()
    }

    /// The document with this id, as it stands within this act.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn document(&mut self, id: DocumentId) -> Result<Option<Document>> {
        let mut sql = documents_where();
        sql.push("d.id = ").push_bind(id.uuid());
        let row = sql.build().fetch_optional(self.connection()).await?;
        row.as_ref().map(document_of).transpose()
    }

    /// How many sources a document has.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn source_count(&mut self, document: DocumentId) -> Result<u64> {
        let number = sqlx::query_scalar("SELECT count(*) FROM sources WHERE document = ?")
            .bind(document.uuid())
            .fetch_one(self.connection())
            .await?;
        Ok(crate::rows::count(number))
    }

    /// The documents taken out of this one, with their sources.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn children(&mut self, parent: DocumentId) -> Result<Vec<(DocumentId, String)>> {
        let rows = sqlx::query("SELECT id, source FROM documents WHERE parent = ?")
            .bind(parent.uuid())
            .fetch_all(self.connection())
            .await?;
        rows.iter().map(|row| Ok((row.id("id")?, row.plain("source")?))).collect()
    }

    /// Says that the bytes of `document` are found under `source` as well.
    ///
    /// # Errors
    /// `Conflict` if another document has this source.
    pub async fn add_source(&mut self, collection: CollectionId, source: &str, document: DocumentId) -> Result<()> {
        let done = sqlx::query(
            "INSERT INTO sources (collection, source, document) VALUES (?1, ?2, ?3) \
             ON CONFLICT (collection, source) DO UPDATE SET document = document WHERE document = ?3",
        )
        .bind(collection.uuid())
        .bind(source)
        .bind(document.uuid())
        .execute(self.connection())
        .await?;
        if done.rows_affected() == 0 {
            return Err(StorageError::Conflict { what: "another document comes from this source".to_owned() });
        }
        Ok(())
    }

    /// Notes size and time of the file under `source`, and the watched folder that it lies in.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn see_source(
        &mut self,
        collection: CollectionId,
        source: &str,
        folder: Option<FolderId>,
        size_bytes: u64,
        modified_at: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE sources SET size_bytes = ?, modified_at = ?, folder = coalesce(?, folder) \
             WHERE collection = ? AND source = ?",
        )
        .bind(size_bytes.cast_signed())
        .bind(modified_at.as_millisecond())
        .bind(folder.map(FolderId::uuid))
        .bind(collection.uuid())
        .bind(source)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Gives a source a new path; its document stays what it is.
    ///
    /// # Errors
    /// `Conflict` if the new path is taken.
    pub async fn rename_source(&mut self, collection: CollectionId, from: &str, to: &str) -> Result<()> {
        sqlx::query("UPDATE sources SET source = ?3 WHERE collection = ?1 AND source = ?2")
            .bind(collection.uuid())
            .bind(from)
            .bind(to)
            .execute(self.connection())
            .await?;
        sqlx::query("UPDATE documents SET source = ?3 WHERE collection = ?1 AND source = ?2")
            .bind(collection.uuid())
            .bind(from)
            .bind(to)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Takes a source away from its document. Gives how many the document has left; at 0 the document keeps its own
    /// name, and it is for the caller to say what becomes of it.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn drop_source(&mut self, collection: CollectionId, source: &str) -> Result<(DocumentId, u64)> {
        let row = sqlx::query("DELETE FROM sources WHERE collection = ? AND source = ? RETURNING document")
            .bind(collection.uuid())
            .bind(source)
            .fetch_optional(self.connection())
            .await?
            .ok_or(StorageError::NotFound { what: "source" })?;
        let document: DocumentId = row.id("document")?;
        let row = sqlx::query("SELECT count(*) AS left, min(source) AS first FROM sources WHERE document = ?")
            .bind(document.uuid())
            .fetch_one(self.connection())
            .await?;
        if let Some(first) = row.plain::<Option<String>>("first")? {
            sqlx::query("UPDATE documents SET source = ?1 WHERE id = ?2 AND source = ?3")
                .bind(first)
                .bind(document.uuid())
                .bind(source)
                .execute(self.connection())
                .await?;
        }
        Ok((document, row.number("left")?))
    }
}

impl Store {
    /// All paths of a collection, or those of one watched folder, by path.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn known_sources(&self, collection: CollectionId, folder: Option<FolderId>) -> Result<Vec<KnownSource>> {
        let rows = sqlx::query(
            "SELECT s.*, d.content, d.state = 'ready' AND d.hidden = 0 AS in_use FROM sources AS s \
             JOIN documents AS d ON d.id = s.document WHERE s.collection = ?1 AND (?2 IS NULL OR s.folder = ?2) \
             AND d.parent IS NULL ORDER BY s.source",
        )
        .bind(collection.uuid())
        .bind(folder.map(FolderId::uuid))
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                let size: Option<u64> = row.number_if_any("size_bytes")?;
                Ok(KnownSource {
                    source: row.plain("source")?,
                    document: row.id("document")?,
                    folder: row.id_if_any("folder")?,
                    seen: size.zip(row.time_if_any("modified_at")?),
                    content: row.bytes("content")?,
                    in_use: row.plain("in_use")?,
                })
            })
            .collect()
    }

    /// The paths that hold a document's bytes. Knows no scope: ask for the document first.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn sources_of(&self, document: DocumentId) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar("SELECT source FROM sources WHERE document = ? ORDER BY source")
            .bind(document.uuid())
            .fetch_all(&self.reader)
            .await?)
    }

    /// The documents taken out of this one. Knows no scope: they have the rights of their parent.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn children(&self, parent: DocumentId) -> Result<Vec<Document>> {
        let mut sql = documents_where();
        sql.push("d.parent = ").push_bind(parent.uuid()).push(" ORDER BY d.source");
        let rows = sql.build().fetch_all(&self.reader).await?;
        rows.iter().map(document_of).collect()
    }
}
