//! The search page.

use super::{Chrome, filters};
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
    /// The collections that the person may search.
    pub facets: Vec<Facet>,
    /// What else the search is narrowed to.
    pub narrowing: Narrowing,
    /// How long it took, such as `12 ms`.
    pub time: Option<String>,
    /// How many passages the person may see.
    pub passages: u64,
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
    /// The headings above it, such as `Leave › Annual leave`; empty when there are none.
    pub heading: String,
    /// Name of its collection.
    pub collection: String,
    /// 1-based page, for formats that have them.
    pub page: Option<u32>,
    /// Version of the document.
    pub version: u32,
    /// How sensitive the document is.
    pub label: Label,
    /// Its text in pieces; `true` marks those that match.
    pub snippet: Vec<(bool, String)>,
}

/// A collection beside the results.
#[derive(Debug, Clone)]
pub struct Facet {
    /// Its id: the value of the field `collection`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many of the results are in it.
    pub count: u64,
    /// Whether the search is narrowed to it.
    pub selected: bool,
}

/// What a search is narrowed to, as its form shows it.
#[derive(Debug, Clone, Default)]
pub struct Narrowing {
    /// Kinds of file; the values of the field `type` are media types.
    pub kinds: Vec<Choice>,
    /// Languages; the values of the field `language` are ISO 639-1 codes.
    pub languages: Vec<Choice>,
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
}

impl Narrowing {
    /// Whether anything is chosen, so that the form is shown open.
    #[must_use]
    pub fn chosen(&self) -> bool {
        let texts = [&self.author, &self.path, &self.field, &self.since, &self.until];
        self.kinds.iter().chain(&self.languages).any(|choice| choice.selected)
            || texts.iter().any(|text| !text.is_empty())
    }
}

/// One of several values of a field.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The value.
    pub value: String,
    /// What people call it.
    pub words: String,
    /// Whether it is chosen.
    pub selected: bool,
}

impl SearchPage {
    /// Whether something was searched for.
    #[must_use]
    pub fn searched(&self) -> bool {
        !self.query.is_empty() && self.error.is_none()
    }

    /// Number of results.
    #[must_use]
    pub fn found(&self) -> u64 {
        self.results.len() as u64
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
                heading: heading.to_owned(),
                collection: "Handbook and policies".to_owned(),
                page: (number < 3).then_some(11 + number),
                version: 3,
                label,
                snippet,
            };
            let facet = |id: &str, name: &str, count, selected| Facet {
                id: id.to_owned(),
                name: name.to_owned(),
                count,
                selected,
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
                facets: vec![
                    facet("c1", "Handbook and policies", 3, false),
                    facet("c2", "IT manual", 0, false),
                    facet("c3", "Safety", 0, false),
                ],
                narrowing: Narrowing::default(),
                time: Some("12 ms".to_owned()),
                passages: 1_480,
                error: None,
            }
        }

        pub(crate) fn sample_empty() -> Self {
            Self { query: "regatta 1987".to_owned(), results: Vec::new(), ..Self::sample() }
        }

        pub(crate) fn sample_start() -> Self {
            Self { query: String::new(), results: Vec::new(), time: None, ..Self::sample() }
        }
    }
}
