//! Who takes what comes while a file is read.

use crate::Progress;
use extract::Child;
use std::future::{Future, ready};

/// What kept a receiver from keeping a file.
pub type ReceiverError = Box<dyn std::error::Error + Send + Sync>;

/// Takes the files in a file, and news of how far reading has come. The worker waits meanwhile, and the time does not
/// count.
pub trait Receiver: Send {
    /// Takes a file in the file. Names and bytes come from a worker that may have been taken over: they are within
    /// the limits, and no more is promised.
    ///
    /// # Errors
    /// Any; reading ends with [`ReadFailure::Receiver`](crate::ReadFailure::Receiver).
    fn child(&mut self, child: Child) -> impl Future<Output = Result<(), ReceiverError>> + Send;

    /// Hears how far reading has come.
    fn progress(&mut self, progress: Progress) {
        let _ = progress;
    }
}

/// Files in files are dropped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dropped;

impl Receiver for Dropped {
    fn child(&mut self, _: Child) -> impl Future<Output = Result<(), ReceiverError>> + Send {
        ready(Ok(()))
    }
}
