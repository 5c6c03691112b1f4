//! The versions of a document, as far as a scope allows.

use crate::rows::Columns;
use crate::{Result, Store, scope};
use domain::{AccessScope, ContentHash, DocumentId};
use jiff::Timestamp;
use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteRow;

/// What is known of one version of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its number, 1 for the first.
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
    /// What extraction could not read, one sentence each.
    pub warnings: Vec<String>,
    /// When it could be searched first.
    pub published_at: Timestamp,
}

fn version_of(row: &SqliteRow) -> Result<Version> {
    Ok(Version {
        version: row.number("version")?,
        content: row.bytes("content")?,
        size_bytes: row.number("size_bytes")?,
        title: row.plain("title")?,
        media_type: row.plain("media_type")?,
        language: row.plain("language")?,
        pages: row.number_if_any("pages")?,
        warnings: row.json("warnings")?,
        published_at: row.time("published_at")?,
    })
}

impl Store {
    /// The versions of a document, the newest first; none if it is outside the scope or was not read yet.
    ///
    /// # Errors
    /// [`crate::StorageError`].
    pub async fn versions(&self, document: DocumentId, scope: &AccessScope) -> Result<Vec<Version>> {
        let mut sql =
            QueryBuilder::new("SELECT v.* FROM documents AS d JOIN versions AS v ON v.document = d.id WHERE d.id = ");
        sql.push_bind(document.uuid()).push(" AND ");
        scope::push_condition(&mut sql, scope);
        sql.push(" ORDER BY v.version DESC");
        let rows = sql.build().fetch_all(&self.reader).await?;
        rows.iter().map(version_of).collect()
    }
}
