//! One document, read passage by passage, with the cited one marked.

use super::{Chrome, Leaf, Pager, Part, Place, TextBlock, Viewer, filters, text_blocks};
use askama::Template;
use domain::Label;

/// A document's page.
#[derive(Debug, Clone, Template)]
#[template(path = "document.html")]
pub struct DocumentPage {
    /// The frame.
    pub chrome: Chrome,
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Id of its collection.
    pub collection_id: String,
    /// Name of its collection.
    pub collection_name: String,
    /// Where it came from: every path that holds its bytes.
    pub sources: Vec<String>,
    /// The document that it was taken out of, if the person may read that.
    pub parent: Option<DocumentLink>,
    /// The documents taken out of it that the person may read; the first of them if there are very many.
    pub children: Vec<DocumentLink>,
    /// What stands above the text of a mail: name and text.
    pub head: Vec<(String, String)>,
    /// Who wrote it, when, and whatever else is known: name and text.
    pub metadata: Vec<(String, String)>,
    /// Its kind, such as `PDF`.
    pub kind: String,
    /// Size of the original, such as `1.4 MB`.
    pub size: String,
    /// What its numbered parts are called.
    pub part: Part,
    /// How many of these, for formats that have them.
    pub pages: Option<u32>,
    /// The version shown; 0 before one was read.
    pub version: u32,
    /// The newest version, when another one is shown.
    pub newest: Option<VersionLink>,
    /// All versions, the newest first; the first of them if there are very many.
    pub versions: Vec<VersionLink>,
    /// Whether it is found by its meaning as well; until then its words alone find it.
    pub embedded: bool,
    /// Whether no version could be read.
    pub unreadable: bool,
    /// How sensitive it is.
    pub label: Label,
    /// Language, such as `English`.
    pub language: Option<String>,
    /// Its code, for what reads aloud, divides words or chooses letters.
    pub lang: Option<String>,
    /// When the first version came.
    pub created: String,
    /// When the version shown came.
    pub updated: String,
    /// Address of the original of the version shown.
    pub original: String,
    /// BLAKE3 of the original, 64 hexadecimal digits.
    pub hash: String,
    /// What extraction could not read, one sentence each.
    pub warnings: Vec<String>,
    /// The passages in reading order; all, or the part that `pager` says.
    pub passages: Vec<PassageView>,
    /// Links to the parts before and after.
    pub pager: Option<Pager>,
    /// Its pages as they look; none for kinds that have none, and for the text alone.
    pub viewer: Option<Viewer>,
    /// Address of these, from the text alone.
    pub as_pages: Option<String>,
    /// The answer that led here.
    pub citation: Option<CitationNav>,
    /// Whether the person may change the label; then the labels that may be given.
    pub relabel: Vec<Label>,
    /// Whether the person may delete it.
    pub may_delete: bool,
}

/// A document that belongs to this one.
#[derive(Debug, Clone)]
pub struct DocumentLink {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its kind, such as `PDF`.
    pub kind: String,
}

/// A version of a document.
#[derive(Debug, Clone)]
pub struct VersionLink {
    /// Its number.
    pub version: u32,
    /// When it came, such as `14 March 2026`.
    pub day: String,
    /// Its size, such as `1.4 MB`.
    pub size: String,
}

/// One passage in its document.
#[derive(Debug, Clone)]
pub struct PassageView {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub place: Place,
    /// Headings above it, outermost first.
    pub heading_path: Vec<String>,
    /// Its text; a line break separates blocks.
    pub text: String,
    /// Whether it is the one that a citation led to.
    pub cited: bool,
    /// Whether links to it lead to its text; otherwise they lead to its mark on the page.
    pub anchor: bool,
}

/// The way through the passages that one answer cites.
#[derive(Debug, Clone)]
pub struct CitationNav {
    /// Such as `Source 2 of 4`.
    pub position: String,
    /// The question that was asked.
    pub question: String,
    /// Address of the answer.
    pub back: String,
    /// Address of the passage cited before.
    pub previous: Option<String>,
    /// Address of the passage cited after.
    pub next: Option<String>,
}

