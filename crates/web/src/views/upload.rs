//! What came of an upload.

use super::{Chrome, filters};
use askama::Template;

/// What became of one file of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileOutcome {
    /// It waits to be read.
    Queued,
    /// The very same file is there already.
    Unchanged,
    /// The very same file is there under another name, if the person may know that name.
    Known(Option<String>),
    /// It was not taken in: why.
    Failed(String),
}

impl FileOutcome {
    /// The outcome's stable name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Unchanged => "unchanged",
            Self::Known(_) => "known",
            Self::Failed(_) => "failed",
        }
    }
}

/// The answer to an upload of which not everything went the plain way.
#[derive(Debug, Clone, Template)]
#[template(path = "uploaded.html")]
pub struct UploadedPage {
    /// The frame.
    pub chrome: Chrome,
    /// Id of the collection.
    pub collection_id: String,
    /// Its name.
    pub collection: String,
    /// The batch, if anything came into one.
    pub batch: Option<String>,
    /// Files that wait to be read.
    pub queued: u64,
    /// Files that had not changed.
    pub unchanged: u64,
    /// Files that are known under another name, in all.
    pub known: u64,
    /// Files that were not taken in, in all.
    pub failed: u64,
    /// Source of the first of those that were not queued, and what became of them.
    pub files: Vec<(String, FileOutcome)>,
}

impl UploadedPage {
    /// All files.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.queued + self.unchanged + self.known + self.failed
    }

    /// How many of those that were not queued are not listed.
    #[must_use]
    pub fn more(&self) -> u64 {
        (self.unchanged + self.known + self.failed).saturating_sub(self.files.len() as u64)
    }
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl UploadedPage {
        pub(crate) fn sample() -> Self {
            let file = |source: &str, outcome| (source.to_owned(), outcome);
            Self {
                chrome: Chrome::sample("Upload", Nav::Library, Role::Curator),
                collection_id: "c1".to_owned(),
                collection: "Handbook and policies".to_owned(),
                batch: Some("0195ba1".to_owned()),
                queued: 41,
                unchanged: 1,
                known: 1,
                failed: 1,
                files: vec![
                    file("minutes/2026-02.docx", FileOutcome::Unchanged),
                    file("minutes/copy of 2026-02.docx", FileOutcome::Known(Some("minutes/2026-02.docx".to_owned()))),
                    file("minutes/empty.txt", FileOutcome::Failed("the file is empty".to_owned())),
                ],
            }
        }
    }
}
