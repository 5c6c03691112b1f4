//! What is looked for in the log, and how its events are shown.

use crate::show::second;
use crate::views::{AuditFilter, AuditOutcome, AuditRow, Pager, ShownPassage};
use ::audit::{Action, Entry, Outcome};
use domain::Label;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The fields of the filter, as typed.
#[derive(Deserialize, Default)]
pub(crate) struct Wanted {
    #[serde(default)]
    pub(crate) from: String,
    #[serde(default)]
    pub(crate) to: String,
    #[serde(default)]
    pub(crate) person: String,
    #[serde(default)]
    pub(crate) action: String,
    #[serde(default)]
    pub(crate) document: String,
    #[serde(default)]
    pub(crate) label: String,
    #[serde(default)]
    pub(crate) text: String,
    pub(crate) before: Option<u64>,
}

impl Wanted {
    fn fields(&self) -> [(&'static str, &String); 7] {
        let Self { from, to, person, action, document, label, text, before: _ } = self;
        [
            ("from", from),
            ("to", to),
            ("person", person),
            ("action", action),
            ("document", document),
            ("label", label),
            ("text", text),
        ]
    }

    /// The fields that are set, as an event's detail names them. The label has a name of its own there: looking for what is
    /// secret is no secret event.
    pub(crate) fn detail(&self) -> Map<String, Value> {
        let set = self.fields().into_iter().filter(|(_, value)| !value.is_empty());
        set.map(|(name, value)| {
            (if name == "label" { "of_label" } else { name }.to_owned(), Value::from(value.as_str()))
        })
        .collect()
    }

    /// As the store takes it; days are local and whole.
    pub(crate) fn filter(&self) -> Result<storage::AuditFilter, String> {
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        let action = match self.action.as_str() {
            "" => None,
            name => Some(name.parse::<Action>().map_err(|error| error.to_string())?),
        };
        let label = match self.label.as_str() {
            "" => None,
            name => Some(name.parse::<Label>()?),
        };
        Ok(storage::AuditFilter {
            from: beginning(&self.from, 0)?,
            to: beginning(&self.to, 1)?,
            actor: given(&self.person),
            action,
            document: given(&self.document),
            label,
            text: given(&self.text),
        })
    }

    pub(super) fn shown(self) -> AuditFilter {
        let Self { from, to, person, action, document, label, text, before: _ } = self;
        AuditFilter { from, to, person, action, document, label, text }
    }

    /// Links to newer and older events than these.
    pub(super) fn pager(&self, entries: &[Entry], full: bool) -> Option<Pager> {
        if self.before.is_none() && !full {
            return None;
        }
        let set: Vec<(&str, &String)> = self.fields().into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let query = serde_urlencoded::to_string(&set).unwrap_or_default();
        let older = |before: u64| format!("/audit?{query}{}before={before}", if query.is_empty() { "" } else { "&" });
        Some(Pager {
            summary: match (entries.first(), entries.last()) {
                (Some(newest), Some(oldest)) => format!("events {} to {}", newest.sequence, oldest.sequence),
                _ => "no events".to_owned(),
            },
            previous: self.before.map(|_| format!("/audit?{query}")),
            next: entries.last().filter(|_| full).map(|oldest| older(oldest.sequence)),
        })
    }
}

/// The day that `text` names, if any.
pub(super) fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| format!("'{text}' is not a day; write it as 2026-03-14"))
}

/// When the local day `text`, or so many days later, begins; `None` for an empty text.
pub(super) fn beginning(text: &str, days_later: i64) -> Result<Option<Timestamp>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let begins = day(text)?.checked_add(days_later.days()).and_then(|date| date.to_zoned(TimeZone::system()));
    begins.map(|begins| Some(begins.timestamp())).map_err(|_| format!("'{text}' is out of range; name another day"))
}

pub(super) fn row(entry: Entry) -> AuditRow {
    let Entry { sequence, at, event, previous, hash } = entry;
    let passages: Vec<ShownPassage> =
        event.detail.get("passages").and_then(Value::as_array).into_iter().flatten().map(shown).collect();
    let detail = match &event.detail {
        Value::Null => String::new(),
        Value::Object(fields) if fields.is_empty() => String::new(),
        detail => serde_json::to_string_pretty(detail).unwrap_or_default(),
    };
    let document = event.object.as_ref().filter(|object| object.kind == "document").map(|object| object.id.clone());
    AuditRow {
        sequence,
        at: second(at),
        day: at.to_zoned(TimeZone::system()).date().to_string(),
        document,
        person: event.actor.name,
        address: event.actor.address,
        action: event.action.as_str().to_owned(),
        object: event.object.map(|object| if object.name.is_empty() { object.id } else { object.name }),
        outcome: match event.outcome {
            Outcome::Success => AuditOutcome::Success,
            Outcome::Denied => AuditOutcome::Denied,
            Outcome::Failed => AuditOutcome::Failed,
        },
        detail,
        passages,
        operation: event.operation.to_string(),
        hash: hash.to_string(),
        previous: previous.to_string(),
    }
}

fn shown(passage: &Value) -> ShownPassage {
    let text = |name: &str| passage.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |name: &str| passage.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    ShownPassage {
        title: text("title"),
        page: number("page"),
        version: number("version").unwrap_or(1),
        passage: text("passage"),
        hash: text("hash"),
    }
}
