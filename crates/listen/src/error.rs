//! What can be wrong with keys, certificates and lists of revoked ones.

use std::path::{Path, PathBuf};

/// Why TLS cannot be spoken. Each sentence names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{}: {source}", .file.display())]
    File {
        /// Which one.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds nothing of the kind that it should.
    #[error("{} holds no {what}; give a PEM file with one", .file.display())]
    Empty {
        /// Which one.
        file: PathBuf,
        /// `certificate`, `private key`, `list of revoked certificates`.
        what: &'static str,
    },
    /// Others than its owner may read a secret.
    #[error("{} can be read or changed by others (mode {mode:03o}); run 'chmod 600 {}'", .file.display(), .file.display())]
    Exposed {
        /// Which one.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The parts do not make a usable whole, such as a key that belongs to another certificate.
    #[error("{}: {reason}", .file.display())]
    Unusable {
        /// The file at fault.
        file: PathBuf,
        /// One sentence.
        reason: String,
    },
    /// A certificate of our own could not be made.
    #[error("no certificate could be made: {0}")]
    Making(#[from] rcgen::Error),
}

impl TlsError {
    pub(crate) fn file(file: &Path, source: std::io::Error) -> Self {
        Self::File { file: file.to_owned(), source }
    }

    pub(crate) fn unusable(file: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Unusable { file: file.to_owned(), reason: reason.to_string() }
    }
}
