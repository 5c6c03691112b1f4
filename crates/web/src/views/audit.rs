//! The audit log.

use super::{Chrome, Pager, filters};
use askama::Template;

/// The audit page.
#[derive(Debug, Clone, Template)]
#[template(path = "audit.html")]
pub struct AuditPage {
    /// The frame.
    pub chrome: Chrome,
    /// What is looked for.
    pub filter: AuditFilter,
    /// Names of all actions.
    pub actions: Vec<String>,
    /// Names of all labels.
    pub labels: Vec<String>,
    /// The events found, newest first.
    pub entries: Vec<AuditRow>,
    /// Links to newer and older ones.
    pub pager: Option<Pager>,
    /// The end of the chain.
    pub head: AuditHead,
    /// What the last verification said.
    pub verification: Option<Verification>,
    /// Why the filter could not be applied.
    pub error: Option<String>,
}

/// What an auditor looks for. Fields are as typed; empty means any.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// First day, `2026-03-14`.
    pub from: String,
    /// Last day, `2026-03-14`.
    pub to: String,
    /// Sign-in name.
    pub person: String,
    /// Name of the action.
    pub action: String,
    /// Id of a document, a passage or anything else.
    pub document: String,
    /// Name of the label.
    pub label: String,
    /// Words anywhere in the event.
    pub text: String,
}

impl AuditFilter {
    /// Whether anything is filtered.
    #[must_use]
    pub fn is_set(&self) -> bool {
        let Self { from, to, person, action, document, label, text } = self;
        [from, to, person, action, document, label, text].into_iter().any(|field| !field.is_empty())
    }
}

/// How an act ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It was done.
    Success,
    /// It was not allowed.
    Denied,
    /// It went wrong.
    Failed,
}

impl AuditOutcome {
    /// Its word, also the name of its style.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }

    /// Its symbol in `icons.svg`.
    #[must_use]
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Success => "check",
            Self::Denied => "denied",
            Self::Failed => "alert",
        }
    }
}

/// One event.
#[derive(Debug, Clone)]
pub struct AuditRow {
    /// 1-based place in the chain.
    pub sequence: u64,
    /// When, such as `2026-03-14 09:41:07`.
    pub at: String,
    /// The day of it, such as `2026-03-14`.
    pub day: String,
    /// The id of its object, if that is a document.
    pub document: Option<String>,
    /// Who.
    pub person: String,
    /// From where.
    pub address: Option<String>,
    /// What, such as `question.asked`.
    pub action: String,
    /// On what: its name, or else its id.
    pub object: Option<String>,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The event's detail as indented JSON; empty when it has none.
    pub detail: String,
    /// The passages that were retrieved and shown.
    pub passages: Vec<ShownPassage>,
    /// Id of the request or command.
    pub operation: String,
    /// Hash of the event, hexadecimal.
    pub hash: String,
    /// Hash of the event before it.
    pub previous: String,
}

/// A passage that was shown to someone.
#[derive(Debug, Clone)]
pub struct ShownPassage {
    /// Title of its document.
    pub title: String,
    /// 1-based page, for formats that have them.
    pub page: Option<u32>,
    /// Version of its document.
    pub version: u32,
    /// Its id.
    pub passage: String,
    /// BLAKE3 of its text.
    pub hash: String,
}

/// The end of the chain.
#[derive(Debug, Clone)]
pub struct AuditHead {
    /// How many events there are.
    pub count: u64,
    /// Hash of the last one, hexadecimal.
    pub hash: String,
    /// Fingerprint of the appliance's public key.
    pub key: Option<String>,
}

/// What a verification of the whole chain said.
#[derive(Debug, Clone)]
pub struct Verification {
    /// Whether the chain is intact.
    pub intact: bool,
    /// The result in words.
    pub text: String,
}

/// One event on a page of its own.
#[derive(Debug, Clone, Template)]
#[template(path = "audit_event.html")]
pub struct AuditEventPage {
    /// The frame.
    pub chrome: Chrome,
    /// Its place in the chain.
    pub sequence: u64,
    /// The event; `None` if its content was purged.
    pub entry: Option<AuditRow>,
    /// What is left of it, if its content was purged.
    pub purged: Option<PurgedView>,
    /// The events just before and after it in the chain, oldest first, itself included.
    pub neighbours: Vec<AuditRow>,
}

