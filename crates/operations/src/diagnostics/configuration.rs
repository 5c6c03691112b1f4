//! The configuration as it may leave the machine.

use serde_json::{Value, json};

/// Settings whose text is one of a few words that docs/configuration.md lists.
const WORDS: [&str; 5] =
    ["generate.engine", "embed.precision", "sign_in.second_factor", "approvals.grants_from", "tls.client_name"];

/// What stands for a text.
const SET: &str = "(set)";

/// A configuration without its texts: addresses, paths, names and secrets become `(set)`, lists their length. Numbers and
/// switches stay.
#[must_use]
pub fn without_secrets(configuration: &Value) -> Value {
    clean(configuration, "")
}

fn clean(value: &Value, path: &str) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) if text.is_empty() => value.clone(),
        // A word: what is no setting of ours would not have been read.
        Value::String(text) if WORDS.contains(&path) && text.len() <= 16 => value.clone(),
        Value::String(_) => SET.into(),
        Value::Array(items) => json!({ "entries": items.len() }),
        Value::Object(members) => {
            let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            members.iter().map(|(name, value)| (name.clone(), clean(value, &below(name)))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_set_and_numbers_stay() {
        let configuration = json!({
            "data": "/srv/ministry", "organisation": "Port Elsin", "patience_seconds": 60, "secure_cookies": null,
            "generate": { "engine": "remote", "remote": { "address": "http://10.0.0.5:8000", "model": "" } },
            "directory": { "groups": [{ "dn": "cn=spies" }] },
        });
        let expected = json!({
            "data": "(set)", "organisation": "(set)", "patience_seconds": 60, "secure_cookies": null,
            "generate": { "engine": "remote", "remote": { "address": "(set)", "model": "" } },
            "directory": { "groups": { "entries": 1 } },
        });
        assert_eq!(without_secrets(&configuration), expected);
    }
}
