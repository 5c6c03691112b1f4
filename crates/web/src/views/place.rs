//! Where in its document a passage stands, as people say it: a page, a slide, or cells of a sheet.

use domain::{Location, Passage};

/// What the numbered parts of a kind of document are called. The one place that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Part {
    /// Of a text.
    #[default]
    Page,
    /// Of a presentation.
    Slide,
    /// Of a spreadsheet.
    Sheet,
}

impl Part {
    /// What the parts of a document of this media type are.
    #[must_use]
    pub fn of(media_type: &str) -> Self {
        let any = |words: &[&str]| words.iter().any(|word| media_type.contains(word));
        if any(&["presentation", "powerpoint"]) {
            Self::Slide
        } else if any(&["spreadsheet", "ms-excel", "csv", "tab-separated"]) {
            Self::Sheet
        } else {
            Self::Page
        }
    }

    /// One of them.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Slide => "slide",
            Self::Sheet => "sheet",
        }
    }

    /// At the beginning of a line: one of them.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Page => "Page",
            Self::Slide => "Slide",
            Self::Sheet => "Sheet",
        }
    }

    /// At the beginning of a line: several of them.
    #[must_use]
    pub const fn titles(self) -> &'static str {
        match self {
            Self::Page => "Pages",
            Self::Slide => "Slides",
            Self::Sheet => "Sheets",
        }
    }
}

/// Where a passage stands in its document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// What is counted.
    pub part: Part,
    /// 1-based number of the first and the last part that it touches, for formats that have them.
    pub parts: Option<(u32, u32)>,
    /// Its cells, such as `B2:D7`; on one sheet only.
    pub cells: Option<String>,
}

impl Place {
    /// Where this passage of a document of this media type stands.
    #[must_use]
    pub fn of(passage: &Passage, media_type: &str) -> Self {
        let pages = || passage.places.iter().filter_map(|location: &Location| location.page).chain(passage.page);
        let parts = pages().min().zip(pages().max());
        let cells = match passage.places.as_slice() {
            [Location { cells: Some(cells), .. }] => Some(cells.to_string()),
            _ => None,
        };
        Self { part: Part::of(media_type), parts, cells }
    }

    /// The first of the parts that it touches.
    #[must_use]
    pub fn first(&self) -> Option<u32> {
        self.parts.map(|(first, _)| first)
    }

    /// For lists: `p. 12`, `p. 12–13`, `slide 4`, `sheet 2, B2:D7`; empty if nothing is known.
    #[must_use]
    pub fn short(&self) -> String {
        self.say(if self.part == Part::Page { "p." } else { self.part.word() })
    }

    /// For sentences: `page 12`, `slide 4`, `sheet 2, B2:D7`; empty if nothing is known.
    #[must_use]
    pub fn long(&self) -> String {
        self.say(self.part.word())
    }

    fn say(&self, word: &str) -> String {
        let number = self.parts.map(|(first, last)| match first == last {
            true => format!("{word} {first}"),
            false => format!("{word} {first}–{last}"),
        });
        number.into_iter().chain(self.cells.clone()).collect::<Vec<_>>().join(", ")
    }

    #[cfg(test)]
    pub(crate) fn on_page(page: u32) -> Self {
        Self { parts: Some((page, page)), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_said_as_its_kind_of_document_counts() {
        let place = |media_type: &str, parts, cells: Option<&str>| Place {
            part: Part::of(media_type),
            parts,
            cells: cells.map(str::to_owned),
        };
        let pdf = place("application/pdf", Some((12, 12)), None);
        assert_eq!((pdf.short(), pdf.long()), ("p. 12".to_owned(), "page 12".to_owned()));
        assert_eq!(place("application/pdf", Some((12, 14)), None).short(), "p. 12–14");
        let slides = "application/vnd.openxmlformats-officedocument.presentationml.presentation";
        assert_eq!(place(slides, Some((4, 4)), None).short(), "slide 4");
        let sheets = "application/vnd.oasis.opendocument.spreadsheet";
        assert_eq!(place(sheets, Some((2, 2)), Some("B2:D7")).long(), "sheet 2, B2:D7");
        assert_eq!(place("text/csv", None, Some("A1:C9")).short(), "A1:C9");
        assert_eq!(place("text/plain", None, None).short(), "");
    }
}