/// A heading above a passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading<'a> {
    /// 2 for the outermost: the page's title is 1.
    pub level: usize,
    /// Its text.
    pub text: &'a str,
}

impl DocumentPage {
    /// The text of a page, with the places of its passages among all.
    #[must_use]
    pub fn text_of(&self, leaf: &Leaf) -> Vec<(usize, &PassageView)> {
        self.passages.iter().enumerate().take(leaf.text.end).skip(leaf.text.start).collect()
    }

    /// The page, slide or sheet that begins with this passage, if one does.
    #[must_use]
    pub fn page_begins(&self, index: &usize) -> Option<u32> {
        let first = |passage: &PassageView| passage.place.first();
        let page = first(self.passages.get(*index)?)?;
        let before = index.checked_sub(1).and_then(|before| self.passages.get(before)).and_then(first);
        (before != Some(page)).then_some(page)
    }

    /// The headings that are new with this passage. A first heading that repeats the title is left out.
    #[must_use]
    pub fn new_headings(&self, index: &usize) -> Vec<Heading<'_>> {
        let path = |index: usize| self.passages.get(index).map_or(&[][..], |passage| passage.heading_path.as_slice());
        let before = index.checked_sub(1).map_or(&[][..], path);
        let here = path(*index);
        let common = before.iter().zip(here).take_while(|(one, other)| one == other).count();
        let headings = here.iter().enumerate().skip(common);
        headings
            .filter(|(depth, text)| *depth > 0 || **text != self.title)
            .map(|(depth, text)| Heading { level: (depth + 2).min(6), text })
            .collect()
    }
}

