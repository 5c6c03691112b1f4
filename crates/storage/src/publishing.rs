//! Publishing a version: its words first, its vectors when they are made.

use crate::rows::{Columns, json};
use crate::{Act, Result, StorageError, Store};
use domain::{ContentHash, DocumentId, Metadata, Passage, PassageId};

/// A version that was read and cut into passages.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedVersion {
    /// The document.
    pub document: DocumentId,
    /// Its number: above that of the version in use, 1 for the first.
    pub version: u32,
    /// BLAKE3 of the original bytes.
    pub content: ContentHash,
    /// Size of the original in bytes.
    pub size_bytes: u64,
    /// Title.
    pub title: String,
    /// Media type as sniffed.
    pub media_type: String,
    /// ISO 639-1 code as detected.
    pub language: Option<String>,
    /// Pages, for formats that have them.
    pub pages: Option<u32>,
    /// What extraction could not read.
    pub warnings: Vec<String>,
    /// What the file says of itself; what its sidecar says comes before it.
    pub metadata: Metadata,
    /// The passages in reading order.
    pub passages: Vec<Passage>,
    /// The embedding model that will make their vectors.
    pub model: String,
}

/// A passage of a version in use that has no vector yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unembedded {
    /// Its document.
    pub document: DocumentId,
    /// The document's title.
    pub title: String,
    /// The passage.
    pub passage: PassageId,
    /// Headings above it, outermost first.
    pub heading_path: Vec<String>,
    /// What it says.
    pub text: String,
}

impl Act {
    /// Puts a version into use: its passages are written, the document points to it, the index is told. Passages of
    /// earlier versions stay for old citations; their vectors go. The new ones get theirs by [`Act::embed`].
    ///
    /// # Errors
    /// `NotFound` if the document was deleted meanwhile, `Conflict` if this or a later version is in use already.
    pub async fn publish(&mut self, version: &PublishedVersion) -> Result<()> {
        let document = version.document.uuid();
        let now = self.now().as_millisecond();
        let warnings = json(&version.warnings)?;
        let metadata = self.with_sidecar(version).await?;
        let done = sqlx::query(
            "UPDATE documents SET version = ?2, content = ?3, size_bytes = ?4, title = ?5, media_type = ?6, language = ?7, \
             pages = ?8, warnings = ?9, state = 'ready', updated_at = ?10, author = ?11, written_at = ?12, modified_at = ?13, \
             fields = ?14, passage_count = ?15, embedded = ?16 WHERE id = ?1 AND version < ?2",
        )
        .bind(document)
        .bind(version.version)
        .bind(&version.content.as_bytes()[..])
        .bind(version.size_bytes.cast_signed())
        .bind(&version.title)
        .bind(&version.media_type)
        .bind(&version.language)
        .bind(version.pages)
        .bind(&warnings)
        .bind(now)
        .bind(&metadata.author)
        .bind(metadata.written_at.map(|at| at.as_millisecond()))
        .bind(metadata.modified_at.map(|at| at.as_millisecond()))
        .bind(json(&metadata.fields)?)
        .bind(i64::try_from(version.passages.len()).unwrap_or(i64::MAX))
        .bind(version.passages.is_empty())
        .execute(self.connection())
        .await?;
        if done.rows_affected() == 0 {
            return Err(self.why_not_published(version).await?);
        }
        sqlx::query(
            "INSERT INTO versions (document, version, content, size_bytes, title, media_type, language, pages, warnings, \
             model, published_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(document)
        .bind(version.version)
        .bind(&version.content.as_bytes()[..])
        .bind(version.size_bytes.cast_signed())
        .bind(&version.title)
        .bind(&version.media_type)
        .bind(&version.language)
        .bind(version.pages)
        .bind(&warnings)
        .bind(&version.model)
        .bind(now)
        .execute(self.connection())
        .await?;
        sqlx::query(
            "DELETE FROM vectors WHERE passage IN (SELECT id FROM passages WHERE document = ? AND version < ?)",
        )
        .bind(document)
        .bind(version.version)
        .execute(self.connection())
        .await?;
        for passage in &version.passages {
            sqlx::query(
                "INSERT INTO passages (id, document, version, ordinal, page, places, heading_path, text, hash) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(passage.id.uuid())
            .bind(document)
            .bind(version.version)
            .bind(passage.ordinal)
            .bind(passage.page)
            .bind(json(&passage.places)?)
            .bind(json(&passage.heading_path)?)
            .bind(&passage.text)
            .bind(&passage.hash.as_bytes()[..])
            .execute(self.connection())
            .await?;
        }
        self.tell_index(version.document).await
    }

    /// Keeps the vectors (of unit length) of these passages; those that are gone or superseded meanwhile are passed
    /// over. A document whose passages all have theirs now counts as embedded, and the index is told.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn embed(&mut self, documents: &[DocumentId], vectors: &[(PassageId, Vec<f32>)]) -> Result<()> {
        for (passage, vector) in vectors {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            sqlx::query(
                "INSERT INTO vectors (passage, vector) SELECT p.id, ?2 FROM passages AS p \
                 JOIN documents AS d ON d.id = p.document AND d.version = p.version WHERE p.id = ?1 \
                 ON CONFLICT DO NOTHING",
            )
            .bind(passage.uuid())
            .bind(bytes)
            .execute(self.connection())
            .await?;
        }
        for document in documents {
            let done = sqlx::query(
                "UPDATE documents SET embedded = 1 WHERE id = ?1 AND embedded = 0 AND NOT EXISTS (SELECT 1 \
                 FROM passages AS p LEFT JOIN vectors AS v ON v.passage = p.id \
                 WHERE p.document = ?1 AND p.version = documents.version AND v.passage IS NULL)",
            )
            .bind(document.uuid())
            .execute(self.connection())
            .await?;
            if done.rows_affected() > 0 {
                self.tell_index(*document).await?;
            }
        }
        Ok(())
    }

    /// Lets a document be found by its words alone from now on: a passage of it cannot be embedded, and `why` says so
    /// on its page.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn give_up_embedding(&mut self, document: DocumentId, why: &str) -> Result<()> {
        let done =
            sqlx::query("UPDATE documents SET embedded = 1, warnings = json_insert(warnings, '$[#]', ?) WHERE id = ?")
                .bind(why)
                .bind(document.uuid())
                .execute(self.connection())
                .await?;
        crate::act::found(&done, "document")?;
        self.tell_index(document).await
    }

