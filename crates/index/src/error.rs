//! What can go wrong in the index.

use std::path::{Path, PathBuf};

/// Why the index could not be opened, changed or searched.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The files contradict each other, are cut short or come from another version or embedding model. Nothing is
    /// lost: delete the directory, open it anew and put all documents again.
    #[error("the index in {directory} cannot be used: {reason}; rebuild it from the database")]
    Damaged {
        /// The index directory.
        directory: PathBuf,
        /// What was found.
        reason: String,
    },
    /// Another process holds the index.
    #[error("the index in {directory} is open in another process; stop that one first")]
    InUse {
        /// The index directory.
        directory: PathBuf,
    },
    /// A vector has not the dimension that the index was opened with.
    #[error("the vector has {found} dimensions, the index {expected}; embed it with the index's model")]
    Dimension {
        /// The index's dimension.
        expected: usize,
        /// The vector's.
        found: usize,
    },
    /// A vector is not of unit length, or holds a value that is no number.
    #[error("the vector is not of unit length; embed the text again")]
    NotUnit,
    /// A dense search came without a vector.
    #[error("a dense search needs the query's vector; load an embedding model or search in lexical mode")]
    NoVector,
    /// One document was put with the same passage twice.
    #[error("passage {0} stands twice in one document; give each passage its own id")]
    DuplicatePassage(domain::PassageId),
    /// Reading or writing a file failed.
    #[error("the index file {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The full-text index failed.
    #[error("the full-text index failed: {0}")]
    Text(#[from] tantivy::TantivyError),
}

impl IndexError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::File { path: path.to_path_buf(), source }
    }

    pub(crate) fn damaged(directory: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { directory: directory.to_path_buf(), reason: reason.into() }
    }
}
