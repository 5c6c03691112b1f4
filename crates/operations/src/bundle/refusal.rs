//! Why a bundle is not taken.

use super::Kind;
use std::io;
use std::path::{Path, PathBuf};

/// Why a bundle was refused. What was in force still is.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It ends too early, or is no archive of ours.
    #[error("the file is cut short, or is no bundle: {0}; copy it again from its source")]
    Cut(String),
    /// A member is not what was signed.
    #[error("'{0}' is not what was signed: the file was altered or went bad; copy it again from its source")]
    Altered(String),
    /// It holds what its manifest does not name.
    #[error("it holds '{0}', which its manifest does not name")]
    Stranger(String),
    /// A name that leads elsewhere, or a manifest that cannot be meant.
    #[error("its manifest cannot be used: {0}")]
    Manifest(String),
    /// Nobody who is trusted signed it.
    #[error("no trusted key signed it (it names {0}); compare with 'carrel bundle keys' and ask the supplier")]
    Untrusted(String),
    /// The key is trusted, and the signature is not its.
    #[error("the signature does not belong to this manifest: it was forged, or the file was altered")]
    Forged,
    /// No key is trusted here.
    #[error("no key is trusted here: put the supplier's public key as a file *.pub into {}, once", .0.display())]
    NoKeys(PathBuf),
    /// A later format.
    #[error("its format {0} is newer than this release understands; update the program first")]
    Format(u64),
    /// Of somebody else.
    #[error("it is for another product ('{0}')")]
    Product(String),
    /// Of another processor.
    #[error("it is for another kind of processor ('{0}')")]
    Architecture(String),
    /// Of a kind that this release does not know, or that is not taken here.
    #[error("{0}")]
    Kind(String),
    /// It, or a later one, was in force before.
    #[error(
        "it is old: {kind} {version} has the sequence {sequence}, and {known} was taken before; an old bundle is not played again{}",
        if kind.may_go_back() { " (--allow-downgrade takes it all the same)" } else { "" }
    )]
    Old {
        /// What it is.
        kind: Kind,
        /// Its version.
        version: String,
        /// Its place in the order of its kind.
        sequence: u64,
        /// The place of the last one taken.
        known: u64,
    },
    /// It does not fit.
    #[error("{} has {free_mb} MB free, and {needed_mb} MB are needed; make room and try again. Nothing was written", path.display())]
    NoSpace {
        /// The disk's folder.
        path: PathBuf,
        /// What is free.
        free_mb: u64,
        /// What is needed.
        needed_mb: u64,
    },
    /// What is in it does not stand the checks of its kind.
    #[error("{0}")]
    Unsound(String),
    /// The file system failed.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Refusal {
    /// A word for the audit log and for programs; it never changes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Cut(_) => "cut",
            Self::Altered(_) => "altered",
            Self::Stranger(_) => "unnamed_member",
            Self::Manifest(_) => "manifest",
            Self::Untrusted(_) => "unknown_key",
            Self::Forged => "forged",
            Self::NoKeys(_) => "no_keys",
            Self::Format(_) => "format",
            Self::Product(_) => "other_product",
            Self::Architecture(_) => "other_architecture",
            Self::Kind(_) => "kind",
            Self::Old { .. } => "old",
            Self::NoSpace { .. } => "no_space",
            Self::Unsound(_) => "unsound",
            Self::File { .. } => "file",
        }
    }
}

/// Puts the path beside what the system said.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Refusal {
    move |source| Refusal::File { path: path.to_owned(), source }
}
