//! The ingest queue, as a page of its own and as a fragment of a collection's page.

use super::{BatchView, Chrome, filters};
use askama::Template;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// In the queue.
    Waiting,
    /// Being worked on.
    Running,
    /// Finished.
    Done,
    /// Could not be done; `reason` says why.
    Failed,
    /// Taken out of the queue by a person.
    Cancelled,
    /// Not begun until a person lets it go on.
    Paused,
    /// In quarantine until a curator releases it.
    Held,
}

impl JobState {
    /// All states, in the order in which pages list them.
    pub const ALL: [Self; 7] =
        [Self::Running, Self::Waiting, Self::Held, Self::Paused, Self::Failed, Self::Cancelled, Self::Done];

    /// The state at the beginning of a line.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Running => "Reading",
            Self::Done => "Done",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Paused => "Paused",
            Self::Held => "In quarantine",
        }
    }

    /// The state's word, also the name of its style.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Paused => "paused",
            Self::Held => "held",
        }
    }

    /// Its symbol in `icons.svg`.
    #[must_use]
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Waiting => "clock",
            Self::Running => "progress",
            Self::Done => "check",
            Self::Failed => "alert",
            Self::Cancelled => "minus",
            Self::Paused => "pause",
            Self::Held => "shield",
        }
    }

    /// Whether it waits or runs.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Running | Self::Paused | Self::Held)
    }
}

/// One job.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// Its id.
    pub id: String,
    /// The file.
    pub source: String,
    /// Name of the collection.
    pub collection: String,
    /// Id of the document, once there is one to open.
    pub document: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// What it does now, such as `reading` or `embedding`; empty when not running.
    pub stage: String,
    /// How far it is, 0 to 100.
    pub percent: u8,
    /// Why it failed and what to do.
    pub reason: Option<String>,
    /// How many times it was tried.
    pub attempts: u32,
    /// Who submitted it.
    pub submitted_by: String,
    /// When it was submitted.
    pub submitted_at: String,
    /// When it came to its end.
    pub ended_at: Option<String>,
    /// Size of the file, such as `1.4 MB`.
    pub size: String,
    /// Whether this person may put it back into the queue.
    pub may_retry: bool,
    /// Whether this person may take it out of the queue.
    pub may_cancel: bool,
}

/// Which jobs are listed: the value of the query field `state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobFilter {
    /// All.
    All,
    /// Waiting and running.
    Open,
    /// Those that could not be done.
    Failed,
}

impl JobFilter {
    /// All filters.
    pub const ALL: [Self; 3] = [Self::All, Self::Open, Self::Failed];

    /// The filter's value in an address.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Open => "open",
            Self::Failed => "failed",
        }
    }

    /// What its link says.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Open => "In work",
            Self::Failed => "Failed",
        }
    }
}

/// The jobs page.
#[derive(Debug, Clone, Template)]
#[template(path = "jobs.html")]
pub struct JobsPage {
    /// The frame.
    pub chrome: Chrome,
    /// What was handed in together, newest first.
    pub batches: Vec<BatchView>,
    /// Single files, newest first.
    pub jobs: Vec<JobRow>,
    /// Which are listed.
    pub filter: JobFilter,
    /// How many wait or run, in all.
    pub open: u64,
    /// How many documents of the batches are found by their words alone so far.
    pub unembedded: u64,
    /// Why nothing is taken in now; `None` if it is.
    pub stopped: Option<String>,
}

impl JobsPage {
    /// Whether something on the page still changes by itself.
    #[must_use]
    pub fn in_work(&self) -> bool {
        self.batches.iter().any(BatchView::in_work)
            || self.jobs.iter().any(|job| matches!(job.state, JobState::Waiting | JobState::Running))
    }
}

/// The jobs of one collection, as its page shows them and `?partial=jobs` answers.
#[derive(Debug, Template)]
#[template(path = "partials/jobs.html")]
pub struct JobsPartial<'a> {
    /// The latest batches that are not through, or of which files failed.
    pub batches: &'a [BatchView],
    /// Open jobs and those that failed of late, newest first.
    pub jobs: &'a [JobRow],
    /// Address that answers this fragment anew.
    pub poll: &'a str,
    /// Anti-forgery token of the reader's session.
    pub csrf: &'a str,
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl JobRow {
        pub(crate) fn sample(state: JobState) -> Self {
            let (source, stage, percent) = match state {
                JobState::Waiting => ("minutes-2026-02.docx", "", 0),
                JobState::Running => ("employee-handbook.pdf", "embedding", 41),
                JobState::Done => ("travel-policy.md", "", 100),
                JobState::Failed => ("scan-1998.pdf", "", 10),
                JobState::Cancelled => ("old-draft.html", "", 0),
                JobState::Paused => ("minutes-2026-03.docx", "", 0),
                JobState::Held => ("from-the-stick.pdf", "", 0),
            };
            Self {
                id: format!("0195f0{}", state.as_str()),
                source: source.to_owned(),
                collection: "Handbook and policies".to_owned(),
                document: (state == JobState::Done).then(|| "0195d01".to_owned()),
                state,
                stage: stage.to_owned(),
                percent,
                reason: (state == JobState::Failed).then(|| {
                    "the file has pictures of pages but no text; run it through text recognition and upload the result".to_owned()
                }),
                attempts: 1,
                submitted_by: "Ada Moreau".to_owned(),
                submitted_at: "14 March 2026, 09:38".to_owned(),
                ended_at: (!state.is_open()).then(|| "14 March 2026, 09:40".to_owned()),
                size: "1.4 MB".to_owned(),
                may_retry: state == JobState::Failed,
                may_cancel: state.is_open(),
            }
        }
    }

    impl JobsPage {
        pub(crate) fn sample() -> Self {
            use JobState::{Cancelled, Done, Failed, Running, Waiting};
            Self {
                chrome: Chrome::sample("Jobs", Nav::Jobs, Role::Curator),
                jobs: [Waiting, Running, Failed, Done, Cancelled].into_iter().map(JobRow::sample).collect(),
                batches: vec![BatchView::sample(), BatchView::sample_held(), BatchView::sample_done()],
                filter: JobFilter::All,
                open: 2,
                unembedded: 812,
                stopped: None,
            }
        }

        pub(crate) fn sample_empty() -> Self {
            let (batches, jobs) = (Vec::new(), Vec::new());
            Self { batches, jobs, filter: JobFilter::Failed, open: 0, unembedded: 0, ..Self::sample() }
        }
    }
}
