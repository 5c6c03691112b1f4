//! Batches: what was handed in together, how far it is, and one of them with its files.

use super::{Chrome, JobRow, JobState, Pager, filters};
use askama::Template;

/// How many jobs of a batch are in which state.
#[derive(Debug, Clone, Copy, Default)]
pub struct BatchCounts {
    /// Nobody works on them yet.
    pub waiting: u64,
    /// Being worked on.
    pub running: u64,
    /// Found by their words.
    pub done: u64,
    /// Given up.
    pub failed: u64,
    /// Called off.
    pub cancelled: u64,
    /// Not to be begun for now.
    pub paused: u64,
    /// In quarantine.
    pub held: u64,
}

impl BatchCounts {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.open() + self.ended()
    }

    /// Those that have not come to their end.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.waiting + self.running + self.paused + self.held
    }

    /// Those that have.
    #[must_use]
    pub const fn ended(&self) -> u64 {
        self.done + self.failed + self.cancelled
    }

    /// Those in this state.
    #[must_use]
    pub const fn of(&self, state: JobState) -> u64 {
        match state {
            JobState::Waiting => self.waiting,
            JobState::Running => self.running,
            JobState::Done => self.done,
            JobState::Failed => self.failed,
            JobState::Cancelled => self.cancelled,
            JobState::Paused => self.paused,
            JobState::Held => self.held,
        }
    }
}

/// A batch and how far it is.
#[derive(Debug, Clone)]
pub struct BatchView {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// Id of its collection.
    pub collection_id: String,
    /// Name of its collection.
    pub collection: String,
    /// Who submitted it.
    pub submitted_by: String,
    /// When.
    pub submitted_at: String,
    /// Its jobs by state.
    pub counts: BatchCounts,
    /// Files that had not changed.
    pub unchanged: u64,
    /// Documents that still have no vectors.
    pub unembedded: u64,
    /// Size of its files, such as `1.4 GB`.
    pub size: String,
    /// Documents a second of late, such as `12.4`.
    pub rate: Option<String>,
    /// How long it will take, such as `about 3 minutes`.
    pub left: Option<String>,
}

impl BatchView {
    /// Where it stands as a whole.
    #[must_use]
    pub const fn state(&self) -> JobState {
        let counts = &self.counts;
        if counts.running > 0 {
            JobState::Running
        } else if counts.waiting > 0 {
            JobState::Waiting
        } else if counts.held > 0 {
            JobState::Held
        } else if counts.paused > 0 {
            JobState::Paused
        } else if counts.failed > 0 {
            JobState::Failed
        } else if counts.cancelled > 0 && counts.done == 0 {
            JobState::Cancelled
        } else {
            JobState::Done
        }
    }

    /// That as words.
    #[must_use]
    pub fn state_words(&self) -> &'static str {
        match self.state() {
            JobState::Running => "reading",
            JobState::Held => "in quarantine",
            JobState::Failed if self.counts.done > 0 => "done, with failures",
            JobState::Done if self.counts.total() == 0 => "nothing to do",
            state => state.as_str(),
        }
    }

    /// Whether its numbers still change by themselves.
    #[must_use]
    pub const fn in_work(&self) -> bool {
        self.to_go() + self.unembedded > 0
    }

    /// The word by which the script knows whether to look again.
    #[must_use]
    pub const fn poll_state(&self) -> &'static str {
        if self.in_work() { "running" } else { "ended" }
    }

    /// Widths in a bar of 1,000: of what is done, failed, and cancelled.
    #[must_use]
    pub fn widths(&self) -> (u64, u64, u64) {
        let width = |jobs: u64| jobs * 1000 / self.counts.total().max(1);
        (width(self.counts.done), width(self.counts.failed), width(self.counts.cancelled))
    }

    /// Width in a bar of 1,000 of what has its vectors.
    #[must_use]
    pub fn embedded_width(&self) -> u64 {
        self.embedded() * 1000 / self.counts.total().max(1)
    }

    /// How many will be read without anybody's doing.
    #[must_use]
    pub const fn to_go(&self) -> u64 {
        self.counts.waiting + self.counts.running
    }

    /// How many of its documents have their vectors.
    #[must_use]
    pub const fn embedded(&self) -> u64 {
        self.counts.done.saturating_sub(self.unembedded)
    }

    /// The acts that make sense now: name in the address, words, symbol.
    #[must_use]
    pub fn acts(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let counts = &self.counts;
        let acts = [
            (counts.held > 0, ("release", "Release from quarantine", "check")),
            (counts.paused > 0, ("resume", "Resume", "right")),
            (counts.waiting > 0, ("pause", "Pause", "pause")),
            (counts.failed > 0, ("retry", "Try failed again", "retry")),
            (counts.open() > 0, ("cancel", "Cancel", "close")),
        ];
        acts.into_iter().filter(|(sensible, _)| *sensible).map(|(_, act)| act).collect()
    }
}

