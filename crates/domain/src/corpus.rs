//! Collections, documents, blocks and passages.

use crate::{CollectionId, ContentHash, DocumentId, Label, PassageId, PrincipalId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A set of documents with common grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// Identity.
    pub id: CollectionId,
    /// Unique name.
    pub name: String,
    /// One sentence for people who look for something.
    pub description: String,
    /// The label that new documents get.
    pub default_label: Label,
}

/// Where a document stands on its way into the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocumentState {
    /// Its bytes are here; no version has been read yet.
    Waiting,
    /// A version can be searched and asked about.
    Ready,
    /// No version could be read; its job says why.
    Failed,
}

/// A document as its current version stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Identity, the same through all versions.
    pub id: DocumentId,
    /// Where it lives.
    pub collection: CollectionId,
    /// From the document itself, or else its file name.
    pub title: String,
    /// Where it came from: a path or a file name; unique in its collection.
    pub source: String,
    /// Media type as sniffed from its bytes.
    pub media_type: String,
    /// How sensitive it is.
    pub label: Label,
    /// If given, only these users and groups may read it, beside what the collection demands.
    pub readers: Option<Vec<PrincipalId>>,
    /// 1 for the first; grows with every changed import.
    pub version: u32,
    /// BLAKE3 of the original bytes of this version.
    pub content: ContentHash,
    /// Size of the original in bytes.
    pub size_bytes: u64,
    /// Pages, for formats that have them.
    pub pages: Option<u32>,
    /// ISO 639-1 code as detected, such as `en`.
    pub language: Option<String>,
    /// Where it stands.
    pub state: DocumentState,
    /// What extraction could not read, one sentence each.
    pub warnings: Vec<String>,
    /// When the first version came.
    pub created_at: Timestamp,
    /// When the current version came.
    pub updated_at: Timestamp,
}

/// What a block of extracted text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockKind {
    /// A heading of this level, 1 the highest.
    Heading(u8),
    /// Running text.
    Paragraph,
    /// One item of a list.
    ListItem,
    /// One row of a table, cells joined by ` | `.
    TableRow,
    /// Text whose line breaks matter.
    Preformatted,
}

/// Where in the original a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Location {
    /// 1-based page, for formats that have pages.
    pub page: Option<u32>,
}

/// A piece of a document as extraction gives it, in reading order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Block {
    /// What it is.
    pub kind: BlockKind,
    /// Its text, in Unicode NFC, without line breaks unless preformatted.
    pub text: String,
    /// Where it stands.
    pub location: Location,
}

/// What is retrieved, shown and cited: some consecutive sentences of one version of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// Identity.
    pub id: PassageId,
    /// Its document.
    pub document: DocumentId,
    /// The version that it belongs to.
    pub version: u32,
    /// 0-based position in reading order.
    pub ordinal: u32,
    /// 1-based page on which it begins, for formats that have pages.
    pub page: Option<u32>,
    /// Headings above it, outermost first.
    pub heading_path: Vec<String>,
    /// The text, blocks separated by a line break.
    pub text: String,
    /// BLAKE3 of `text`: what the audit log records as shown.
    pub hash: ContentHash,
}
