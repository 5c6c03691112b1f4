//! What a file's metadata says about it.

use crate::blocks::{clean_title, running};
use crate::package::Package;
use crate::xml::{self, Xml};
use crate::{Dated, ExtractError, Extracted, dates};

/// Title, author and dates, each where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Properties {
    pub(crate) title: Option<String>,
    pub(crate) author: Option<String>,
    pub(crate) created_at: Option<Dated>,
    pub(crate) modified_at: Option<Dated>,
}

impl Properties {
    /// The core properties of an Office file (ECMA-376, part 2, section 11).
    pub(crate) fn of_office(package: &mut Package<'_>) -> Result<Self, ExtractError> {
        Self::read(package, "docProps/core.xml")
    }

    /// Reads a part whose elements are called `title`, `creator` and so on: core properties of Office files and
    /// `meta.xml` of OpenDocument files (OpenDocument 1.3, part 3, section 4.3). A damaged part costs only itself.
    pub(crate) fn read(package: &mut Package<'_>, name: &str) -> Result<Self, ExtractError> {
        let mut found = Self::default();
        let Some(part) = package.read_extra(name)? else { return Ok(found) };
        let (mut text, mut initial) = (String::new(), None);
        let _ = xml::for_each(&part, |event| {
            match event {
                Xml::Start(..) => text.clear(),
                Xml::Text(part) => text.push_str(part),
                Xml::End("title") => found.title = clean_title(&text),
                // OpenDocument calls the first author so, and the last one `creator`.
                Xml::End("initial-creator") => initial = clean_author(&text),
                Xml::End("creator") => found.author = clean_author(&text),
                Xml::End("created" | "creation-date") => found.created_at = dates::parse(&text),
                Xml::End("modified" | "date") => found.modified_at = dates::parse(&text),
                Xml::End(_) => {}
            }
            Ok(())
        });
        found.author = initial.or(found.author);
        Ok(found)
    }

    /// Adds author and dates to what was extracted; its title stays.
    pub(crate) fn with(self, extracted: Extracted) -> Extracted {
        Extracted { author: self.author, created_at: self.created_at, modified_at: self.modified_at, ..extracted }
    }
}

/// A name as a person would want to see it: none rather than what programs put there by themselves.
pub(crate) fn clean_author(name: &str) -> Option<String> {
    let name = running(name);
    let by_itself = ["author", "user", "admin", "administrator", "unknown", "microsoft office user", "python-docx"];
    let shown = name.chars().any(char::is_alphanumeric) && !by_itself.contains(&name.to_lowercase().as_str());
    shown.then(|| name.chars().take(200).collect())
}