/// One batch with its files.
#[derive(Debug, Clone, Template)]
#[template(path = "batch.html")]
pub struct BatchPage {
    /// The frame.
    pub chrome: Chrome,
    /// The batch.
    pub batch: BatchView,
    /// Only files in this state are listed; all if none.
    pub filter: Option<JobState>,
    /// Some of its files, in the order in which they came.
    pub jobs: Vec<JobRow>,
    /// Links to the others.
    pub pager: Option<Pager>,
    /// Whether the person may open the page of all jobs.
    pub all_jobs: bool,
}

impl BatchPage {
    /// The states that files of it are in, with their numbers.
    #[must_use]
    pub fn states(&self) -> Vec<(JobState, u64)> {
        let states = JobState::ALL.into_iter().map(|state| (state, self.batch.counts.of(state)));
        states.filter(|(state, jobs)| *jobs > 0 || self.filter == Some(*state)).collect()
    }

    /// Where its acts lead back to.
    #[must_use]
    pub const fn back(&self) -> &'static str {
        "batch"
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl BatchView {
        pub(crate) fn sample() -> Self {
            Self {
                id: "0195ba1".to_owned(),
                title: "contracts, 3,000 files".to_owned(),
                collection_id: "c1".to_owned(),
                collection: "Handbook and policies".to_owned(),
                submitted_by: "Ada Moreau".to_owned(),
                submitted_at: "14 March 2026, 09:38".to_owned(),
                counts: BatchCounts {
                    waiting: 1_790,
                    running: 2,
                    done: 1_204,
                    failed: 3,
                    cancelled: 1,
                    paused: 0,
                    held: 0,
                },
                unchanged: 12,
                unembedded: 812,
                size: "1.4 GB".to_owned(),
                rate: Some("12.4".to_owned()),
                left: Some("about 3 minutes".to_owned()),
            }
        }

        pub(crate) fn sample_done() -> Self {
            let counts = BatchCounts { done: 12, ..BatchCounts::default() };
            let (id, title) = ("0195ba2".to_owned(), "employee-handbook.pdf".to_owned());
            Self { id, title, counts, unchanged: 0, unembedded: 0, rate: None, left: None, ..Self::sample() }
        }

        pub(crate) fn sample_held() -> Self {
            let counts = BatchCounts { held: 40, ..BatchCounts::default() };
            let (id, title) = ("0195ba3".to_owned(), "/media/usb".to_owned());
            Self { id, title, counts, unchanged: 0, unembedded: 0, rate: None, left: None, ..Self::sample() }
        }
    }

    impl BatchPage {
        pub(crate) fn sample() -> Self {
            Self {
                chrome: Chrome::sample("contracts, 3,000 files", Nav::Jobs, Role::Curator),
                batch: BatchView::sample(),
                filter: None,
                jobs: JobState::ALL.into_iter().map(JobRow::sample).collect(),
                pager: Some(Pager {
                    summary: "7 of 3,000".to_owned(),
                    previous: None,
                    next: Some("/batches/0195ba1?after=0195f0held".to_owned()),
                }),
                all_jobs: true,
            }
        }

        pub(crate) fn sample_nothing_failed() -> Self {
            let batch = BatchView::sample_done();
            Self { batch, filter: Some(JobState::Failed), jobs: Vec::new(), pager: None, ..Self::sample() }
        }
    }
}
