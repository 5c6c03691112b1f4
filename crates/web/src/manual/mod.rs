//! The manual: the pages of docs/ that a site needs, compiled in, so that they always are those of the release that runs.
//!
//! A page of the web shows them, and `carrel manual` prints them on a console.

mod html;

use html::Rendered;

/// A page of the manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Its name: that of its file.
    pub name: &'static str,
    /// Its text.
    pub markdown: &'static str,
}

/// The page that the manual begins with.
const INDEX: Page = Page { name: "README", markdown: include_str!("../../../../docs/operator/README.md") };

macro_rules! pages {
    ($($name:literal in $folder:literal),* $(,)?) => {
        [$(Page { name: $name, markdown: include_str!(concat!("../../../../docs/", $folder, $name, ".md")) }),*]
    };
}

/// What is to be done, in the order in which it is read; then what looks things up.
const PAGES: [Page; 21] = pages![
    "install" in "operator/",
    "first-day" in "operator/",
    "users" in "operator/",
    "documents" in "operator/",
    "models" in "operator/",
    "backup" in "operator/",
    "update" in "operator/",
    "doctor" in "operator/",
    "disk" in "operator/",
    "disaster" in "operator/",
    "audit-hand-over" in "operator/",
    "console" in "operator/",
    "configuration" in "",
    "identity" in "",
    "ingest" in "",
    "audit" in "",
    "api" in "",
    "security" in "",
    "sealing" in "appliance/",
    "layout" in "appliance/",
    "installer" in "appliance/",
];

impl Page {
    /// The page that the manual begins with.
    #[must_use]
    pub const fn index() -> Self {
        INDEX
    }

    /// All others, in the order in which they are read.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        &PAGES
    }

    /// The page of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        PAGES.into_iter().find(|page| page.name == name)
    }

    /// Its first heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        let heading = self.markdown.lines().find_map(|line| line.strip_prefix("# "));
        heading.unwrap_or(self.name)
    }

    /// Its address.
    pub(crate) fn address(self) -> String {
        if self == INDEX { "/manual".to_owned() } else { format!("/manual/{}", self.name) }
    }

    /// Its text as a page shows it.
    pub(crate) fn rendered(self) -> Rendered {
        html::render(self.markdown)
    }
}

/// Where a link of one page leads to within the manual; nowhere if it leads out of it, for there is no way out.
fn resolve(link: &str) -> Option<String> {
    if link.contains("://") {
        return None;
    }
    let (path, place) = link.split_once('#').map_or((link, None), |(path, place)| (path, Some(place)));
    let address = match path.rsplit('/').next().unwrap_or_default().strip_suffix(".md") {
        None if path.is_empty() => String::new(),
        Some("README") => INDEX.address(),
        Some(name) => Page::named(name)?.address(),
        None => return None,
    };
    Some(match place {
        Some(place) => format!("{address}#{place}"),
        None => address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_within_the_manual() {
        assert_eq!(resolve("backup.md").as_deref(), Some("/manual/backup"));
        assert_eq!(resolve("../identity.md#two-people").as_deref(), Some("/manual/identity#two-people"));
        assert_eq!(resolve("README.md").as_deref(), Some("/manual"));
        assert_eq!(resolve("#restore").as_deref(), Some("#restore"));
        for out in ["https://age-encryption.org/v1", "../adr/0021-checkpoints.md", "../../Cargo.toml", "javascript:x"] {
            assert_eq!(resolve(out), None, "{out}");
        }
    }

    #[test]
    fn every_page_has_a_heading_and_shows_something() {
        for page in std::iter::once(&INDEX).chain(&PAGES) {
            assert_ne!(page.title(), page.name, "{}", page.name);
            let shown = page.rendered();
            assert!(shown.html.len() > 400 && !shown.html.contains("<h1"), "{}", page.name);
            assert!(shown.html.len() < 80_000, "{} has {} bytes", page.name, shown.html.len());
        }
    }
}
