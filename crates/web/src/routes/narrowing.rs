//! What the search form narrows a search to, beside collections.

use crate::error::WebError;
use crate::show::{kind, language};
use crate::views::{Choice, Narrowing};
use domain::DocumentFilter;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The filter that these fields of a query describe. Unknown fields are somebody else's.
pub(crate) fn filter(fields: &[(String, String)]) -> Result<DocumentFilter, WebError> {
    let all = |name: &str| {
        let values = fields.iter().filter(|(field, value)| field == name && !value.trim().is_empty());
        values.map(|(_, value)| value.trim().to_owned()).collect::<Vec<String>>()
    };
    let one = |name: &str| all(name).pop();
    let mut own = std::collections::BTreeMap::new();
    for text in all("field") {
        let (name, value) =
            text.split_once('=').ok_or_else(|| WebError::Invalid("write a field as name=value".to_owned()))?;
        own.insert(name.trim().to_lowercase(), value.trim().to_owned());
    }
    Ok(DocumentFilter {
        languages: all("language"),
        media_types: all("type"),
        labels: Vec::new(),
        author: one("author"),
        title: one("title"),
        path: one("path"),
        since: one("since").map(|day| midnight(&day, 0)).transpose()?,
        // The day itself counts.
        before: one("until").map(|day| midnight(&day, 1)).transpose()?,
        fields: own,
    })
}

fn midnight(day: &str, after: i64) -> Result<Timestamp, WebError> {
    let parsed = day.parse::<Date>().ok().and_then(|date| {
        let date = date.checked_add(jiff::Span::new().days(after)).ok()?;
        Some(date.to_zoned(TimeZone::system()).ok()?.timestamp())
    });
    parsed.ok_or_else(|| WebError::Invalid(format!("'{day}' is no day; write it as 2026-03-14")))
}

/// The form again, with what was chosen. `kinds` and `languages` are those of the documents that the person may see.
pub(crate) fn shown(fields: &[(String, String)], kinds: &[String], languages: &[String]) -> Narrowing {
    let text = |name: &str| {
        let found = fields.iter().find(|(field, _)| field == name);
        found.map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let choices = |name: &str, values: &[String], words: fn(&str) -> String| {
        let chosen = |value: &str| fields.iter().any(|(field, picked)| field == name && picked == value);
        let mut choices: Vec<Choice> = values
            .iter()
            .map(|value| Choice { value: value.clone(), words: words(value), selected: chosen(value) })
            .collect();
        choices.sort_by(|a, b| a.words.cmp(&b.words));
        choices
    };
    Narrowing {
        kinds: choices("type", kinds, |value| kind(value).to_owned()),
        languages: choices("language", languages, language),
        author: text("author"),
        path: text("path"),
        field: text("field"),
        since: text("since"),
        until: text("until"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_form_become_a_filter() {
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert!(filter(&pairs(&[("q", "x"), ("author", " "), ("type", "")])).unwrap().is_empty());
        let chosen = filter(&pairs(&[
            ("type", "application/pdf"),
            ("type", "text/html"),
            ("author", " Ada "),
            ("field", "Case Number = 12"),
            ("since", "2026-01-01"),
            ("until", "2026-01-01"),
        ]))
        .unwrap();
        assert_eq!(chosen.media_types.len(), 2);
        assert_eq!(chosen.author.as_deref(), Some("Ada"));
        assert_eq!(chosen.fields.get("case number").map(String::as_str), Some("12"));
        let day = chosen.before.unwrap().duration_since(chosen.since.unwrap());
        assert!(day.as_hours() >= 23, "the last day is inside");
        assert!(filter(&pairs(&[("since", "last week")])).is_err());
        assert!(filter(&pairs(&[("field", "no sign")])).is_err());
    }
}
