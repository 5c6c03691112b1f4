//! One collection: its documents, uploads in work, and who may do what.

use super::{BatchView, Chrome, JobRow, JobState, Pager, filters};
use askama::Template;
use domain::{DocumentState, Label, Permission};

/// A collection's page.
#[derive(Debug, Clone, Template)]
#[template(path = "collection.html")]
pub struct CollectionPage {
    /// The frame.
    pub chrome: Chrome,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// One sentence about it; may be empty.
    pub description: String,
    /// The label that new documents get.
    pub default_label: Label,
    /// What the person may do in it.
    pub permission: Permission,
    /// How many documents the person may see in it.
    pub total: u64,
    /// Some of them, by title.
    pub documents: Vec<DocumentRow>,
    /// Links to the others.
    pub pager: Option<Pager>,
    /// What may be uploaded; given to those who may write.
    pub upload: Option<UploadRules>,
    /// How many of these are found by their words alone so far.
    pub unembedded: u64,
    /// The latest batches that are not through, or of which files failed; empty for those who may only read.
    pub batches: Vec<BatchView>,
    /// Open jobs and those that failed of late, newest first; empty for those who may only read.
    pub jobs: Vec<JobRow>,
    /// Who may do what; given to those who manage.
    pub grants: Option<GrantsEditor>,
}

/// What may be uploaded.
#[derive(Debug, Clone)]
pub struct UploadRules {
    /// Kinds of file as people call them, such as `PDF, Word, HTML, Markdown or text`.
    pub kinds: String,
    /// The largest file, such as `64 MB`.
    pub largest: String,
    /// The labels that the person may give.
    pub labels: Vec<Label>,
}

/// One document in a collection's table.
#[derive(Debug, Clone)]
pub struct DocumentRow {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where it came from.
    pub source: String,
    /// Its kind, such as `PDF`.
    pub kind: String,
    /// Pages, for formats that have them.
    pub pages: Option<u32>,
    /// 1 for the first.
    pub version: u32,
    /// How sensitive it is.
    pub label: Label,
    /// Where it stands.
    pub state: DocumentState,
    /// Whether it is found by its meaning as well; until then its words alone find it.
    pub embedded: bool,
    /// How many things extraction could not read.
    pub warnings: u64,
    /// When the current version came, such as `14 March 2026`.
    pub updated: String,
}

impl DocumentRow {
    /// The state's word, also the name of its style.
    #[must_use]
    pub const fn state_word(&self) -> &'static str {
        match self.state {
            DocumentState::Waiting => "waiting",
            DocumentState::Ready => "ready",
            DocumentState::Failed => "failed",
        }
    }

    /// The state's symbol in `icons.svg`.
    #[must_use]
    pub const fn state_icon(&self) -> &'static str {
        match self.state {
            DocumentState::Waiting => "clock",
            DocumentState::Ready => "check",
            DocumentState::Failed => "alert",
        }
    }
}

/// A person or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A group.
    Group,
}

impl PrincipalKind {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "person",
            Self::Group => "group",
        }
    }

    /// Its symbol in `icons.svg`.
    #[must_use]
    pub const fn icon(self) -> &'static str {
        match self {
            Self::User => "person",
            Self::Group => "people",
        }
    }
}

/// Who may do what in one collection, with a form to change it.
#[derive(Debug, Clone)]
pub struct GrantsEditor {
    /// Id of the collection.
    pub collection: String,
    /// The grants, groups first, by name.
    pub grants: Vec<GrantRow>,
    /// Those who have no grant yet.
    pub candidates: Vec<PrincipalChoice>,
}

impl GrantsEditor {
    /// Candidates of one kind, for a choice in two groups.
    #[must_use]
    pub fn candidates_of(&self, kind: PrincipalKind) -> Vec<&PrincipalChoice> {
        self.candidates.iter().filter(|choice| choice.kind == kind).collect()
    }
}

/// One grant.
#[derive(Debug, Clone)]
pub struct GrantRow {
    /// Id of the person or group.
    pub principal: String,
    /// Its name.
    pub name: String,
    /// Person or group.
    pub kind: PrincipalKind,
    /// What is allowed.
    pub permission: Permission,
}

/// A person or group that a grant can be given to.
#[derive(Debug, Clone)]
pub struct PrincipalChoice {
    /// Id: the value of the field `principal`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Person or group.
    pub kind: PrincipalKind,
}

