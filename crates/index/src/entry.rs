//! What goes into the index and what comes out.

use domain::{CollectionId, DocumentId, Label, PassageId, PrincipalId};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// One change of the index.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Replaces everything known of the document, its passages and its rights; also used when only rights change.
    /// Without passages it is the same as [`Change::Remove`].
    Put {
        /// The document and who may read it.
        document: DocumentEntry,
        /// All its passages, in reading order.
        passages: Vec<PassageEntry>,
    },
    /// Forgets the document; unknown ones are ignored.
    Remove(DocumentId),
}

/// A document as the index needs to know it.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentEntry {
    /// Identity.
    pub id: DocumentId,
    /// Where it lives.
    pub collection: CollectionId,
    /// How sensitive it is.
    pub label: Label,
    /// If given, only these may read it.
    pub readers: Option<Vec<PrincipalId>>,
    /// Its title, searched with every passage.
    pub title: String,
    /// ISO 639-1 code; detected from the passages when absent.
    pub language: Option<String>,
}

/// One passage of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct PassageEntry {
    /// Identity, unique in its document.
    pub id: PassageId,
    /// The headings above it, joined.
    pub heading: String,
    /// Its text.
    pub text: String,
    /// Its embedding: as long as the index's dimension, of unit length. Without one it is found by its words only.
    pub vector: Option<Vec<f32>>,
}

/// Which legs of the index answer a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Words only: BM25.
    Lexical,
    /// Vectors only: cosine similarity.
    Dense,
    /// Both, fused.
    Hybrid,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Lexical, Self::Dense, Self::Hybrid];

    /// The mode's stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lexical => "lexical",
            Self::Dense => "dense",
            Self::Hybrid => "hybrid",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| format!("'{text}' is not a search mode; use lexical, dense or hybrid"))
    }
}

/// A question to the index.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// The words. Plain text: nothing in it is an operator.
    pub text: &'a str,
    /// The embedding of the words: as long as the index's dimension, of unit length. Needed by [`Mode::Dense`];
    /// a hybrid query without one is answered by its words.
    pub vector: Option<&'a [f32]>,
    /// Which legs answer.
    pub mode: Mode,
    /// Only these documents, of those in the scope; `None` for all of them.
    pub within: Option<&'a BTreeSet<DocumentId>>,
    /// How many hits at most.
    pub limit: usize,
}

/// A passage that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The passage.
    pub passage: PassageId,
    /// Its document.
    pub document: DocumentId,
    /// What hits are ordered by, 0 to 1. Comparable within one answer only: it says which hit is better, not how good it is.
    pub score: f32,
    /// BM25 score, if the lexical leg found it.
    pub bm25: Option<f32>,
    /// Cosine similarity, -1 to 1, if the query and the passage have vectors.
    pub cosine: Option<f32>,
}