/// What is known of an event whose content was purged.
#[derive(Debug, Clone)]
pub struct PurgedView {
    /// Its place in the chain.
    pub sequence: u64,
    /// When it happened.
    pub at: String,
    /// What it was.
    pub action: String,
    /// The event that purged its content.
    pub by: u64,
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl AuditRow {
        fn sample(sequence: u64, person: &str, action: &str, object: Option<&str>, outcome: AuditOutcome) -> Self {
            Self {
                sequence,
                at: format!("2026-03-14 09:41:{:02}", sequence % 60),
                day: "2026-03-14".to_owned(),
                document: action.starts_with("document.").then(|| "0195a1c0de1".to_owned()),
                person: person.to_owned(),
                address: Some("10.0.4.17".to_owned()),
                action: action.to_owned(),
                object: object.map(str::to_owned),
                outcome,
                detail: "{\n  \"mode\": \"hybrid\"\n}".to_owned(),
                passages: Vec::new(),
                operation: "0195a1b2c3d47e5f8a9b0c1d2e3f4a5b".to_owned(),
                hash: "4f1c9b7e".repeat(8),
                previous: "a07be213".repeat(8),
            }
        }

        pub(crate) fn samples() -> Vec<Self> {
            let shown = ShownPassage {
                title: "Employee Handbook".to_owned(),
                page: Some(12),
                version: 3,
                passage: "0195a1feed1".to_owned(),
                hash: "77aa03".repeat(10),
            };
            let mut shown_event = Self::sample(
                1_204,
                "ben",
                "passages.shown",
                Some("How many days of annual leave do I get?"),
                AuditOutcome::Success,
            );
            shown_event.passages = vec![
                shown.clone(),
                ShownPassage { page: None, title: "Minutes of the Staff Council".to_owned(), ..shown },
            ];
            vec![
                Self::sample(1_206, "emil", "document.refused", Some("0195d04c0ffe"), AuditOutcome::Denied),
                Self::sample(1_205, "ben", "document.opened", Some("Employee Handbook"), AuditOutcome::Success),
                shown_event,
                Self::sample(
                    1_203,
                    "ben",
                    "question.asked",
                    Some("How many days of annual leave do I get?"),
                    AuditOutcome::Success,
                ),
                Self::sample(1_202, "(nobody)", "sign_in.failed", None, AuditOutcome::Failed),
            ]
        }
    }

    impl AuditPage {
        pub(crate) fn sample() -> Self {
            Self {
                chrome: Chrome::sample("Audit", Nav::Audit, Role::Auditor),
                filter: AuditFilter { person: "ben".to_owned(), ..AuditFilter::default() },
                actions: ["sign_in.failed", "question.asked", "passages.shown", "document.opened", "document.refused"]
                    .map(str::to_owned)
                    .to_vec(),
                labels: ["public", "internal", "confidential", "secret"].map(str::to_owned).to_vec(),
                entries: AuditRow::samples(),
                pager: Some(Pager {
                    summary: "5 events".to_owned(),
                    previous: None,
                    next: Some("/audit?person=ben&before=1202".to_owned()),
                }),
                head: AuditHead {
                    count: 1_206,
                    hash: "4f1c9b7e".repeat(8),
                    key: Some("c2:8d:51:0f:aa:17:9e:44".to_owned()),
                },
                verification: Some(Verification {
                    intact: true,
                    text: "All 1,206 events are in place: none was edited, dropped or moved.".to_owned(),
                }),
                error: None,
            }
        }

        pub(crate) fn sample_empty() -> Self {
            let verification = Some(Verification {
                intact: false,
                text: "Event 418 was edited: its hash does not match its content.".to_owned(),
            });
            Self { entries: Vec::new(), pager: None, verification, ..Self::sample() }
        }
    }

    impl AuditEventPage {
        pub(crate) fn sample() -> Self {
            let mut neighbours = AuditRow::samples();
            neighbours.reverse();
            let entry = neighbours[2].clone();
            let chrome = Chrome::sample("Event 1,204", Nav::Audit, Role::Auditor);
            Self { chrome, sequence: 1_204, entry: Some(entry), purged: None, neighbours }
        }

        pub(crate) fn sample_purged() -> Self {
            let mut page = Self::sample();
            page.neighbours.remove(2);
            let (at, action) = ("2026-03-14 09:41:04".to_owned(), "question.asked".to_owned());
            Self { entry: None, purged: Some(PurgedView { sequence: 1_204, at, action, by: 9_876 }), ..page }
        }
    }
}
