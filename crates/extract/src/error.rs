//! What can be wrong with a file.

use thiserror::Error;

/// Why a file gave no text. Each message is one sentence for the person who brought the file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExtractError {
    /// No bytes, or nothing but white space.
    #[error("the file is empty; check that it was saved or copied completely")]
    Empty,
    /// None of the formats that can be read.
    #[error("this kind of file cannot be read: {reason}")]
    UnknownKind {
        /// What it is instead and what to do.
        reason: String,
    },
    /// A password or a certificate is needed to open it.
    #[error("the file is encrypted; save a copy without a password and import that")]
    Encrypted,
    /// The format was recognised but its content cannot be followed.
    #[error("the file is damaged ({reason}); save it again from the program that made it")]
    Damaged {
        /// What could not be followed.
        reason: String,
    },
    /// More than [`Limits`](crate::Limits) allow.
    #[error("the file is too large: {what} is more than the limit of {limit}; split it into smaller files")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit, with its unit.
        limit: String,
    },
    /// It can be read, and there is no text in it.
    #[error("the file holds no text: {reason}")]
    NoText {
        /// Why that is likely, and what to do.
        reason: &'static str,
    },
}

impl ExtractError {
    pub(crate) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged { reason: reason.into() }
    }

    pub(crate) fn unknown(reason: impl Into<String>) -> Self {
        Self::UnknownKind { reason: reason.into() }
    }
}
