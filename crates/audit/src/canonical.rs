//! Canonical JSON: one and only one way to write a value, so that a hash over it means the value.
//!
//! The rules of RFC 8785 as far as our data need them: no white space, object keys sorted by their UTF-16 code units,
//! strings escaped only where JSON demands it. Numbers are whole and below 2⁵³ in magnitude, which every JSON
//! implementation writes alike; [`exact`] turns any other number into text before it is sealed.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// The largest whole number that a double holds without gaps below it, as RFC 8785 and I-JSON (RFC 7493) want.
const LARGEST: u64 = (1 << 53) - 1;

/// Writes `value` with sorted keys. For `#[serde(serialize_with)]`.
///
/// # Errors
/// Those of `serializer`.
pub fn serialize<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    Sorted(value).serialize(serializer)
}

/// `value` as canonical text.
pub(crate) fn text(value: &Value) -> String {
    serde_json::to_string(&Sorted(value)).unwrap_or_default()
}

/// `value` with every number that is not a whole one below 2⁵³ replaced by its text.
#[must_use]
pub fn exact(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let magnitude = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
            if magnitude.is_some_and(|magnitude| magnitude <= LARGEST) {
                Value::Number(number)
            } else {
                Value::String(number.to_string())
            }
        }
        Value::Array(items) => items.into_iter().map(exact).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, exact(value))).collect(),
        other => other,
    }
}

struct Sorted<'a>(&'a Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => {
                let mut sequence = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    sequence.serialize_element(&Sorted(item))?;
                }
                sequence.end()
            }
            Value::Object(members) => {
                // Not left to serde_json's map: whether that sorts depends on features other crates switch on.
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, &Sorted(value))?;
                }
                map.end()
            }
            other => other.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_by_utf16_code_units() {
        // The example of RFC 8785, section 3.2.3.
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control", "\u{f6}": "o with diaeresis",
        });
        let text = text(&value);
        let order =
            ["Carriage", "One", "Control", "o with", "Euro", "Emoji", "Hebrew"].map(|word| text.find(word).unwrap());
        assert!(order.is_sorted(), "{text}");
    }

    #[test]
    fn strings_are_escaped_only_where_they_must_be() {
        let value = json!("\u{20ac}$\u{f}\u{a}A'B\"\\\\\"/\u{8}\u{c}\u{7f}");
        assert_eq!(text(&value), "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\\b\\f\u{7f}\"");
    }

    #[test]
    fn numbers_that_implementations_write_differently_become_text() {
        let value = exact(json!({"b": [0.83, 1, -3], "a": {"z": u64::MAX, "y": 9_007_199_254_740_991_i64}}));
        assert_eq!(text(&value), r#"{"a":{"y":9007199254740991,"z":"18446744073709551615"},"b":["0.83",1,-3]}"#);
    }
}
