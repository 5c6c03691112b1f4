//! What an auditor reads out of the log: days and acts, who read a document, a person's day; and for an admin how much is
//! asked.

use super::{AuditRow, Chrome, filters};
use askama::Template;

/// The log as charts.
#[derive(Debug, Clone, Template)]
#[template(path = "audit_overview.html")]
pub struct OverviewPage {
    /// The frame.
    pub chrome: Chrome,
    /// One bar a day, oldest first.
    pub days: Vec<DayBar>,
    /// The most events of a day.
    pub most: u64,
    /// How often each act happened in these days, the most frequent first.
    pub actions: Vec<ActionBar>,
}

/// A day of the chart.
#[derive(Debug, Clone)]
pub struct DayBar {
    /// `2026-03-14`.
    pub day: String,
    /// Events of the day.
    pub events: u64,
    /// Questions among them.
    pub questions: u64,
    /// Events whose act was refused, by their kind: denials, failed sign-ins.
    pub refused: u64,
    /// The bar's place from the left, in the chart's units.
    pub x: usize,
    /// Its height of 100.
    pub height: u64,
    /// Of that, the questions.
    pub questions_height: u64,
}

/// An act of the chart.
#[derive(Debug, Clone)]
pub struct ActionBar {
    /// Its name.
    pub action: String,
    /// What it means.
    pub meaning: String,
    /// How often.
    pub count: u64,
    /// Its share of the most frequent act, in percent.
    pub share: u64,
}

/// Who was shown a document or a passage.
#[derive(Debug, Clone, Template)]
#[template(path = "audit_readers.html")]
pub struct ReadersPage {
    /// The frame.
    pub chrome: Chrome,
    /// The id as typed.
    pub id: String,
    /// What it is called, as far as the log or the database knows.
    pub name: Option<String>,
    /// Who, the latest first.
    pub readers: Vec<ReaderRow>,
    /// Why the id could not be looked for.
    pub error: Option<String>,
}

/// One person who was shown it.
#[derive(Debug, Clone)]
pub struct ReaderRow {
    /// Sign-in name.
    pub person: String,
    /// How often.
    pub times: u64,
    /// The first time.
    pub first: String,
    /// The last time.
    pub last: String,
    /// The event of the last time.
    pub sequence: u64,
    /// The day of the last time, for the link to the person's day.
    pub day: String,
}

/// What one person did on one day.
#[derive(Debug, Clone, Template)]
#[template(path = "audit_day.html")]
pub struct DayPage {
    /// The frame.
    pub chrome: Chrome,
    /// Sign-in name, as typed.
    pub person: String,
    /// The day, as typed.
    pub day: String,
    /// The days before and after.
    pub around: Option<(String, String)>,
    /// How often each act happened.
    pub actions: Vec<(String, u64)>,
    /// The events, in order.
    pub entries: Vec<AuditRow>,
    /// Whether there are more than are shown.
    pub more: bool,
    /// Why nothing is shown.
    pub error: Option<String>,
}

/// How much is asked; no questions, no names of people.
#[derive(Debug, Clone, Template)]
#[template(path = "usage.html")]
pub struct UsagePage {
    /// The frame.
    pub chrome: Chrome,
    /// By group; the first is everyone, if enough people asked.
    pub groups: Vec<UsageRow>,
    /// The first day that counts.
    pub since: String,
}

/// One group.
#[derive(Debug, Clone)]
pub struct UsageRow {
    /// Its name; `None` for everyone.
    pub group: Option<String>,
    /// How many people asked.
    pub people: u64,
    /// How many questions, rounded to tens.
    pub questions: u64,
    /// Its share of the most, in percent.
    pub share: u64,
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl OverviewPage {
        pub(crate) fn sample() -> Self {
            let days = (0..30).map(|at| {
                let events = [120, 310, 280, 455, 390, 40, 22][at % 7] + at as u64;
                DayBar {
                    day: format!("2026-03-{:02}", at + 1),
                    events,
                    questions: events / 3,
                    refused: events / 60,
                    x: at * 20 + 2,
                    height: events * 100 / 484,
                    questions_height: events * 100 / 484 / 3,
                }
            });
            let action = |action: &str, meaning: &str, count, share| ActionBar {
                action: action.to_owned(),
                meaning: meaning.to_owned(),
                count,
                share,
            };
            Self {
                chrome: Chrome::sample("Overview of the log", Nav::Audit, Role::Auditor),
                days: days.collect(),
                most: 484,
                actions: vec![
                    action("passages.shown", "Passages were shown to a person.", 2_310, 100),
                    action("question.asked", "A question was asked.", 2_280, 98),
                    action("sign_in.failed", "A sign-in was refused.", 31, 1),
                ],
            }
        }

        pub(crate) fn sample_empty() -> Self {
            Self { days: Vec::new(), most: 0, actions: Vec::new(), ..Self::sample() }
        }
    }

    impl ReadersPage {
        pub(crate) fn sample() -> Self {
            let row = |person: &str, times, sequence| ReaderRow {
                person: person.to_owned(),
                times,
                first: "2026-02-03 08:12:44".to_owned(),
                last: "2026-03-14 09:41:07".to_owned(),
                sequence,
                day: "2026-03-14".to_owned(),
            };
            Self {
                chrome: Chrome::sample("Who saw this", Nav::Audit, Role::Auditor),
                id: "0195a1b2c3d47e5f8a9b0c1d2e3f4a5b".to_owned(),
                name: Some("Employee Handbook".to_owned()),
                readers: vec![row("ben", 12, 1_204), row("ada", 1, 977)],
                error: None,
            }
        }

        pub(crate) fn sample_wrong() -> Self {
            let error = Some("'handbook' is no id; an event, a document's address or a source names it".to_owned());
            Self { id: "handbook".to_owned(), name: None, readers: Vec::new(), error, ..Self::sample() }
        }
    }

    impl DayPage {
        pub(crate) fn sample() -> Self {
            Self {
                chrome: Chrome::sample("A person's day", Nav::Audit, Role::Auditor),
                person: "ben".to_owned(),
                day: "2026-03-14".to_owned(),
                around: Some(("2026-03-13".to_owned(), "2026-03-15".to_owned())),
                actions: vec![("question.asked".to_owned(), 4), ("passages.shown".to_owned(), 4)],
                entries: AuditRow::samples(),
                more: true,
                error: None,
            }
        }

        pub(crate) fn sample_empty() -> Self {
            Self { entries: Vec::new(), actions: Vec::new(), more: false, ..Self::sample() }
        }
    }

    impl UsagePage {
        pub(crate) fn sample() -> Self {
            let row = |group: Option<&str>, people, questions, share| UsageRow {
                group: group.map(str::to_owned),
                people,
                questions,
                share,
            };
            Self {
                chrome: Chrome::sample("Usage", Nav::Health, Role::Admin),
                groups: vec![
                    row(None, 84, 2_280, 100),
                    row(Some("Observers"), 31, 1_410, 62),
                    row(Some("Staff council"), 6, 40, 2),
                ],
                since: "13 February 2026".to_owned(),
            }
        }

        pub(crate) fn sample_empty() -> Self {
            Self { groups: Vec::new(), ..Self::sample() }
        }
    }
}
