//! Reading documents and passages, as far as a scope allows. A hidden document answers like one that does not exist.

use crate::rows::{Columns, count, damaged, id_list};
use crate::{Result, Store, scope};
use domain::{
    AccessScope, CollectionId, ContentHash, Document, DocumentId, DocumentState, Metadata, Passage, PassageId,
    PrincipalId,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};
use std::collections::HashSet;
use uuid::Uuid;

/// What [`document_of`] reads, of the table `documents AS d`.
const DOCUMENT_COLUMNS: &str = "d.*, CASE WHEN d.narrowed THEN (SELECT json_group_array(hex(r.principal)) \
     FROM document_readers AS r WHERE r.document = d.id) END AS readers";

/// What [`passage_of`] reads, of the table `passages AS p`, under names that do not clash with a document's.
pub(crate) const PASSAGE_COLUMNS: &str = "p.id AS passage_id, p.document AS passage_document, \
     p.version AS passage_version, p.ordinal, p.page, p.places, p.heading_path, p.text, p.hash";

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many to skip.
    pub offset: u32,
    /// How many at most.
    pub limit: u32,
}

pub(crate) fn documents_where() -> QueryBuilder<Sqlite> {
    QueryBuilder::new(format!("SELECT {DOCUMENT_COLUMNS} FROM documents AS d WHERE "))
}

fn select_documents(scope: &AccessScope) -> QueryBuilder<Sqlite> {
    let mut sql = documents_where();
    scope::push_condition(&mut sql, scope);
    sql
}

