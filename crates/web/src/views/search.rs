//! The search page.

use super::{Chrome, Pager, Place, filters};
use askama::Template;
use domain::Label;

/// The search page: before a search, with results, or with none.
#[derive(Debug, Clone, Template)]
#[template(path = "search.html")]
pub struct SearchPage {
    /// The frame.
    pub chrome: Chrome,
    /// What was searched for; empty before a search.
    pub query: String,
    /// What was found, best first.
    pub results: Vec<SearchResult>,
    /// How many passages were found in all.
    pub found: u64,
    /// Whether there may be more, which were not looked at.
    pub capped: bool,
    /// By what the documents found can be told apart.
    pub facets: Vec<FacetGroup>,
    /// What else the search is narrowed to.
    pub narrowing: Narrowing,
    /// How long it took, such as `12 ms`.
    pub time: Option<String>,
    /// How many passages the person may see.
    pub passages: u64,
    /// The way to the other results.
    pub pager: Option<Pager>,
    /// Why the search was not done.
    pub error: Option<String>,
}

/// One passage that was found.
#[derive(Debug, Clone)]
pub struct SearchResult {
    /// Id of its document.
    pub document: String,
    /// Its id.
    pub passage: String,
    /// Title of its document.
    pub title: String,
    /// Code of its document's language.
    pub lang: Option<String>,
    /// The headings above it, such as `Leave › Annual leave`; empty when there are none.
    pub heading: String,
    /// Name of its collection.
    pub collection: String,
    /// Where in the document it stands.
    pub place: Place,
    /// Version of the document.
    pub version: u32,
    /// How sensitive the document is.
    pub label: Label,
    /// Its text in pieces; `true` marks those that match.
    pub snippet: Vec<(bool, String)>,
    /// Other documents that say the same.
    pub copies: Vec<Copy>,
    /// How many more there are of those.
    pub more_copies: u64,
}

/// A passage that says the same as one that is shown.
#[derive(Debug, Clone)]
pub struct Copy {
    /// Id of its document.
    pub document: String,
    /// Its id.
    pub passage: String,
    /// Title of its document.
    pub title: String,
    /// How sensitive the document is.
    pub label: Label,
}

/// One way to tell the documents found apart.
#[derive(Debug, Clone)]
pub struct FacetGroup {
    /// What it is called.
    pub title: &'static str,
    /// The field of the form.
    pub field: &'static str,
    /// Whether only one value can be chosen.
    pub single: bool,
    /// Its values.
    pub facets: Vec<Facet>,
}

impl FacetGroup {
    /// Whether any value is chosen.
    #[must_use]
    pub fn chosen(&self) -> bool {
        self.facets.iter().any(|facet| facet.selected)
    }
}

/// One value of a facet.
#[derive(Debug, Clone)]
pub struct Facet {
    /// The value of the group's field.
    pub value: String,
    /// What people call it.
    pub name: String,
    /// How many of the documents found have it.
    pub count: u64,
    /// Whether the search is narrowed to it.
    pub selected: bool,
}

/// What a search is narrowed to beside facets, as its form shows it.
#[derive(Debug, Clone, Default)]
pub struct Narrowing {
    /// A part of the author's name.
    pub author: String,
    /// The beginning of a path.
    pub path: String,
    /// A field of the site's own, `name=value`.
    pub field: String,
    /// First day, such as `2026-03-14`.
    pub since: String,
    /// Last day.
    pub until: String,
    /// Whether a value of a facet is chosen.
    pub facets: bool,
}

impl Narrowing {
    /// Whether anything is chosen, so that the form is shown open.
    #[must_use]
    pub fn chosen(&self) -> bool {
        [&self.author, &self.path, &self.field, &self.since, &self.until].iter().any(|text| !text.is_empty())
    }
}

