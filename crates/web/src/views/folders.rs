//! Folders that are watched for files, for those who manage the collections that they fill.

use super::Chrome;
use askama::Template;
use domain::Label;

/// The page of watched folders.
#[derive(Debug, Clone, Template)]
#[template(path = "folders.html")]
pub struct FoldersPage {
    /// The frame.
    pub chrome: Chrome,
    /// The folders of all collections that this person manages, by path.
    pub folders: Vec<FolderRow>,
    /// Id and name of the collections that this person manages.
    pub collections: Vec<(String, String)>,
    /// Labels that this person may give.
    pub labels: Vec<Label>,
    /// Where folders may be watched.
    pub places: Vec<String>,
}

/// One watched folder.
#[derive(Debug, Clone)]
pub struct FolderRow {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub path: String,
    /// Name of the collection that its files go into.
    pub collection: String,
    /// Label of new documents; the collection's if none.
    pub label: Option<Label>,
    /// What becomes of a document whose file is gone, in words.
    pub removal: &'static str,
    /// Whether its files wait for a release.
    pub quarantine: bool,
    /// How often it is looked into, such as `every 5 minutes`.
    pub every: String,
    /// Not looked into for now.
    pub paused: bool,
    /// A look is under way or about to begin.
    pub looking: bool,
    /// When it was looked into last.
    pub looked: Option<String>,
    /// What was found then, such as `1,204 files, 3 new or changed`.
    pub found: Option<String>,
    /// What went wrong then.
    pub problem: Option<String>,
}

impl FoldersPage {
    /// Whether this person can have a folder watched at all.
    #[must_use]
    pub const fn may_add(&self) -> bool {
        !self.collections.is_empty() && !self.places.is_empty()
    }
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl FoldersPage {
        pub(crate) fn sample() -> Self {
            let row = FolderRow {
                id: "f1".to_owned(),
                path: "/mnt/office/policies".to_owned(),
                collection: "Handbook and policies".to_owned(),
                label: None,
                removal: "hidden",
                quarantine: false,
                every: "every 5 minutes".to_owned(),
                paused: false,
                looking: false,
                looked: Some("14 March 2026, 09:41".to_owned()),
                found: Some("1,204 files, 3 new or changed, 1 renamed".to_owned()),
                problem: None,
            };
            let usb = FolderRow {
                id: "f2".to_owned(),
                path: "/media/usb".to_owned(),
                collection: "Contracts".to_owned(),
                label: Some(Label::Confidential),
                removal: "kept",
                quarantine: true,
                paused: true,
                looked: None,
                found: None,
                ..row.clone()
            };
            let share = FolderRow {
                id: "f3".to_owned(),
                path: "/srv/safety".to_owned(),
                collection: "Safety".to_owned(),
                removal: "deleted",
                looking: true,
                problem: Some(
                    "the folder is empty, where 312 files were known, so nothing was changed; is its share mounted?"
                        .to_owned(),
                ),
                ..row.clone()
            };
            Self {
                chrome: Chrome::sample("Watched folders", Nav::Folders, Role::Curator),
                folders: vec![usb, row, share],
                collections: vec![("c1".to_owned(), "Handbook and policies".to_owned())],
                labels: vec![Label::Public, Label::Internal],
                places: ["/srv", "/mnt", "/media"].map(str::to_owned).to_vec(),
            }
        }

        pub(crate) fn sample_empty() -> Self {
            Self { folders: Vec::new(), ..Self::sample() }
        }

        pub(crate) fn sample_nowhere() -> Self {
            Self { folders: Vec::new(), places: Vec::new(), ..Self::sample() }
        }
    }
}
