//! Publishing a version.

use crate::rows::json;
use crate::{Act, Result, StorageError};
use domain::{ContentHash, DocumentId, Passage};

/// A version that was read, cut into passages and embedded.
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
    /// The passages in reading order, each with its vector of unit length.
    pub passages: Vec<(Passage, Vec<f32>)>,
    /// The embedding model that made the vectors.
    pub model: String,
}

impl Act {
    /// Puts a version into use: its passages and vectors are written, the document points to it, the index is told.
    /// Passages of earlier versions stay for old citations; their vectors go.
    ///
    /// # Errors
    /// `NotFound` if the document was deleted meanwhile, `Conflict` if this or a later version is in use already.
    pub async fn publish(&mut self, version: &PublishedVersion) -> Result<()> {
        let document = version.document.uuid();
        let now = self.now().as_millisecond();
        let warnings = json(&version.warnings)?;
        let done = sqlx::query(
            "UPDATE documents SET version = ?2, content = ?3, size_bytes = ?4, title = ?5, media_type = ?6, language = ?7, \
             pages = ?8, warnings = ?9, state = 'ready', updated_at = ?10 WHERE id = ?1 AND version < ?2",
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
        for (passage, vector) in &version.passages {
            self.insert_passage(version, passage, vector).await?;
        }
        self.tell_index(version.document).await
    }

    async fn insert_passage(&mut self, version: &PublishedVersion, passage: &Passage, vector: &[f32]) -> Result<()> {
        sqlx::query(
            "INSERT INTO passages (id, document, version, ordinal, page, heading_path, text, hash) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(passage.id.uuid())
        .bind(version.document.uuid())
        .bind(version.version)
        .bind(passage.ordinal)
        .bind(passage.page)
        .bind(json(&passage.heading_path)?)
        .bind(&passage.text)
        .bind(&passage.hash.as_bytes()[..])
        .execute(self.connection())
        .await?;
        let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        sqlx::query("INSERT INTO vectors (passage, vector) VALUES (?, ?)")
            .bind(passage.id.uuid())
            .bind(bytes)
            .execute(self.connection())
            .await?;
        Ok(())
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