impl SearchPage {
    /// Whether something was searched for.
    #[must_use]
    pub fn searched(&self) -> bool {
        !self.query.is_empty() && self.error.is_none()
    }
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl SearchPage {
        pub(crate) fn sample() -> Self {
            let text = |marked: bool, text: &str| (marked, text.to_owned());
            let result = |number: u32, title: &str, heading: &str, label, snippet: Vec<(bool, String)>| SearchResult {
                document: format!("0195d0{number}"),
                passage: format!("0195e0{number}"),
                title: title.to_owned(),
                lang: Some("en".to_owned()),
                heading: heading.to_owned(),
                collection: "Handbook and policies".to_owned(),
                place: if number < 3 { Place::on_page(11 + number) } else { Place::default() },
                version: 3,
                label,
                snippet,
                copies: match number {
                    2 => vec![Copy {
                        document: "0195d09".to_owned(),
                        passage: "0195e09".to_owned(),
                        title: "Employee Handbook, printed edition".to_owned(),
                        label: Label::Internal,
                    }],
                    _ => Vec::new(),
                },
                more_copies: if number == 2 { 3 } else { 0 },
            };
            let group = |title, field, values: &[(&str, &str, u64, bool)]| FacetGroup {
                title,
                field,
                single: field == "year",
                facets: values
                    .iter()
                    .map(|(value, name, count, selected)| Facet {
                        value: (*value).to_owned(),
                        name: (*name).to_owned(),
                        count: *count,
                        selected: *selected,
                    })
                    .collect(),
            };
            Self {
                chrome: Chrome::sample("Search", Nav::Search, Role::Staff),
                query: "annual leave".to_owned(),
                results: vec![
                    result(
                        1,
                        "Employee Handbook",
                        "Leave › Annual leave",
                        Label::Internal,
                        vec![
                            text(false, "In the first calendar year of service, "),
                            text(true, "annual leave"),
                            text(
                                false,
                                " accrues monthly at 1.5 days for each full month worked, up to a maximum of 18 days. Part-time staff receive ",
                            ),
                            text(true, "leave"),
                            text(false, " in proportion to their weekly hours."),
                        ],
                    ),
                    result(
                        2,
                        "Employee Handbook",
                        "Leave › Carrying leave over",
                        Label::Internal,
                        vec![
                            text(false, "Up to five days of "),
                            text(true, "annual leave"),
                            text(false, " that were not taken may be carried into the next year."),
                        ],
                    ),
                    result(
                        3,
                        "Works Agreement on Working Time",
                        "",
                        Label::Confidential,
                        vec![
                            text(false, "Requests for "),
                            text(true, "leave"),
                            text(false, " of more than ten working days are submitted to the head of section."),
                        ],
                    ),
                ],
                found: 23,
                capped: false,
                facets: vec![
                    group(
                        "Collection",
                        "collection",
                        &[
                            ("c1", "Handbook and policies", 4, true),
                            ("c2", "IT manual", 2, false),
                            ("c3", "Safety", 1, false),
                        ],
                    ),
                    group(
                        "Kind of file",
                        "type",
                        &[("application/pdf", "PDF", 3, false), ("text/markdown", "Markdown", 1, false)],
                    ),
                    group("Year", "year", &[("2026", "2026", 3, false), ("2025", "2025", 1, false)]),
                    group("Language", "language", &[("en", "English", 3, false), ("de", "German", 1, false)]),
                ],
                narrowing: Narrowing::default(),
                time: Some("12 ms".to_owned()),
                passages: 1_480,
                pager: Some(Pager {
                    summary: "1–3 of 23".to_owned(),
                    previous: None,
                    next: Some("/search?q=annual+leave&from=20".to_owned()),
                }),
                error: None,
            }
        }

        pub(crate) fn sample_empty() -> Self {
            Self { query: "regatta 1987".to_owned(), results: Vec::new(), found: 0, pager: None, ..Self::sample() }
        }

        pub(crate) fn sample_search_only() -> Self {
            let mut sample = Self::sample();
            sample.chrome.asking = false;
            sample
        }

        /// Facets and a day are chosen, and it cannot be searched.
        pub(crate) fn sample_refused() -> Self {
            let narrowing = Narrowing { since: "yesterday".to_owned(), facets: true, ..Narrowing::default() };
            let error = Some("'yesterday' is no day; write it as 2026-03-14.".to_owned());
            Self { narrowing, error, facets: Vec::new(), found: 0, time: None, ..Self::sample_empty() }
        }

        pub(crate) fn sample_start() -> Self {
            Self { query: String::new(), results: Vec::new(), facets: Vec::new(), time: None, ..Self::sample() }
        }
    }
}
