//! What needs a second person.

use super::Chrome;
use askama::Template;

/// The approvals page.
#[derive(Debug, Clone, Template)]
#[template(path = "approvals.html")]
pub struct ApprovalsPage {
    /// The frame.
    pub chrome: Chrome,
    /// Requests that concern the reader, the newest first.
    pub rows: Vec<ApprovalRow>,
}

/// One request.
#[derive(Debug, Clone)]
pub struct ApprovalRow {
    /// Id.
    pub id: String,
    /// What is to be done.
    pub summary: String,
    /// Why, if that was said.
    pub reason: String,
    /// Who asks.
    pub asked_by: String,
    /// When.
    pub asked: String,
    /// Until when it stands.
    pub until: String,
    /// What has become of it.
    pub standing: ApprovalStanding,
    /// Who decided.
    pub decided_by: Option<String>,
    /// Whether the reader may decide.
    pub may_decide: bool,
    /// Whether the reader may take it back.
    pub may_withdraw: bool,
    /// The fields of the form that does it, if it is an export that waits for the reader.
    pub export: Vec<(String, String)>,
    /// Whether a command at the console waits for the reader to go on with it.
    pub console: bool,
}

/// What has become of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalStanding {
    /// Nobody has decided.
    Waiting,
    /// Somebody agreed.
    Approved,
    /// Somebody said no.
    Refused,
    /// It was taken back.
    Withdrawn,
    /// It was done.
    Done,
    /// It was too late.
    Expired,
}

impl ApprovalStanding {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "agreed",
            Self::Refused => "refused",
            Self::Withdrawn => "taken back",
            Self::Done => "done",
            Self::Expired => "expired",
        }
    }

    /// Class and symbol of the states that other lists have.
    #[must_use]
    pub const fn look(self) -> (&'static str, &'static str) {
        match self {
            Self::Waiting => ("waiting", "clock"),
            Self::Approved | Self::Done => ("ready", "check"),
            Self::Refused => ("failed", "alert"),
            Self::Withdrawn | Self::Expired => ("cancelled", "minus"),
        }
    }
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl ApprovalsPage {
        pub(crate) fn sample() -> Self {
            let row = |id: &str, summary: &str, standing| ApprovalRow {
                id: id.to_owned(),
                summary: summary.to_owned(),
                reason: String::new(),
                asked_by: "Chiyo Tanaka".to_owned(),
                asked: "14 March 2026, 09:41".to_owned(),
                until: "17 March 2026, 09:41".to_owned(),
                standing,
                decided_by: None,
                may_decide: false,
                may_withdraw: false,
                export: Vec::new(),
                console: false,
            };
            let rows = vec![
                ApprovalRow {
                    may_decide: true,
                    reason: "The works council asked for it.".to_owned(),
                    ..row("a1", "Let night-watch read in Personnel", ApprovalStanding::Waiting)
                },
                ApprovalRow {
                    decided_by: Some("Ada Moreau".to_owned()),
                    export: vec![("format".to_owned(), "csv".to_owned()), ("approval".to_owned(), "a2".to_owned())],
                    ..row("a2", "Export the audit log as csv: person ben", ApprovalStanding::Approved)
                },
                ApprovalRow { may_withdraw: true, ..row("a3", "Let ben manage in Safety", ApprovalStanding::Waiting) },
                row("a4", "Let ben read in Board", ApprovalStanding::Expired),
                ApprovalRow {
                    console: true,
                    ..row("a5", "Restore the backup 20260314T080000000Z", ApprovalStanding::Approved)
                },
            ];
            Self { chrome: Chrome::sample("Approvals", Nav::None, Role::Admin), rows }
        }

        pub(crate) fn sample_empty() -> Self {
            Self { rows: Vec::new(), ..Self::sample() }
        }
    }
}
