//! What a schema may be at most, checked before it is compiled.

use super::invalid;
use crate::ModelError;
use serde_json::Value;

/// Values in the schema: objects, lists, texts, numbers.
const VALUES: usize = 4000;
/// Bytes of its texts and names.
const BYTES: usize = 128 * 1024;
/// Levels of objects and lists.
const DEPTH: usize = 64;
/// Options of one `anyOf`, `oneOf` or `allOf`: they are compared with each other.
const OPTIONS: usize = 64;
/// `patternProperties` of one object: they are compared with each other.
const PATTERNS: usize = 8;
/// Items or properties that a list or an object may be bounded by.
const ITEMS: u64 = 1000;
/// Characters that a text may be bounded by.
const LENGTH: u64 = 20_000;

/// The least common multiple of all `multipleOf`, without its zeros at the end: remainders are told apart one by one.
const MULTIPLE: u64 = 5000;
/// What `multipleOf` is counted in.
const UNIT: f64 = 1e-4;

/// Refuses a schema that could take long to compile.
pub(super) fn check(schema: &Value) -> Result<(), ModelError> {
    if schema.get("x-guidance").is_some() {
        return Err(invalid("it has an unknown keyword, x-guidance"));
    }
    let mut left = Left { values: VALUES, bytes: BYTES, multiple: 1 };
    left.walk(schema, DEPTH)
}

struct Left {
    values: usize,
    bytes: usize,
    /// The least common multiple so far, in units.
    multiple: u64,
}

impl Left {
    fn walk(&mut self, value: &Value, depth: usize) -> Result<(), ModelError> {
        self.values = self.values.checked_sub(1).ok_or_else(|| invalid("it is too large"))?;
        let depth = depth.checked_sub(1).ok_or_else(|| invalid("it is nested too deeply"))?;
        match value {
            Value::String(text) => self.text(text),
            Value::Array(values) => values.iter().try_for_each(|value| self.walk(value, depth)),
            Value::Object(values) => values.iter().try_for_each(|(key, value)| {
                self.text(key)?;
                keyword(key, value)?;
                match value.as_f64() {
                    Some(number) if key == "multipleOf" => self.multiple(number)?,
                    _ => {}
                }
                self.walk(value, depth)
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    fn multiple(&mut self, number: f64) -> Result<(), ModelError> {
        let units = (number.abs() / UNIT).round();
        let whole = (units * UNIT - number.abs()).abs() <= number.abs() * 1e-9;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and not large")]
        let units = if whole && (1.0..1e9).contains(&units) { units as u64 } else { 0 };
        // Both are below 10^9, or the one before would have been refused.
        self.multiple = if units == 0 { 0 } else { self.multiple / divisor(self.multiple, units) * units };
        let mut digits = self.multiple;
        while digits > 0 && digits % 10 == 0 {
            digits /= 10;
        }
        if digits == 0 || digits > MULTIPLE || self.multiple >= 1_000_000_000 {
            return Err(invalid("its multipleOf are too small, too large or too many"));
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), ModelError> {
        self.bytes = self.bytes.checked_sub(text.len()).ok_or_else(|| invalid("it is too large"))?;
        Ok(())
    }
}

/// Refuses a keyword that asks for too much. A property may have the name of a keyword: its value is no number or list.
fn keyword(key: &str, value: &Value) -> Result<(), ModelError> {
    let (size, most) = match key {
        "minItems" | "maxItems" | "minProperties" | "maxProperties" => (number(value), ITEMS),
        "minLength" | "maxLength" => (number(value), LENGTH),
        "anyOf" | "oneOf" | "allOf" => (value.as_array().map_or(0, Vec::len) as u64, OPTIONS as u64),
        "patternProperties" => (value.as_object().map_or(0, serde_json::Map::len) as u64, PATTERNS as u64),
        _ => return Ok(()),
    };
    if size > most {
        return Err(invalid(&format!("{key} asks for {size}; at most {most} are possible")));
    }
    Ok(())
}

/// The greatest common divisor.
fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

fn number(value: &Value) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    value.as_f64().map_or(0, |number| number as u64)
}
