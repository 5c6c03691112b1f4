//! What leaves the appliance to prove its log: checkpoints to be kept elsewhere, and exports in the making.

use super::{Chrome, filters};
use askama::Template;

/// The newest checkpoint, to be printed, photographed or carried away.
#[derive(Debug, Clone, Template)]
#[template(path = "audit_checkpoint.html")]
pub struct CheckpointPage {
    /// The frame.
    pub chrome: Chrome,
    /// The newest one; `None` before the first.
    pub newest: Option<CheckpointView>,
    /// Earlier ones, the latest first: number of events, when, root.
    pub earlier: Vec<(u64, String, String)>,
    /// Events since the newest.
    pub since: u64,
    /// Legal holds in force: name and what they hold.
    pub holds: Vec<(String, String)>,
    /// Whether an auditor may ask here for the end of one: somebody else has to agree.
    pub releases: bool,
}

/// One checkpoint.
#[derive(Debug, Clone)]
pub struct CheckpointView {
    /// Number of events.
    pub size: u64,
    /// When it was signed.
    pub at: String,
    /// The root of the tree.
    pub root: String,
    /// The public key.
    pub key: String,
    /// The whole line, as it verifies.
    pub line: String,
}

/// An export in the making, or done.
#[derive(Debug, Clone, Template)]
#[template(path = "audit_export.html")]
pub struct ExportPage {
    /// The frame.
    pub chrome: Chrome,
    /// Its id in addresses.
    pub id: String,
    /// `jsonl` or another format.
    pub format: String,
    /// How it stands.
    pub state: ExportState,
}

/// How an export stands.
#[derive(Debug, Clone)]
pub enum ExportState {
    /// Events written, and of how many.
    Writing {
        /// Written so far: the number of the last event.
        done: u64,
        /// The number of the last of all.
        of: u64,
        /// In percent.
        share: u64,
    },
    /// It can be fetched.
    Done {
        /// Such as `1.4 MB`.
        size: String,
    },
    /// It could not be written.
    Failed {
        /// Why.
        reason: String,
    },
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl CheckpointPage {
        pub(crate) fn sample() -> Self {
            let newest = CheckpointView {
                size: 1_206,
                at: "14 March 2026, 09:41".to_owned(),
                root: "9b7e4f1c".repeat(8),
                key: "c28d510f".repeat(8),
                line: format!(
                    "{{\"checkpoint\":{{\"at\":\"2026-03-14T09:41:07.120Z\",\"hash\":\"{}\"}}}}",
                    "4f1c9b7e".repeat(8)
                ),
            };
            Self {
                chrome: Chrome::sample("Checkpoint", Nav::Audit, Role::Auditor),
                newest: Some(newest),
                earlier: vec![(1_000, "2026-03-14 08:00:00".to_owned(), "510fc28d".repeat(8))],
                since: 14,
                holds: vec![("Case 17/26".to_owned(), "person ben, from 2026-01-01".to_owned())],
                releases: true,
            }
        }

        pub(crate) fn sample_empty() -> Self {
            Self { newest: None, earlier: Vec::new(), holds: Vec::new(), ..Self::sample() }
        }
    }

    impl ExportPage {
        fn sample_in(state: ExportState) -> Self {
            Self {
                chrome: Chrome::sample("Export", Nav::Audit, Role::Auditor),
                id: "0195a1b2c3d47e5f8a9b0c1d2e3f4a5b".to_owned(),
                format: "jsonl".to_owned(),
                state,
            }
        }

        pub(crate) fn sample() -> Self {
            Self::sample_in(ExportState::Writing { done: 420_000, of: 1_000_000, share: 42 })
        }

        pub(crate) fn sample_done() -> Self {
            Self::sample_in(ExportState::Done { size: "640 MB".to_owned() })
        }

        pub(crate) fn sample_failed() -> Self {
            Self::sample_in(ExportState::Failed {
                reason: "the disk is full; free some space and try again".to_owned(),
            })
        }
    }
}