impl CollectionPage {
    /// Address that answers the list of jobs as a fragment.
    #[must_use]
    pub fn jobs_address(&self) -> String {
        format!("/collections/{}?partial=jobs", self.id)
    }

    /// Whether the person may upload and delete.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.permission >= Permission::Write
    }

    /// Whether a job waits or runs.
    #[must_use]
    pub fn in_work(&self) -> bool {
        self.batches.iter().any(BatchView::in_work)
            || self.jobs.iter().any(|job| matches!(job.state, JobState::Waiting | JobState::Running))
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl GrantsEditor {
        pub(crate) fn sample() -> Self {
            let grant = |principal: &str, name: &str, kind, permission| GrantRow {
                principal: principal.to_owned(),
                name: name.to_owned(),
                kind,
                permission,
            };
            let choice =
                |id: &str, name: &str, kind| PrincipalChoice { id: id.to_owned(), name: name.to_owned(), kind };
            Self {
                collection: "c1".to_owned(),
                grants: vec![
                    grant("g1", "Everyone", PrincipalKind::Group, Permission::Read),
                    grant("g2", "Personnel office", PrincipalKind::Group, Permission::Write),
                    grant("u1", "Ada Moreau", PrincipalKind::User, Permission::Manage),
                ],
                candidates: vec![
                    choice("g3", "Night assistants", PrincipalKind::Group),
                    choice("u2", "Ben Okafor", PrincipalKind::User),
                ],
            }
        }
    }

    impl CollectionPage {
        pub(crate) fn sample() -> Self {
            let row = |number: u32, title: &str, source: &str, kind: &str, label, state| DocumentRow {
                id: format!("0195d0{number}"),
                title: title.to_owned(),
                source: source.to_owned(),
                kind: kind.to_owned(),
                pages: (kind == "PDF").then_some(20 + number * 4),
                version: 1 + number % 3,
                label,
                state,
                embedded: number != 4,
                warnings: u64::from(number == 2),
                updated: "14 March 2026".to_owned(),
            };
            Self {
                chrome: Chrome::sample("Handbook and policies", Nav::Library, Role::Curator),
                id: "c1".to_owned(),
                name: "Handbook and policies".to_owned(),
                description: "How we work: leave, travel, conduct, working time.".to_owned(),
                default_label: Label::Internal,
                permission: Permission::Manage,
                total: 6,
                unembedded: 1,
                batches: vec![BatchView::sample()],
                documents: vec![
                    row(1, "Employee Handbook", "employee-handbook.pdf", "PDF", Label::Internal, DocumentState::Ready),
                    row(2, "Travel Policy", "travel-policy.docx", "DOCX", Label::Internal, DocumentState::Ready),
                    row(
                        3,
                        "Works Agreement on Working Time",
                        "agreements/working-time.pdf",
                        "PDF",
                        Label::Confidential,
                        DocumentState::Ready,
                    ),
                    row(4, "Code of Conduct", "conduct.md", "Markdown", Label::Public, DocumentState::Ready),
                    row(
                        5,
                        "minutes-2026-02.docx",
                        "minutes-2026-02.docx",
                        "DOCX",
                        Label::Internal,
                        DocumentState::Waiting,
                    ),
                    row(6, "scan-1998.pdf", "archive/scan-1998.pdf", "PDF", Label::Internal, DocumentState::Failed),
                ],
                pager: None,
                upload: Some(UploadRules {
                    kinds: "PDF, DOCX, HTML, Markdown or text".to_owned(),
                    largest: "64 MB".to_owned(),
                    labels: vec![Label::Public, Label::Internal, Label::Confidential],
                }),
                jobs: [JobState::Running, JobState::Waiting, JobState::Failed]
                    .into_iter()
                    .map(JobRow::sample)
                    .collect(),
                grants: Some(GrantsEditor::sample()),
            }
        }

        pub(crate) fn sample_reader() -> Self {
            let mut page = Self { permission: Permission::Read, upload: None, grants: None, ..Self::sample() };
            page.jobs.clear();
            page.batches.clear();
            page.documents.truncate(4);
            page
        }

        pub(crate) fn sample_empty() -> Self {
            Self {
                documents: Vec::new(),
                batches: Vec::new(),
                jobs: Vec::new(),
                total: 0,
                unembedded: 0,
                ..Self::sample()
            }
        }
    }
}
