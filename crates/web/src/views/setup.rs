//! The first page of a new site.

use super::Chrome;
use askama::Template;
use domain::Label;

/// The form that makes the first people.
#[derive(Debug, Clone, Template)]
#[template(path = "setup.html")]
pub struct SetupPage {
    /// The frame; nobody is signed in.
    pub chrome: Chrome,
    /// What was typed.
    pub typed: SetupFields,
    /// Why nothing was set up.
    pub error: Option<String>,
    /// What a password must be, one sentence.
    pub password_rule: String,
}

/// What was typed, but for code and passwords.
#[derive(Debug, Clone, Default)]
pub struct SetupFields {
    /// Name of the organisation.
    pub organisation: String,
    /// Names of the labels, the lowest first.
    pub labels: [String; 4],
    /// The first admin's sign-in name.
    pub admin_name: String,
    /// How pages address that person.
    pub admin_display: String,
    /// The first auditor's sign-in name.
    pub auditor_name: String,
    /// How pages address that person.
    pub auditor_display: String,
    /// Collections, some perhaps without a name: these are not made.
    pub collections: Vec<SetupCollection>,
}

/// A collection as typed.
#[derive(Debug, Clone)]
pub struct SetupCollection {
    /// Its name.
    pub name: String,
    /// Label of new documents.
    pub label: Label,
    /// `everybody`, `group` or `nobody`.
    pub readers: String,
    /// The group, if `readers` says so.
    pub group: String,
}

impl Default for SetupCollection {
    fn default() -> Self {
        let readers = "everybody".to_owned();
        Self { name: String::new(), label: Label::Internal, readers, group: String::new() }
    }
}

impl SetupPage {
    /// The fields of the labels: number, stable name, what is typed, what it is for.
    #[must_use]
    pub fn label_fields(&self) -> Vec<(usize, Label, &str, &'static str)> {
        const MEANINGS: [&str; 4] =
            ["Anyone", "Anyone in the organisation", "Only those who need it", "The highest: a few people"];
        let rows = Label::ALL.into_iter().zip(&self.typed.labels).zip(MEANINGS).enumerate();
        rows.map(|(at, ((label, typed), meaning))| (at, label, typed.as_str(), meaning)).collect()
    }

    /// Who may read a collection: value and words.
    #[must_use]
    pub const fn reader_choices(&self) -> [(&'static str, &'static str); 3] {
        [("everybody", "Everybody"), ("group", "A group"), ("nobody", "Nobody yet")]
    }
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl SetupPage {
        pub(crate) fn sample() -> Self {
            let chrome = Chrome::sample("Set up", Nav::None, Role::Staff);
            let typed = SetupFields {
                labels: Label::ALL.map(|label| label.as_str().to_owned()),
                collections: vec![SetupCollection::default(); 3],
                ..SetupFields::default()
            };
            Self {
                chrome: Chrome { person: None, banner: None, organisation: "Reading room".to_owned(), ..chrome },
                typed,
                error: None,
                password_rule: "At least 12 characters; a few words that only you put together are best.".to_owned(),
            }
        }

        pub(crate) fn sample_refused() -> Self {
            let mut page = Self::sample();
            page.error = Some("That is not the code on the console.".to_owned());
            page.typed.organisation = "Port Elsin".to_owned();
            page.typed.admin_name = "dora".to_owned();
            page.typed.admin_display = "Dora Lindqvist".to_owned();
            page.typed.collections[0].name = "Handbook".to_owned();
            page
        }
    }
}
