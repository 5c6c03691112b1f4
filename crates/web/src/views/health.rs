//! The appliance's health, to be read in five seconds.

use super::Chrome;
use askama::Template;

/// The health page.
#[derive(Debug, Clone, Template)]
#[template(path = "health.html")]
pub struct HealthPage {
    /// The frame.
    pub chrome: Chrome,
    /// The verdict in one sentence.
    pub verdict: String,
    /// The worst state of the cards.
    pub state: HealthState,
    /// One figure each.
    pub cards: Vec<HealthCard>,
    /// What somebody should look at, with what to do.
    pub findings: Vec<FindingRow>,
    /// The models in use.
    pub models: Vec<ModelRow>,
    /// What the engines are doing.
    pub engines: Vec<EngineRow>,
    /// When this was measured.
    pub at: String,
}

/// What the doctor found.
#[derive(Debug, Clone)]
pub struct FindingRow {
    /// What was looked at, such as `backup`.
    pub check: String,
    /// How it stands.
    pub state: HealthState,
    /// What was found.
    pub detail: String,
    /// What comes of it.
    pub why: &'static str,
    /// What to do.
    pub advice: &'static str,
}

/// How something fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthState {
    /// Nothing to do.
    Good,
    /// Look at it when you have time.
    Attention,
    /// Look at it now.
    Bad,
}

impl HealthState {
    /// The name of its style.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Attention => "attention",
            Self::Bad => "bad",
        }
    }

    /// Its word.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Attention => "needs attention",
            Self::Bad => "act now",
        }
    }

    /// Its symbol in `icons.svg`.
    #[must_use]
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Good => "check",
            Self::Attention => "info",
            Self::Bad => "alert",
        }
    }
}

/// One figure.
#[derive(Debug, Clone)]
pub struct HealthCard {
    /// What it is, such as `Queue`.
    pub name: String,
    /// The figure, such as `2`.
    pub value: String,
    /// Its unit or object, such as `jobs waiting`; may be empty.
    pub unit: String,
    /// One line that explains it; may be empty.
    pub detail: String,
    /// How it fares.
    pub state: HealthState,
    /// For shares of something, how much is used, in percent.
    pub share: Option<u8>,
    /// Page that says more.
    pub href: Option<String>,
}

/// A model in use.
#[derive(Debug, Clone)]
pub struct ModelRow {
    /// What it does, such as `writes answers`.
    pub purpose: String,
    /// Its name.
    pub name: String,
    /// Architecture, quantisation and the like.
    pub detail: String,
    /// Size of its file, such as `1.1 GB`.
    pub size: String,
    /// SHA-256 of its weights, hexadecimal.
    pub sha256: String,
}

/// A generation engine in memory, or elsewhere.
#[derive(Debug, Clone)]
pub struct EngineRow {
    /// `in use` or `on trial`.
    pub place: String,
    /// The model's name; of an engine elsewhere with its address.
    pub name: String,
    /// What it is doing; `None` of an engine elsewhere.
    pub state: Option<EngineState>,
}

/// What an engine of this machine is doing, and its sums since it was loaded.
#[derive(Debug, Clone)]
pub struct EngineState {
    /// Answers being written.
    pub running: String,
    /// Requests that wait.
    pub waiting: String,
    /// Blocks for keys and values that running answers hold, such as `12 of 512`.
    pub memory: String,
    /// Blocks kept of earlier prompts.
    pub cached: String,
    /// Tokens written.
    pub written: String,
    /// The share of prompt tokens that were read before.
    pub reused: String,
    /// The share of guessed tokens that were right.
    pub guessed: String,
    /// How often an answer was put off for lack of memory.
    pub preempted: String,
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::views::Nav;
    use domain::Role;

    impl HealthPage {
        pub(crate) fn sample() -> Self {
            let card =
                |name: &str, value: &str, unit: &str, detail: &str, state, share, href: Option<&str>| HealthCard {
                    name: name.to_owned(),
                    value: value.to_owned(),
                    unit: unit.to_owned(),
                    detail: detail.to_owned(),
                    state,
                    share,
                    href: href.map(str::to_owned),
                };
            use HealthState::{Attention, Good};
            Self {
                chrome: Chrome { banner: None, ..Chrome::sample("Health", Nav::Health, Role::Admin) },
                verdict: "One thing needs attention: a job failed.".to_owned(),
                state: Attention,
                cards: vec![
                    card("Answer time", "8.4", "s", "median of the last 50 answers", Good, None, None),
                    card("Documents", "15", "", "1,480 passages can be searched", Good, None, Some("/library")),
                    card(
                        "Queue",
                        "2",
                        "jobs in work",
                        "1 failed in the last day",
                        Attention,
                        None,
                        Some("/jobs?state=failed"),
                    ),
                    card("Disk", "61", "GB free", "38 of 99 GB used", Good, Some(38), None),
                    card("Index", "in step", "", "every published version can be searched", Good, None, None),
                    card("Audit log", "1,206", "events", "head 4f1c9b7e…", Good, None, None),
                ],
                findings: vec![FindingRow {
                    check: "backup".to_owned(),
                    state: Attention,
                    detail: "the last one is of 2026-03-02T22:00:00Z".to_owned(),
                    why: "if this disk fails, everything since the last backup is lost",
                    advice: "run 'carrel backup run', or have the server do it with backup.to",
                }],
                models: vec![
                    ModelRow {
                        purpose: "Writes answers".to_owned(),
                        name: "Qwen2.5-Coder-1.5B-Instruct".to_owned(),
                        detail: "qwen2 · Q4_K_M · context 32,768".to_owned(),
                        size: "1.1 GB".to_owned(),
                        sha256: "cc324af0".repeat(8),
                    },
                    ModelRow {
                        purpose: "Reads passages".to_owned(),
                        name: "all-MiniLM-L6-v2".to_owned(),
                        detail: "bert · F32 · 384 dimensions".to_owned(),
                        size: "91 MB".to_owned(),
                        sha256: "53aa5117".repeat(8),
                    },
                ],
                engines: vec![
                    EngineRow {
                        place: "in use".to_owned(),
                        name: "Qwen2.5-Coder-1.5B-Instruct".to_owned(),
                        state: Some(EngineState {
                            running: "2".to_owned(),
                            waiting: "0".to_owned(),
                            memory: "61 of 1,170".to_owned(),
                            cached: "840".to_owned(),
                            written: "48,210".to_owned(),
                            reused: "58 %".to_owned(),
                            guessed: "37 %".to_owned(),
                            preempted: "0".to_owned(),
                        }),
                    },
                    EngineRow {
                        place: "on trial".to_owned(),
                        name: "qwen2.5-14b at http://10.0.0.5:8000".to_owned(),
                        state: None,
                    },
                ],
                at: "14 March 2026, 09:41".to_owned(),
            }
        }
    }
}
