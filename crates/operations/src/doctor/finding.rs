//! What a check found, in words for an admin.

use serde::Serialize;
use std::collections::BTreeMap;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// Works, and somebody should look at it.
    Warning,
    /// Not as it should be.
    Failed,
}

/// One check and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, such as `disk`, or `model` and a name.
    pub check: String,
    /// The same as a word that never changes and names nobody, such as `model`.
    pub code: &'static str,
    /// How it stands.
    pub state: State,
    /// What was found, in a sentence. It may name files and models, so it stays on the machine.
    pub detail: String,
    /// What comes of it if nobody does anything; empty if all is well.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub why: &'static str,
    /// What to do; empty if all is well.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub advice: &'static str,
    /// Numbers that say the same: they may leave the machine.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<&'static str, u64>,
}

impl Finding {
    fn new(code: &'static str, state: State, detail: impl Into<String>) -> Self {
        let (check, detail) = (code.replace('_', " "), detail.into());
        Self { check, code, state, detail, why: "", advice: "", figures: BTreeMap::new() }
    }

    /// All is well.
    #[must_use]
    pub fn ok(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(code, State::Ok, detail)
    }

    /// Somebody should look at it: why, and what to do.
    #[must_use]
    pub fn warning(code: &'static str, detail: impl Into<String>, why: &'static str, advice: &'static str) -> Self {
        Self { why, advice, ..Self::new(code, State::Warning, detail) }
    }

    /// Something is wrong: why that matters, and what to do.
    #[must_use]
    pub fn failed(code: &'static str, detail: impl Into<String>, why: &'static str, advice: &'static str) -> Self {
        Self { why, advice, ..Self::new(code, State::Failed, detail) }
    }

    /// The check itself could not be made.
    #[must_use]
    pub fn unknown(code: &'static str, error: impl std::fmt::Display) -> Self {
        let why = "what cannot be looked at may be wrong";
        Self::failed(
            code,
            format!("it could not be looked at: {error}"),
            why,
            "mend what the sentence names, then look again",
        )
    }

    /// Adds a number.
    #[must_use]
    pub fn with(mut self, name: &'static str, number: u64) -> Self {
        self.figures.insert(name, number);
        self
    }

    /// Gives it a name of its own.
    #[must_use]
    pub fn named(self, check: &str) -> Self {
        Self { check: check.to_owned(), ..self }
    }

    /// Says of which of several it is.
    #[must_use]
    pub fn of(mut self, name: &str) -> Self {
        self.check = format!("{} {name}", self.code.replace('_', " "));
        self
    }
}
