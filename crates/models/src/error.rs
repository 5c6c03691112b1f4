//! Why something could not be done with a model, in sentences that say what to do.

use inference::ModelError;
use std::path::PathBuf;
use storage::StorageError;

/// Why it was not done. What ran before still runs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelsError {
    /// There is no such model.
    #[error("there is no model '{0}'; choose one from the list of models")]
    Unknown(String),
    /// It makes no sense, or may not be, as things stand; the sentence says why and what to do.
    #[error("{0}")]
    Refused(String),
    /// Another act has not ended.
    #[error("{0}; wait until that is done and try again")]
    Busy(String),
    /// It would not fit.
    #[error(
        "'{name}' needs about {} of memory and {} are free; unload another model or choose a smaller one",
        gigabytes(*need), gigabytes(*free)
    )]
    Memory {
        /// The model.
        name: String,
        /// Bytes that it is expected to take, with a reserve for everything else.
        need: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The file is not the one that was imported.
    #[error("the file of '{0}' was changed after its import; import the model again from its medium")]
    Changed(String),
    /// The model itself refuses.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The database refuses.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file could not be read or written.
    #[error("{}: {reason}; check that it is there, that the server may read it, and that the disk has room", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        reason: String,
    },
    /// A thread was lost.
    #[error("it was interrupted; try again")]
    Interrupted,
}

impl ModelsError {
    pub(crate) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::File { path: path.to_owned(), reason: error.to_string() }
    }

    /// Whether the file is at fault, so that what was known of it holds no longer.
    pub(crate) const fn unsound(&self) -> bool {
        matches!(
            self,
            Self::Changed(_)
                | Self::File { .. }
                | Self::Model(
                    ModelError::Unreadable { .. }
                        | ModelError::CutShort { .. }
                        | ModelError::Damaged { .. }
                        | ModelError::Unsupported { .. }
                        | ModelError::Missing { .. }
                        | ModelError::Template { .. }
                )
        )
    }
}

/// `1.4 GB`
fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}
