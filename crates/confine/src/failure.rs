//! Why a file was not read.

use crate::{Confinement, ReceiverError};
use extract::ExtractError;
use render::RenderError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::time::Duration;
use thiserror::Error;

/// Why a file was not read. Each message is one sentence for the person who brought the file.
#[derive(Debug, Error)]
pub enum ReadFailure {
    /// It was read as far as to know that it cannot be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A loop, or simply too much work.
    #[error(
        "reading it took longer than {} seconds; split the file or save it in another format", .limit.as_secs().max(1)
    )]
    TookTooLong {
        /// What it was allowed, on the clock or on the processors.
        limit: Duration,
    },
    /// An allocation failed.
    #[error("reading it needed more than {} MB of memory; split it into smaller files", .limit_bytes >> 20)]
    TooMuchMemory {
        /// What it was allowed.
        limit_bytes: u64,
    },
    /// A signal, a panic, a stack that ran over.
    #[error(
        "the program that reads documents crashed on it ({how}); the file is probably damaged, \
         save it again from the program that made it"
    )]
    Crashed {
        /// What ended the worker, as far as it helps the one who is asked about it.
        how: String,
    },
    /// The worker tried something that reading a document does not need.
    #[error(
        "reading it was stopped because it made the program that reads documents try what it may not; \
         do not open the file before someone has examined it"
    )]
    Forbidden,
    /// The worker was killed by someone else: a person, or the kernel for want of memory.
    #[error("reading it was interrupted from outside, perhaps because the machine ran out of memory; try it again")]
    Interrupted,
    /// No worker would start.
    #[error("the program that reads documents does not start ({reason}); tell whoever runs the server")]
    NoWorker {
        /// What it said, or what the system said.
        reason: String,
    },
    /// The kernel lacks something and the settings insist on it.
    #[error(
        "documents are not read because this machine cannot confine their reader ({0}); tell whoever runs the server"
    )]
    Unconfined(Confinement),
    /// The file itself cannot be got at.
    #[error("its bytes cannot be got at: {0}")]
    Source(#[source] io::Error),
    /// Whoever takes the files in it failed.
    #[error("a file in it could not be kept: {0}")]
    Receiver(#[source] ReceiverError),
}

impl ReadFailure {
    /// Whether the same file may be read if it is tried again: only if the file itself has no part in the failure.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::TookTooLong { .. }
            | Self::TooMuchMemory { .. }
            | Self::Crashed { .. }
            | Self::Forbidden => false,
            Self::Interrupted | Self::NoWorker { .. } | Self::Unconfined(_) | Self::Source(_) | Self::Receiver(_) => {
                true
            }
        }
    }
}

/// An [`ExtractError`] or a [`RenderError`] on its way between processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Which error it was.
    pub kind: RefusalKind,
    /// What it says.
    pub sentence: String,
}

/// Which error it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RefusalKind {
    /// [`ExtractError::Empty`]
    Empty,
    /// [`ExtractError::UnknownKind`]
    UnknownKind,
    /// [`ExtractError::Encrypted`]
    Encrypted,
    /// [`ExtractError::Damaged`]
    Damaged,
    /// [`ExtractError::TooLarge`]
    TooLarge,
    /// [`ExtractError::NoText`]
    NoText,
    /// [`RenderError::NoPage`]
    NoPage,
}

impl Refusal {
    /// Characters of a sentence that are shown.
    const LONGEST: usize = 500;

    /// As it may be shown: short, and without control characters, whatever a worker wrote.
    pub(crate) fn presentable(self) -> Self {
        let shown = self.sentence.chars().filter(|c| !c.is_control()).take(Self::LONGEST);
        Self { kind: self.kind, sentence: shown.collect() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Refusal {}

impl From<ExtractError> for Refusal {
    fn from(error: ExtractError) -> Self {
        let kind = match error {
            ExtractError::Empty => RefusalKind::Empty,
            ExtractError::UnknownKind { .. } => RefusalKind::UnknownKind,
            ExtractError::Encrypted => RefusalKind::Encrypted,
            ExtractError::Damaged { .. } => RefusalKind::Damaged,
            ExtractError::TooLarge { .. } => RefusalKind::TooLarge,
            ExtractError::NoText { .. } => RefusalKind::NoText,
        };
        Self { kind, sentence: error.to_string() }
    }
}

impl From<RenderError> for Refusal {
    fn from(error: RenderError) -> Self {
        let kind = match error {
            RenderError::NothingToDraw => RefusalKind::UnknownKind,
            RenderError::NoPage(_) => RefusalKind::NoPage,
            RenderError::Encrypted => RefusalKind::Encrypted,
            RenderError::Damaged(_) => RefusalKind::Damaged,
            RenderError::TooLarge(_) => RefusalKind::TooLarge,
        };
        Self { kind, sentence: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_sentence_and_is_never_tried_again() {
        let refusal = Refusal::from(ExtractError::Encrypted);
        assert_eq!(refusal.kind, RefusalKind::Encrypted);
        let failure = ReadFailure::from(refusal);
        assert_eq!(failure.to_string(), ExtractError::Encrypted.to_string());
        assert!(!failure.may_pass());
    }

    #[test]
    fn what_a_worker_writes_is_cut_and_cleaned() {
        let sentence = format!("a\u{1b}[31m\n{}", "b".repeat(10_000));
        let shown = Refusal { kind: RefusalKind::Damaged, sentence }.presentable().sentence;
        assert!(shown.starts_with("a[31mb") && shown.chars().count() == Refusal::LONGEST);
    }
}
