//! All collections and who may do what in them, for admins.

use super::{Chrome, GrantsEditor, PrincipalKind};
use askama::Template;
use domain::{Label, Permission};

/// The collections page of admins.
#[derive(Debug, Clone, Template)]
#[template(path = "collections_admin.html")]
pub struct CollectionsAdminPage {
    /// The frame.
    pub chrome: Chrome,
    /// Who may do what where.
    pub matrix: Matrix,
    /// The collection that is open for a change (`?edit=ID`).
    pub edit: Option<CollectionEdit>,
}

/// Grants of all principals in all collections.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Columns: id and name of every collection, by name.
    pub collections: Vec<(String, String)>,
    /// Rows: every user and group that has a grant, groups first.
    pub rows: Vec<MatrixRow>,
}

/// What one principal may do in every collection.
#[derive(Debug, Clone)]
pub struct MatrixRow {
    /// Name of the user or group.
    pub name: String,
    /// Person or group.
    pub kind: PrincipalKind,
    /// One for each column.
    pub cells: Vec<Option<Permission>>,
}

/// A collection open for a change.
#[derive(Debug, Clone)]
pub struct CollectionEdit {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// One sentence about it.
    pub description: String,
    /// The label that new documents get.
    pub default_label: Label,
    /// Its grants.
    pub grants: GrantsEditor,
    /// Whether it is empty, so that it can be deleted.
    pub may_delete: bool,
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl CollectionsAdminPage {
        pub(crate) fn sample() -> Self {
            use Permission::{Manage, Read, Write};
            let row = |name: &str, kind, cells: [Option<Permission>; 4]| MatrixRow {
                name: name.to_owned(),
                kind,
                cells: cells.to_vec(),
            };
            let column = |id: &str, name: &str| (id.to_owned(), name.to_owned());
            Self {
                chrome: Chrome::sample("Collections", Nav::Collections, Role::Admin),
                matrix: Matrix {
                    collections: vec![
                        column("c4", "Contracts"),
                        column("c1", "Handbook and policies"),
                        column("c2", "IT manual"),
                        column("c3", "Safety"),
                    ],
                    rows: vec![
                        row("Everyone", PrincipalKind::Group, [None, Some(Read), Some(Read), Some(Read)]),
                        row("Night assistants", PrincipalKind::Group, [None, None, None, Some(Write)]),
                        row("Personnel office", PrincipalKind::Group, [Some(Read), Some(Write), None, None]),
                        row("Ada Moreau", PrincipalKind::User, [Some(Manage), Some(Manage), None, None]),
                    ],
                },
                edit: None,
            }
        }

        pub(crate) fn sample_edit() -> Self {
            let edit = CollectionEdit {
                id: "c1".to_owned(),
                name: "Handbook and policies".to_owned(),
                description: "How we work: leave, travel, conduct, working time.".to_owned(),
                default_label: Label::Internal,
                grants: GrantsEditor::sample(),
                may_delete: true,
            };
            Self { edit: Some(edit), ..Self::sample() }
        }

        pub(crate) fn sample_empty() -> Self {
            let matrix = Matrix { collections: Vec::new(), rows: Vec::new() };
            Self { matrix, ..Self::sample() }
        }
    }
}