pub(crate) fn document_of(row: &SqliteRow) -> Result<Document> {
    let readers = match row.plain::<Option<&str>>("readers")? {
        Some(list) => {
            let ids: Vec<Uuid> = serde_json::from_str(list).map_err(|_| damaged("readers"))?;
            Some(ids.into_iter().map(PrincipalId::from).collect())
        }
        None => None,
    };
    Ok(Document {
        id: row.id("id")?,
        collection: row.id("collection")?,
        title: row.plain("title")?,
        source: row.plain("source")?,
        media_type: row.plain("media_type")?,
        label: row.label("label")?,
        readers,
        version: row.number("version")?,
        content: row.bytes("content")?,
        size_bytes: row.number("size_bytes")?,
        pages: row.number_if_any("pages")?,
        language: row.plain("language")?,
        state: match row.plain("state")? {
            "waiting" => DocumentState::Waiting,
            "ready" => DocumentState::Ready,
            "failed" => DocumentState::Failed,
            _ => return Err(damaged("state")),
        },
        warnings: row.json("warnings")?,
        metadata: Metadata {
            author: row.plain("author")?,
            written_at: row.time_if_any("written_at")?,
            modified_at: row.time_if_any("modified_at")?,
            fields: row.json("fields")?,
        },
        parent: row.id_if_any("parent")?,
        passages: row.number("passage_count")?,
        embedded: row.plain("embedded")?,
        hidden: row.plain("hidden")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

pub(crate) fn passage_of(row: &SqliteRow) -> Result<Passage> {
    Ok(Passage {
        id: row.id("passage_id")?,
        document: row.id("passage_document")?,
        version: row.number("passage_version")?,
        ordinal: row.number("ordinal")?,
        page: row.number_if_any("page")?,
        places: row.json("places")?,
        heading_path: row.json("heading_path")?,
        text: row.plain("text")?,
        hash: row.bytes("hash")?,
    })
}

impl Store {
    async fn page_of(&self, mut sql: QueryBuilder<Sqlite>, page: Page) -> Result<Vec<Document>> {
        sql.push(" LIMIT ").push_bind(page.limit).push(" OFFSET ").push_bind(page.offset);
        let rows = sql.build().fetch_all(&self.reader).await?;
        rows.iter().map(document_of).collect()
    }

    /// The document with this id.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn document(&self, id: DocumentId, scope: &AccessScope) -> Result<Option<Document>> {
        let mut sql = select_documents(scope);
        sql.push(" AND d.id = ").push_bind(id.uuid());
        let row = sql.build().fetch_optional(&self.reader).await?;
        row.as_ref().map(document_of).transpose()
    }

    /// Documents by title, of one collection or all.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn documents(
        &self,
        scope: &AccessScope,
        collection: Option<CollectionId>,
        page: Page,
    ) -> Result<Vec<Document>> {
        let mut sql = select_documents(scope);
        if let Some(collection) = collection {
            sql.push(" AND d.collection = ").push_bind(collection.uuid());
        }
        sql.push(" ORDER BY d.title COLLATE NOCASE, d.id");
        self.page_of(sql, page).await
    }

    /// Documents of one collection, those whose current version came last first.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn documents_newest(
        &self,
        scope: &AccessScope,
        collection: CollectionId,
        page: Page,
    ) -> Result<Vec<Document>> {
        let mut sql = select_documents(scope);
        sql.push(" AND d.collection = ").push_bind(collection.uuid()).push(" ORDER BY d.updated_at DESC, d.id DESC");
        self.page_of(sql, page).await
    }

    /// How many documents [`Store::documents`] has in all.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn document_count(&self, scope: &AccessScope, collection: Option<CollectionId>) -> Result<u64> {
        let mut sql = QueryBuilder::new("SELECT count(*) FROM documents AS d WHERE ");
        scope::push_condition(&mut sql, scope);
        if let Some(collection) = collection {
            sql.push(" AND d.collection = ").push_bind(collection.uuid());
        }
        Ok(count(sql.build_query_scalar().fetch_one(&self.reader).await?))
    }

    /// How many of these are found by their words alone so far.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn unembedded_within(&self, scope: &AccessScope, collection: Option<CollectionId>) -> Result<u64> {
        let mut sql = QueryBuilder::new("SELECT count(*) FROM documents AS d WHERE d.embedded = 0 AND ");
        scope::push_condition(&mut sql, scope);
        if let Some(collection) = collection {
            sql.push(" AND d.collection = ").push_bind(collection.uuid());
        }
        Ok(count(sql.build_query_scalar().fetch_one(&self.reader).await?))
    }

    /// The document that has this source. Knows no scope: for ingest alone.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn document_by_source(&self, collection: CollectionId, source: &str) -> Result<Option<Document>> {
        let mut sql = documents_where();
        sql.push("d.id = (SELECT document FROM sources WHERE collection = ")
            .push_bind(collection.uuid())
            .push(" AND source = ")
            .push_bind(source)
            .push(")");
        let row = sql.build().fetch_optional(&self.reader).await?;
        row.as_ref().map(document_of).transpose()
    }

    /// The document with this id. Knows no scope: for ingest alone.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn document_for_ingest(&self, id: DocumentId) -> Result<Option<Document>> {
        let mut sql = documents_where();
        sql.push("d.id = ").push_bind(id.uuid());
        let row = sql.build().fetch_optional(&self.reader).await?;
        row.as_ref().map(document_of).transpose()
    }

    /// How many documents came with the file that this one was taken out of, that file included, at any depth, but for this
    /// one and what was taken out of it; counts to `most` and no further.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn taken_out_beside(&self, id: DocumentId, most: u32) -> Result<u64> {
        let counted = "WITH RECURSIVE up(id, parent) AS (SELECT id, parent FROM documents WHERE id = ?1 \
             UNION ALL SELECT d.id, d.parent FROM documents AS d JOIN up ON d.id = up.parent), \
             down(id) AS (SELECT id FROM up WHERE parent IS NULL AND id <> ?1 \
             UNION ALL SELECT d.id FROM documents AS d JOIN down ON d.parent = down.id WHERE d.id <> ?1) \
             SELECT count(*) FROM (SELECT 1 FROM down LIMIT ?2)";
        let count = sqlx::query_scalar(counted).bind(id.uuid()).bind(most).fetch_one(&self.reader).await?;
        Ok(crate::rows::count(count))
    }

    /// Passages with their documents, in the order of `ids`; hidden and missing ones are left out. A passage may belong
    /// to an earlier version than the document's current one: compare the two `version`s where that matters.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn passages_by_id(&self, ids: &[PassageId], scope: &AccessScope) -> Result<Vec<(Passage, Document)>> {
        let mut sql = QueryBuilder::new("SELECT ");
        sql.push(DOCUMENT_COLUMNS)
            .push(", ")
            .push(PASSAGE_COLUMNS)
            .push(" FROM json_each(")
            .push_bind(id_list(ids.iter().map(|id| id.uuid())))
            .push(
                ") AS wanted CROSS JOIN passages AS p ON p.id = unhex(wanted.value) \
                 JOIN documents AS d ON d.id = p.document WHERE ",
            );
        scope::push_condition(&mut sql, scope);
        sql.push(" ORDER BY wanted.key");
        let rows = sql.build().fetch_all(&self.reader).await?;
        rows.iter().map(|row| Ok((passage_of(row)?, document_of(row)?))).collect()
    }

    /// The passages of a version in reading order; `None` if the document is hidden or has no such version.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn passages_of(
        &self,
        document: DocumentId,
        version: u32,
        scope: &AccessScope,
    ) -> Result<Option<Vec<Passage>>> {
        // One statement, so that the version and its passages are of the same moment.
        let mut sql = QueryBuilder::new("SELECT ");
        sql.push(PASSAGE_COLUMNS)
            .push(
                " FROM documents AS d JOIN versions AS v ON v.document = d.id \
                 LEFT JOIN passages AS p ON p.document = v.document AND p.version = v.version WHERE d.id = ",
            )
            .push_bind(document.uuid())
            .push(" AND v.version = ")
            .push_bind(version)
            .push(" AND ");
        scope::push_condition(&mut sql, scope);
        sql.push(" ORDER BY p.ordinal");
        let rows = sql.build().fetch_all(&self.reader).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let with_passage = |row: &&SqliteRow| row.plain::<Option<Uuid>>("passage_id").is_ok_and(|id| id.is_some());
        rows.iter().filter(with_passage).map(passage_of).collect::<Result<_>>().map(Some)
    }

    /// One passage with its document.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn passage(&self, id: PassageId, scope: &AccessScope) -> Result<Option<(Passage, Document)>> {
        Ok(self.passages_by_id(&[id], scope).await?.pop())
    }

    /// How many passages of versions in use there are to search.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn passage_count(&self, scope: &AccessScope) -> Result<u64> {
        let mut sql = QueryBuilder::new("SELECT coalesce(sum(d.passage_count), 0) FROM documents AS d WHERE ");
        scope::push_condition(&mut sql, scope);
        Ok(count(sql.build_query_scalar().fetch_one(&self.reader).await?))
    }

    /// Every original that is still needed: by a version of a document, or by a job of a document that is still there,
    /// for that may be tried again.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn contents_in_use(&self) -> Result<HashSet<ContentHash>> {
        let rows = sqlx::query(
            "SELECT content FROM documents UNION SELECT content FROM versions UNION SELECT content FROM jobs \
             WHERE state <> 'done' AND EXISTS (SELECT 1 FROM documents AS d WHERE d.id = jobs.document)",
        )
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| row.bytes("content")).collect()
    }

    /// Whether any version of any document, or an open job, still needs the original with this hash.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn content_in_use(&self, content: &ContentHash) -> Result<bool> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM documents WHERE content = ?1) \
             OR EXISTS (SELECT 1 FROM versions WHERE content = ?1) \
             OR EXISTS (SELECT 1 FROM jobs WHERE content = ?1 AND state IN ('waiting', 'running', 'paused', 'held'))",
        )
        .bind(&content.as_bytes()[..])
        .fetch_one(&self.reader)
        .await?)
    }
}
