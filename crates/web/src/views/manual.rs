//! A page of the manual.

use super::Chrome;
use askama::Template;

/// A page of the manual, beside a list of all.
#[derive(Debug, Clone, Template)]
#[template(path = "manual.html")]
pub struct ManualPage {
    /// The frame.
    pub chrome: Chrome,
    /// Its heading.
    pub title: &'static str,
    /// Whether it is the page that the manual begins with.
    pub is_index: bool,
    /// Its text as HTML that was made from the manual's own Markdown.
    pub body: String,
    /// Its parts: id and heading.
    pub parts: Vec<(String, String)>,
    /// All pages.
    pub pages: Vec<ManualLink>,
    /// The page before.
    pub previous: Option<ManualLink>,
    /// The page after.
    pub next: Option<ManualLink>,
}

/// A page as others lead to it.
#[derive(Debug, Clone)]
pub struct ManualLink {
    /// Its address.
    pub href: String,
    /// Its heading.
    pub text: &'static str,
    /// Whether it is the page that is shown.
    pub current: bool,
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl ManualPage {
        pub(crate) fn sample() -> Self {
            let link = |name: &str, text, current| ManualLink { href: format!("/manual/{name}"), text, current };
            Self {
                chrome: Chrome { banner: None, ..Chrome::sample("Backup", Nav::None, Role::Admin) },
                title: "Backup",
                is_index: false,
                body:
                    "<p>Once: the key.</p><pre class=\"commands\" tabindex=\"0\"><code>carrel backup run</code></pre>"
                        .to_owned(),
                parts: vec![("once".to_owned(), "Once".to_owned()), ("restore".to_owned(), "Restore".to_owned())],
                pages: vec![link("install", "Install", false), link("backup", "Backup", true)],
                previous: Some(link("install", "Install", false)),
                next: None,
            }
        }
    }
}
