//! Sources: every path that holds a document's bytes, so that equal files are one document with several places.

use crate::rows::Columns;
use crate::{Act, Result, StorageError, Store, scope};
use domain::{AccessScope, CollectionId, ContentHash, Document, DocumentId, FolderId, Label};
use jiff::Timestamp;
use std::collections::HashSet;

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
    /// Whether its document is hidden, because its file went away.
    pub hidden: bool,
    /// Whether its document, which cannot be found, has an open job.
    pub in_work: bool,
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

    /// A document of its own (not taken out of another, nor narrowed, nor described by a sidecar file) with these bytes
    /// and this label in the collection. One in quarantine, called off before it was read, or about to get other bytes,
    /// does not count.
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
            .push(
                " AND d.parent IS NULL AND d.narrowed = 0 AND d.sidecar IS NULL AND d.hidden = 0 \
                 AND (d.state = 'ready' OR EXISTS (SELECT 1 FROM jobs AS j WHERE j.document = d.id \
                 AND j.state IN ('waiting', 'running', 'paused'))) AND NOT EXISTS (SELECT 1 FROM jobs AS j \
                 WHERE j.document = d.id AND j.content <> d.content \
                 AND j.state IN ('waiting', 'running', 'paused', 'held')) LIMIT 1",
            );
        let row = sql.build().fetch_optional(self.connection()).await?;
        row.as_ref().map(document_of).transpose()
    }

    /// Calls off every job of a document that did not read these bytes, given up or not: its file has these again.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn supersede_others(&mut self, document: DocumentId, content: &ContentHash) -> Result<()> {
        sqlx::query(
            "UPDATE jobs SET state = 'cancelled', finished_at = coalesce(finished_at, ?), reason = ?, \
             lease_owner = NULL, leased_until = NULL WHERE document = ? AND content <> ? AND state <> 'done'",
        )
        .bind(self.now().as_millisecond())
        .bind(crate::queue::SUPERSEDED)
        .bind(document.uuid())
        .bind(&content.as_bytes()[..])
        .execute(self.connection())
        .await?;
        Ok(())
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

    /// The documents taken out of this one.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn children(&mut self, parent: DocumentId) -> Result<Vec<Document>> {
        let mut sql = documents_where();
        sql.push("d.parent = ").push_bind(parent.uuid());
        let rows = sql.build().fetch_all(self.connection()).await?;
        rows.iter().map(document_of).collect()
    }

    /// Whether the collection has any source below this path, as if the path were a folder.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn stands_below(&mut self, collection: CollectionId, path: &str) -> Result<bool> {
        // Between the two lies what begins with the path and a slash, which is the character before the zero.
        let below = "SELECT EXISTS (SELECT 1 FROM sources WHERE collection = ? AND source > ? AND source < ?)";
        Ok(sqlx::query_scalar(below)
            .bind(collection.uuid())
            .bind(format!("{path}/"))
            .bind(format!("{path}0"))
            .fetch_one(self.connection())
            .await?)
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

    /// Gives a source a new path; its document stays what it is, and the paths of those taken out of it follow. `false`
    /// if `document` has no such source (any more), or the new path is taken.
    ///
    /// # Errors
    /// `Conflict` if the new path of a document taken out of it is taken.
    pub async fn rename_source(
        &mut self,
        collection: CollectionId,
        document: DocumentId,
        from: &str,
        to: &str,
    ) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE sources SET source = ?4 WHERE collection = ?1 AND document = ?2 AND source = ?3 \
             AND NOT EXISTS (SELECT 1 FROM sources WHERE collection = ?1 AND source = ?4)",
        )
        .bind(collection.uuid())
        .bind(document.uuid())
        .bind(from)
        .bind(to)
        .execute(self.connection())
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("UPDATE documents SET source = ?3 WHERE id = ?1 AND source = ?2")
            .bind(document.uuid())
            .bind(from)
            .bind(to)
            .execute(self.connection())
            .await?;
        for part in self.family(document).await?.into_iter().filter(|part| *part != document) {
            for (table, key) in [("sources", "document"), ("documents", "id")] {
                sqlx::query(sqlx::AssertSqlSafe(format!(
                    "UPDATE {table} SET source = ?3 || substr(source, length(?2) + 1) \
                     WHERE {key} = ?1 AND substr(source, 1, length(?2) + 1) = ?2 || '/'"
                )))
                .bind(part.uuid())
                .bind(from)
                .bind(to)
                .execute(self.connection())
                .await?;
            }
        }
        Ok(true)
    }

    /// Gives a document, that has the title `from`, the title `to`; the index is told.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn retitle(&mut self, document: DocumentId, from: &str, to: &str) -> Result<()> {
        let done = sqlx::query("UPDATE documents SET title = ?3 WHERE id = ?1 AND title = ?2 AND title <> ?3")
            .bind(document.uuid())
            .bind(from)
            .bind(to)
            .execute(self.connection())
            .await?;
        if done.rows_affected() > 0 { self.tell_index(document).await } else { Ok(()) }
    }

    /// The watched folder that a source was seen in last.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn folder_of(&mut self, collection: CollectionId, source: &str) -> Result<Option<FolderId>> {
        let row = sqlx::query("SELECT folder FROM sources WHERE collection = ? AND source = ?")
            .bind(collection.uuid())
            .bind(source)
            .fetch_optional(self.connection())
            .await?;
        row.map_or(Ok(None), |row| row.id_if_any("folder"))
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
            "SELECT s.*, d.content, d.hidden, d.state = 'ready' AND d.hidden = 0 AS in_use, \
             CASE WHEN d.state = 'ready' THEN 0 ELSE EXISTS (SELECT 1 FROM jobs AS j WHERE j.document = d.id \
             AND j.state IN ('waiting', 'running', 'paused', 'held')) END AS in_work FROM sources AS s \
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
                    hidden: row.plain("hidden")?,
                    in_work: row.plain("in_work")?,
                })
            })
            .collect()
    }

    /// Paths and bytes that a person called off before they were read, so that a watched folder does not bring them
    /// again.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn refused_sources(&self, collection: CollectionId) -> Result<HashSet<(String, ContentHash)>> {
        let rows = sqlx::query(
            "SELECT source, content FROM jobs WHERE state = 'cancelled' AND collection = ?1 AND reason IS NOT ?2 \
             AND NOT EXISTS (SELECT 1 FROM documents AS d WHERE d.id = jobs.document)",
        )
        .bind(collection.uuid())
        .bind(crate::queue::SUPERSEDED)
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| Ok((row.plain("source")?, row.bytes("content")?))).collect()
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

    /// Up to `limit` of the documents taken out of this one, by source, as far as the scope allows.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn children(&self, parent: DocumentId, scope: &AccessScope, limit: u32) -> Result<Vec<Document>> {
        let mut sql = documents_where();
        sql.push("d.parent = ").push_bind(parent.uuid()).push(" AND ");
        scope::push_condition(&mut sql, scope);
        sql.push(" ORDER BY d.source LIMIT ").push_bind(limit);
        let rows = sql.build().fetch_all(&self.reader).await?;
        rows.iter().map(document_of).collect()
    }
}
