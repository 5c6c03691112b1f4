//! How many regular expressions a schema may lay on one text.
//!
//! The compiler intersects them all at once, at a cost that grows with their sizes' product and that its fuel doesn't
//! see: twenty take longer than anybody lives.

use super::invalid;
use crate::ModelError;
use serde_json::Value;
use std::collections::HashMap;

/// Regular expressions on one text.
const MOST: usize = 2;
/// Characters of one.
const LONGEST: usize = 1000;

/// Refuses a schema that may intersect too many patterns and formats. Errs on the side of refusal: it doesn't look at
/// the names of properties.
pub(super) fn check(schema: &Value) -> Result<(), ModelError> {
    let mut references = HashMap::new();
    collect(schema, &mut references)?;
    // References go in circles, so numbers are taken upwards until none changes; each can rise only a few times.
    loop {
        let mut changed = false;
        for name in references.keys().copied().collect::<Vec<&str>>() {
            let found = target(schema, name).map_or(0, |target| most(target, &references)).min(MOST + 1);
            changed |= references.insert(name, found) != Some(found);
        }
        if !changed {
            break;
        }
    }
    if most(schema, &references) > MOST {
        return Err(invalid("more than two patterns or formats could meet on one text; write them as one"));
    }
    Ok(())
}

/// Finds the references; refuses long patterns on the way.
fn collect<'a>(value: &'a Value, references: &mut HashMap<&'a str, usize>) -> Result<(), ModelError> {
    let long = |text: &str| text.len() > LONGEST;
    match value {
        Value::Array(values) => values.iter().try_for_each(|value| collect(value, references)),
        Value::Object(values) => values.iter().try_for_each(|(key, value)| {
            let patterns = value.as_object().filter(|_| key == "patternProperties");
            let names_long = patterns.is_some_and(|patterns| patterns.keys().any(|pattern| long(pattern)));
            match value.as_str() {
                Some(text) if key == "pattern" && long(text) => return Err(too_long()),
                Some(name) if key == "$ref" => {
                    references.insert(name, 0);
                }
                _ if names_long => return Err(too_long()),
                _ => {}
            }
            collect(value, references)
        }),
        _ => Ok(()),
    }
}

fn too_long() -> ModelError {
    invalid(&format!("a pattern has more than {LONGEST} characters"))
}

/// The part of `root` that a reference within it names.
fn target<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(reference.strip_prefix('#')?.trim_end_matches('/'))
}

/// The most regular expressions that may meet on one text somewhere in `schema`.
fn most(schema: &Value, references: &HashMap<&str, usize>) -> usize {
    let Some(schema) = schema.as_object() else { return 0 };
    let one = |key: &str| schema.get(key).map_or(0, |schema| most(schema, references));
    let list = |key: &str| -> Vec<usize> {
        let each = |schema: &Value| most(schema, references);
        match schema.get(key) {
            Some(Value::Array(schemas)) => schemas.iter().map(each).collect(),
            Some(Value::Object(schemas)) => schemas.values().map(each).collect(),
            _ => Vec::new(),
        }
    };
    let greatest = |key: &str| list(key).into_iter().max().unwrap_or(0);
    let text = usize::from(schema.contains_key("pattern")) + usize::from(schema.contains_key("format"));
    let parts = [
        greatest("properties") + greatest("patternProperties"),
        one("additionalProperties"),
        match schema.get("items") {
            Some(Value::Array(_)) => greatest("items"),
            _ => one("items"),
        },
        greatest("prefixItems"),
        one("additionalItems"),
    ];
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|name| references.get(name)).copied();
    parts.into_iter().fold(text, usize::max)
        + list("allOf").into_iter().sum::<usize>()
        + greatest("anyOf")
        + greatest("oneOf")
        + reference.unwrap_or(0)
}