    /// Takes away the vectors that another model than `model` made: these documents are found by their words until
    /// `model` has made others, and the index is told. Gives the number of documents and of their passages.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn forget_vectors_of_others(&mut self, model: &str) -> Result<(u64, u64)> {
        let others = "SELECT d.id FROM documents AS d JOIN versions AS v ON v.document = d.id AND v.version = d.version \
                      WHERE v.model <> ?1 AND d.passage_count > 0";
        let count = format!(
            "SELECT count(*) AS documents, coalesce(sum(passage_count), 0) AS passages FROM documents WHERE id IN ({others})"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(count)).bind(model).fetch_one(self.connection()).await?;
        let found = (row.number("documents")?, row.number("passages")?);
        if found.0 == 0 {
            return Ok(found);
        }
        for statement in [
            format!("DELETE FROM vectors WHERE passage IN (SELECT id FROM passages WHERE document IN ({others}))"),
            format!("INSERT INTO index_changes (document) {others}"),
            format!("UPDATE documents SET embedded = 0 WHERE id IN ({others})"),
            // Last, since the others ask by it.
            "UPDATE versions SET model = ?1 WHERE model <> ?1 AND EXISTS (SELECT 1 FROM documents AS d \
             WHERE d.id = versions.document AND d.version = versions.version)"
                .to_owned(),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(statement)).bind(model).execute(self.connection()).await?;
        }
        Ok(found)
    }

    /// What is known of the document once its sidecar file has had its say.
    async fn with_sidecar(&mut self, version: &PublishedVersion) -> Result<Metadata> {
        let sidecar = self.sidecar(version.document).await?.unwrap_or_default();
        Ok(sidecar.or(version.metadata.clone()))
    }

    async fn why_not_published(&mut self, version: &PublishedVersion) -> Result<StorageError> {
        let current: Option<u32> = sqlx::query_scalar("SELECT version FROM documents WHERE id = ?")
            .bind(version.document.uuid())
            .fetch_optional(self.connection())
            .await?;
        Ok(match current {
            None => StorageError::NotFound { what: "document" },
            Some(current) => StorageError::Conflict {
                what: format!(
                    "version {current} of the document is in use; version {} comes too late",
                    version.version
                ),
            },
        })
    }
}

impl Store {
    /// Passages without vectors, those of the documents that wait longest first.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn unembedded(&self, limit: u32) -> Result<Vec<Unembedded>> {
        // Documents first, by their own small index: the passages of all others are never looked at.
        let rows = sqlx::query(
            "SELECT d.id AS document, d.title, p.id AS passage, p.heading_path, p.text FROM \
             (SELECT * FROM documents WHERE embedded = 0 ORDER BY updated_at, id LIMIT ?1) AS d \
             JOIN passages AS p ON p.document = d.id AND p.version = d.version \
             LEFT JOIN vectors AS v ON v.passage = p.id WHERE v.passage IS NULL \
             ORDER BY d.updated_at, d.id, p.ordinal LIMIT ?1",
        )
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Unembedded {
                    document: row.id("document")?,
                    title: row.plain("title")?,
                    passage: row.id("passage")?,
                    heading_path: row.json("heading_path")?,
                    text: row.plain("text")?,
                })
            })
            .collect()
    }

    /// Documents that are found by their words alone so far, and about how many passages these have.
    ///
    /// # Errors
    /// [`StorageError`].
    pub async fn unembedded_count(&self) -> Result<(u64, u64)> {
        let row = sqlx::query(
            "SELECT count(*) AS documents, coalesce(sum(passage_count), 0) AS passages FROM documents WHERE embedded = 0",
        )
        .fetch_one(&self.reader)
        .await?;
        Ok((row.number("documents")?, row.number("passages")?))
    }
}
