//! Collections, documents, blocks and passages.

use crate::{CollectionId, ContentHash, DocumentId, Label, PassageId, PrincipalId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

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
    /// What else is known of it.
    pub metadata: Metadata,
    /// The document that it was taken out of: a mail or an archive.
    pub parent: Option<DocumentId>,
    /// How many passages the version in use has.
    pub passages: u32,
    /// Whether all of these have their vectors; until then they are found by their words alone.
    pub embedded: bool,
    /// Whether it is kept but nobody finds it, because its file went away.
    pub hidden: bool,
    /// When the first version came.
    pub created_at: Timestamp,
    /// When the current version came.
    pub updated_at: Timestamp,
}

/// What is known of a document beside its text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metadata {
    /// Who wrote it.
    pub author: Option<String>,
    /// When it was written.
    pub written_at: Option<Timestamp>,
    /// When it was last changed by its author.
    pub modified_at: Option<Timestamp>,
    /// Anything else, such as `subject` of a mail or what the site's own sidecar files hold; names in lower case.
    pub fields: BTreeMap<String, String>,
}

impl Metadata {
    /// These, and from `other` what is not among them.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let mut fields = other.fields;
        fields.extend(self.fields);
        Self {
            author: self.author.or(other.author),
            written_at: self.written_at.or(other.written_at),
            modified_at: self.modified_at.or(other.modified_at),
            fields,
        }
    }
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
    /// 1-based page, slide or sheet, for formats that have them.
    pub page: Option<u32>,
    /// The box it takes on the page, where the format says.
    pub area: Option<Area>,
    /// The cells it was read from, on a sheet.
    pub cells: Option<Cells>,
}

impl Location {
    /// Somewhere on a page.
    #[must_use]
    pub const fn on_page(page: Option<u32>) -> Self {
        Self { page, area: None, cells: None }
    }
}

/// A box on a page, in ten-thousandths of the page's width and height as it is shown, from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Area {
    /// Left edge.
    pub left: u16,
    /// Upper edge.
    pub top: u16,
    /// Right edge, not below `left`.
    pub right: u16,
    /// Lower edge, not below `top`.
    pub bottom: u16,
}

impl Area {
    /// The smallest box around both.
    #[must_use]
    pub fn around(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }
}

/// A rectangle of cells of a sheet, both corners in it, counted from 1. Displays as `B2:D7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cells {
    /// First column and row.
    pub first: (u32, u32),
    /// Last column and row.
    pub last: (u32, u32),
}

impl Cells {
    /// The smallest rectangle around both.
    #[must_use]
    pub fn around(self, other: Self) -> Self {
        let least = |a: (u32, u32), b: (u32, u32)| (a.0.min(b.0), a.1.min(b.1));
        let most = |a: (u32, u32), b: (u32, u32)| (a.0.max(b.0), a.1.max(b.1));
        Self { first: least(self.first, other.first), last: most(self.last, other.last) }
    }
}

impl fmt::Display for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let corner = |(column, row): (u32, u32)| format!("{}{row}", column_name(column));
        write!(f, "{}", corner(self.first))?;
        if self.last == self.first { Ok(()) } else { write!(f, ":{}", corner(self.last)) }
    }
}

/// The letters of a column: `A` for 1, `AA` for 27.
fn column_name(mut column: u32) -> String {
    let mut letters = Vec::new();
    while column > 0 {
        column -= 1;
        letters.push(char::from(b'A' + (column % 26) as u8));
        column /= 26;
    }
    letters.iter().rev().collect()
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
    /// Where it stands: for every page that it touches one box around its text there, or the cells of a sheet. Empty
    /// for formats without either.
    pub places: Vec<Location>,
    /// BLAKE3 of `text`: what the audit log records as shown.
    pub hash: ContentHash,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_read_as_people_write_them() {
        let cells = |first, last| Cells { first, last }.to_string();
        assert_eq!(cells((1, 1), (1, 1)), "A1");
        assert_eq!(cells((2, 2), (28, 70)), "B2:AB70");
        assert_eq!(cells((702, 3), (703, 3)), "ZZ3:AAA3");
    }
}
