//! Tally: how many questions were taken since the start, and how their answers ended. Nothing of what was asked.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use storage::AnswerState;

/// Counts since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Questions taken.
    pub asked: u64,
    /// Answers written to their end.
    pub finished: u64,
    /// Questions that the documents did not answer.
    pub refused: u64,
    /// Answers stopped by their readers.
    pub stopped: u64,
    /// Answers that a fault ended.
    pub failed: u64,
    /// Answers of the model in use that a larger one was asked to write again.
    pub escalated: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    asked: AtomicU64,
    finished: AtomicU64,
    refused: AtomicU64,
    stopped: AtomicU64,
    failed: AtomicU64,
    escalated: AtomicU64,
}

impl Tally {
    pub(crate) fn ask(&self) {
        self.asked.fetch_add(1, Relaxed);
    }

    pub(crate) fn escalate(&self) {
        self.escalated.fetch_add(1, Relaxed);
    }

    /// Counts an answer that ended so; one that did not end is none.
    pub(crate) fn end(&self, state: AnswerState) {
        let count = match state {
            AnswerState::Finished => &self.finished,
            AnswerState::Refused => &self.refused,
            AnswerState::Stopped => &self.stopped,
            AnswerState::Failed => &self.failed,
            AnswerState::Searching | AnswerState::Writing => return,
        };
        count.fetch_add(1, Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            asked: self.asked.load(Relaxed),
            finished: self.finished.load(Relaxed),
            refused: self.refused.load(Relaxed),
            stopped: self.stopped.load(Relaxed),
            failed: self.failed.load(Relaxed),
            escalated: self.escalated.load(Relaxed),
        }
    }
}
