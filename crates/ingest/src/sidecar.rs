//! Sidecar files: `NAME.carrel.json` beside `NAME` says what a site knows of a file that the file itself does not say.
//!
//! A JSON object; `author`, `written_at` and `modified_at` (a day of the site's zone, or an RFC 3339 time) are known, every other name is a
//! field of the site's own, whose value is a text, a number or true or false.

use domain::Metadata;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

const ENDING: &str = ".carrel.json";
/// Bytes of a sidecar file: all that may be in it fits many times over.
pub(crate) const LARGEST: u64 = 1 << 20;
/// Own fields in one sidecar, and characters in one of them.
const MOST_FIELDS: usize = 50;
const LONGEST: usize = 1_000;

/// The source that a sidecar file describes; `None` for all other files.
#[must_use]
pub fn described(source: &str) -> Option<&str> {
    source.strip_suffix(ENDING).filter(|source| !source.is_empty() && !source.ends_with('/'))
}

/// Reads a sidecar file.
///
/// # Errors
/// One sentence that names what is wrong in it.
pub fn parse(text: &[u8]) -> Result<Metadata, String> {
    parse_within(text, &TimeZone::system())
}

fn parse_within(text: &[u8], zone: &TimeZone) -> Result<Metadata, String> {
    let values: Map<String, Value> =
        serde_json::from_slice(text).map_err(|error| format!("its sidecar file is not a JSON object: {error}"))?;
    let mut metadata = Metadata::default();
    for (name, value) in values {
        let name = name.trim().to_lowercase();
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(yes) => yes.to_string(),
            Value::Null => continue,
            Value::Array(_) | Value::Object(_) => {
                return Err(format!("its sidecar file gives '{name}' a list or an object; give it a text"));
            }
        };
        if text.chars().count() > LONGEST {
            return Err(format!("its sidecar file gives '{name}' more than {LONGEST} characters"));
        }
        match name.as_str() {
            "author" => metadata.author = Some(text),
            "written_at" => metadata.written_at = Some(moment(&name, &text, zone)?),
            "modified_at" => metadata.modified_at = Some(moment(&name, &text, zone)?),
            _ if metadata.fields.len() == MOST_FIELDS => {
                return Err(format!("its sidecar file has more than {MOST_FIELDS} fields"));
            }
            _ => drop(metadata.fields.insert(name, text)),
        }
    }
    Ok(metadata)
}

fn moment(name: &str, text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let day = || text.parse::<Date>().ok()?.to_zoned(zone.clone()).ok().map(|midnight| midnight.timestamp());
    let moment = text.parse::<Timestamp>().ok().or_else(day);
    moment.ok_or_else(|| format!("its sidecar file gives '{name}' as '{text}'; write it as 2026-03-14"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sidecar_says_what_is_known_and_what_the_site_wants() {
        let text = br#"{"author": "Ada", "written_at": "2026-03-14", "Case Number": 4711, "final": true, "x": null}"#;
        let metadata = parse_within(text, &TimeZone::fixed(jiff::tz::offset(-5))).unwrap();
        assert_eq!(metadata.author.as_deref(), Some("Ada"));
        assert_eq!(metadata.written_at, Some("2026-03-14T05:00:00Z".parse().unwrap()));
        let fields: Vec<_> = metadata.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(fields, ["case number=4711", "final=true"]);
    }

    #[test]
    fn what_is_wrong_in_it_is_named() {
        for (text, part) in [
            ("[]", "not a JSON object"),
            (r#"{"tags": ["a"]}"#, "'tags'"),
            (r#"{"written_at": "yesterday"}"#, "'yesterday'"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!((described("a/b.pdf.carrel.json"), described("b.pdf")), (Some("a/b.pdf"), None));
        assert_eq!(described("a/.carrel.json"), None);
    }
}