impl PassageView {
    /// The text as paragraphs, lists and tables.
    #[must_use]
    pub fn blocks(&self) -> Vec<TextBlock<'_>> {
        text_blocks(&self.paragraphs(), self.place.part == Part::Sheet)
    }

    /// The blocks of the text, without a first one that only repeats the heading above.
    #[must_use]
    pub fn paragraphs(&self) -> Vec<&str> {
        let mut lines: Vec<&str> = self.text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        while lines.len() > 1 && self.heading_path.iter().any(|heading| heading == lines[0]) {
            lines.remove(0);
        }
        lines
    }
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl VersionLink {
        pub(crate) fn sample(version: u32) -> Self {
            Self { version, day: format!("{version} March 2026"), size: "1.4 MB".to_owned() }
        }
    }

    impl DocumentPage {
        pub(crate) fn sample() -> Self {
            let passage = |number: u32, page, path: &[&str], text: &str, cited| PassageView {
                id: format!("0195a1feed{number}"),
                place: Place::on_page(page),
                heading_path: path.iter().map(|heading| (*heading).to_owned()).collect(),
                text: text.to_owned(),
                cited,
                anchor: true,
            };
            Self {
                chrome: Chrome::sample("Employee Handbook", Nav::Library, Role::Curator),
                id: "0195d01".to_owned(),
                title: "Employee Handbook".to_owned(),
                collection_id: "c1".to_owned(),
                collection_name: "Handbook and policies".to_owned(),
                sources: vec!["handbook/employee-handbook.pdf".to_owned(), "archive/handbook (copy).pdf".to_owned()],
                parent: None,
                children: vec![DocumentLink {
                    id: "0195d77".to_owned(),
                    title: "Annex: leave table".to_owned(),
                    kind: "Excel".to_owned(),
                }],
                head: Vec::new(),
                metadata: vec![
                    ("Author".to_owned(), "Personnel office".to_owned()),
                    ("Written".to_owned(), "2 January 2026".to_owned()),
                ],
                kind: "PDF".to_owned(),
                size: "1.4 MB".to_owned(),
                pages: Some(24),
                version: 3,
                newest: None,
                versions: [3, 2, 1].map(VersionLink::sample).to_vec(),
                embedded: true,
                unreadable: false,
                original: "/documents/0195d01/original".to_owned(),
                part: Part::Page,
                label: Label::Internal,
                language: Some("English".to_owned()),
                lang: Some("en".to_owned()),
                created: "2 January 2024".to_owned(),
                updated: "14 March 2026".to_owned(),
                hash: "9c1185a5c5e9fc54612808977ee8f548b2258d31".repeat(2).chars().take(64).collect(),
                warnings: vec!["page 17 holds a picture without text".to_owned()],
                passages: vec![
                    passage(
                        0,
                        11,
                        &["Working time", "Breaks"],
                        "Whoever works more than six hours takes a break of thirty minutes. The break may be divided into two parts of fifteen minutes each.\nNight assistants take their break between two exposures.",
                        false,
                    ),
                    passage(
                        1,
                        12,
                        &["Leave", "Annual leave"],
                        "Annual leave\nIn the first calendar year of service, annual leave accrues monthly at 1.5 days for each full month worked, up to a maximum of 18 days. From the second year on, every member of staff has 30 days of annual leave.\nPart-time staff receive leave in proportion to their weekly hours.",
                        true,
                    ),
                    passage(
                        2,
                        13,
                        &["Leave", "Carrying leave over"],
                        "Up to five days of annual leave that were not taken may be carried into the next year and lapse on 31 March. In cases of long illness the personnel office may extend this period.",
                        false,
                    ),
                    passage(
                        3,
                        13,
                        &["Leave", "Special leave"],
                        "For a wedding of one's own, two days; for the birth of a child, two days; for moving house on duty, one day.",
                        false,
                    ),
                ],
                pager: Some(Pager {
                    summary: "pages 11–13 of 24".to_owned(),
                    previous: Some("/documents/0195d01?part=1".to_owned()),
                    next: Some("/documents/0195d01?part=3".to_owned()),
                }),
                viewer: None,
                as_pages: None,
                citation: Some(CitationNav {
                    position: "Source 1 of 4".to_owned(),
                    question: "How many days of annual leave do I get in my first year?".to_owned(),
                    back: "/conversations/0195a1aaaa#a0195a1b2c3".to_owned(),
                    previous: None,
                    next: Some("/documents/0195d01?passage=0195a1feed2&answer=0195a1b2c3#p0195a1feed2".to_owned()),
                }),
                relabel: vec![Label::Public, Label::Internal, Label::Confidential],
                may_delete: true,
            }
        }

        /// Its pages as they look, the cited passage marked.
        pub(crate) fn sample_pages() -> Self {
            let mut page = Self { viewer: Some(Viewer::sample()), ..Self::sample() };
            page.passages[1].anchor = false;
            page
        }

        /// A mail.
        pub(crate) fn sample_mail() -> Self {
            let head =
                [("From", "Ada Marsh"), ("To", "Works council"), ("Subject", "Leave"), ("Sent", "2 March 2026, 09:10")];
            let head = head.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
            Self { head, kind: "Mail".to_owned(), metadata: Vec::new(), pages: None, ..Self::sample_reader() }
        }

        pub(crate) fn sample_old() -> Self {
            let newest = Some(VersionLink::sample(3));
            Self { newest, version: 2, citation: None, metadata: Vec::new(), ..Self::sample() }
        }

        /// Sheets of a mail's attachment, still without vectors.
        pub(crate) fn sample_sheet() -> Self {
            let parent =
                DocumentLink { id: "0195d76".to_owned(), title: "Your table".to_owned(), kind: "Mail".to_owned() };
            let mut page = Self { parent: Some(parent), part: Part::Sheet, embedded: false, ..Self::sample_reader() };
            page.children.clear();
            page.passages.truncate(2);
            for (passage, number) in page.passages.iter_mut().zip(1..) {
                passage.place =
                    Place { part: Part::Sheet, parts: Some((number, number)), cells: Some("A1:D7".to_owned()) };
                passage.text = "Band: A | Pay: 27,600 | From: May\nBand: B | Pay: 31,200".to_owned();
            }
            page
        }

        pub(crate) fn sample_reader() -> Self {
            let warnings = Vec::new();
            Self { relabel: Vec::new(), may_delete: false, citation: None, pager: None, warnings, ..Self::sample() }
        }
    }
}
