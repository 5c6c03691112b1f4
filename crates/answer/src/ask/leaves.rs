//! Leaves: what a JSON text says, as statements that can be checked like sentences.

use serde_json::Value;
use std::collections::BTreeSet;
use unicode_segmentation::UnicodeSegmentation;

/// One statement a line: each number with the name before it, each text, and each name that `schema` leaves to the
/// model and that is long enough to claim something. `None` if it is no JSON.
pub(super) fn leaves(text: &str, schema: &Value) -> Option<String> {
    let (mut lines, mut fixed) = (Vec::new(), BTreeSet::new());
    names(schema, &mut fixed);
    collect("", &serde_json::from_str(text).ok()?, &fixed, &mut lines);
    Some(lines.join("\n"))
}

fn collect(name: &str, value: &Value, fixed: &BTreeSet<&str>, lines: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let words = words(name);
                collect(name, value, fixed, lines);
                // With a number it is one statement. Behind the value, for what is said first may be that nothing can be
                // said.
                if !value.is_number() && !fixed.contains(name.as_str()) && claims(&words) {
                    lines.push(words);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(name, item, fixed, lines)),
        Value::String(text) => lines.push(text.clone()),
        Value::Number(number) => lines.push(format!("{} {number}", words(name))),
        Value::Bool(_) | Value::Null => {}
    }
}

/// The name of a member as words: `leave_days` and `leaveDays` are two.
fn words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && words.ends_with(char::is_lowercase) {
            words.push(' ');
        }
        words.push(if matches!(c, '_' | '-') { ' ' } else { c });
    }
    words
}

/// Whether a name may say something by itself: `annual leave` and `step 1` do not, `nobody is paid` and `bonus 9000` do.
fn claims(name: &str) -> bool {
    let parts: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).flat_map(|part| part.unicode_words()).collect();
    let figure = |part: &&str| part.len() > 1 && part.chars().all(char::is_numeric);
    parts.len() > 2 || parts.len() == 2 && parts.iter().any(figure) && !parts.iter().all(figure)
}

/// The names of members that a schema fixes, at any depth.
fn names<'a>(schema: &'a Value, fixed: &mut BTreeSet<&'a str>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                fixed.extend(properties.keys().map(String::as_str));
            }
            members.values().for_each(|member| names(member, fixed));
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, fixed)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_is_read_as_what_it_says() {
        let text = r#"{"answer": "24 days.", "leave_days": 24, "sure": true, "more": ["a", {"b": "c"}]}"#;
        assert_eq!(leaves(text, &Value::Null).unwrap(), "24 days.\nleave days 24\na\nc");
        assert!(leaves("24 days", &Value::Null).is_none());
    }

    #[test]
    fn a_name_that_the_model_chose_may_claim_something() {
        let text = r#"{"Everybody gets a bonus": null, "annual leave": {"ofTheFirstYear": 24}, "bonus_2024": true}"#;
        let any = json!({ "type": "object" });
        assert_eq!(leaves(text, &any).unwrap(), "Everybody gets a bonus\nof The First Year 24\nbonus 2024");
        let fixed = json!({ "anyOf": [{ "properties": { "Everybody gets a bonus": {}, "bonus_2024": {} } }] });
        assert_eq!(leaves(text, &fixed).unwrap(), "of The First Year 24");
    }

    #[test]
    fn words_of_a_name_are_counted_however_they_are_joined() {
        for name in ["nobody is paid", "nobody_is_paid", "nobodyIsPaid", "nobody.is.paid", "bonus of 9", "没有人"] {
            assert!(claims(&words(name)), "{name}");
        }
        for name in ["leave", "annual leave", "annual-leave", "annualLeave", "ID", "1", "step1", "step 1", "q2_answer"]
        {
            assert!(!claims(&words(name)), "{name}");
        }
    }
}
