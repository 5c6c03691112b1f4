//! The library: all collections that a person may read.

use super::{Chrome, filters};
use askama::Template;
use domain::{Label, Permission};

/// The library page.
#[derive(Debug, Clone, Template)]
#[template(path = "library.html")]
pub struct LibraryPage {
    /// The frame.
    pub chrome: Chrome,
    /// The collections that the person may read, by name.
    pub collections: Vec<CollectionCard>,
    /// Whether the person may make collections.
    pub may_create: bool,
}

/// One collection as the library shows it.
#[derive(Debug, Clone)]
pub struct CollectionCard {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// One sentence about it; may be empty.
    pub description: String,
    /// How many documents the person may see in it.
    pub documents: u64,
    /// How many of these are found by their words alone so far.
    pub unembedded: u64,
    /// What the person may do in it.
    pub permission: Permission,
    /// The label that new documents get.
    pub default_label: Label,
    /// When a document that the person may see last changed, such as `14 March 2026`.
    pub updated: Option<String>,
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl LibraryPage {
        pub(crate) fn sample() -> Self {
            let card = |id: &str, name: &str, description: &str, documents, permission, default_label| CollectionCard {
                id: id.to_owned(),
                name: name.to_owned(),
                description: description.to_owned(),
                documents,
                unembedded: u64::from(id == "c2") * 3,
                permission,
                default_label,
                updated: Some("14 March 2026".to_owned()),
            };
            Self {
                chrome: Chrome::sample("Library", Nav::Library, Role::Curator),
                collections: vec![
                    card(
                        "c1",
                        "Handbook and policies",
                        "How we work: leave, travel, conduct, working time.",
                        6,
                        Permission::Manage,
                        Label::Internal,
                    ),
                    card(
                        "c2",
                        "IT manual",
                        "Accounts, networks, devices, and what to do when they fail.",
                        4,
                        Permission::Write,
                        Label::Internal,
                    ),
                    card(
                        "c3",
                        "Safety",
                        "Rules for domes, workshops and the liquid-nitrogen store.",
                        3,
                        Permission::Read,
                        Label::Public,
                    ),
                    card("c4", "Contracts", "", 1, Permission::Read, Label::Confidential),
                ],
                may_create: false,
            }
        }

        pub(crate) fn sample_empty() -> Self {
            Self { collections: Vec::new(), may_create: true, ..Self::sample() }
        }
    }
}
