//! The JSON schema of a line of a JSONL export, made from the vocabulary itself.

use crate::{Action, ActorKind, Outcome};
use serde_json::{Value, json};

/// The schema (JSON Schema 2020-12) of the three kinds of lines: an entry, what is left of a purged one, and the signed
/// head at the end. Each action stands there with its meaning.
#[must_use]
pub fn schema() -> Value {
    let hash = json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" });
    let id = json!({ "type": "string", "format": "uuid" });
    let time = json!({ "type": "string", "format": "date-time" });
    let sequence = json!({ "type": "integer", "minimum": 1 });
    let actions: Vec<Value> =
        Action::ALL.iter().map(|action| json!({ "const": action.as_str(), "description": action.meaning() })).collect();
    let kinds = [ActorKind::User, ActorKind::Console, ActorKind::System, ActorKind::Anonymous].map(ActorKind::as_str);
    let outcomes = [Outcome::Success, Outcome::Denied, Outcome::Failed].map(Outcome::as_str);
    let actor = object(
        &["kind", "name"],
        json!({
            "address": { "type": "string", "description": "network address that the request came from" },
            "kind": { "enum": kinds },
            "name": { "type": "string", "description": "the sign-in name at that moment, or the kind's name" },
            "session": id,
            "user": id,
        }),
    );
    let target = object(
        &["id", "kind", "name"],
        json!({
            "id": { "type": "string" },
            "kind": { "type": "string", "description": "such as document, user or collection" },
            "name": { "type": "string", "description": "its name or title at that moment" },
        }),
    );
    let event = object(
        &["action", "actor", "operation", "outcome"],
        json!({
            "action": { "oneOf": actions },
            "actor": actor,
            "detail": {
                "description": "what else is known; changes have `before` and `after`. Whole numbers below 2^53, any other number as text",
            },
            "object": target,
            "operation": { "description": "the request or command that it was part of", "type": "string" },
            "outcome": { "enum": outcomes },
        }),
    );
    let entry = object(
        &["at", "event", "hash", "previous", "sequence"],
        json!({ "at": time, "event": event, "hash": hash, "previous": hash, "sequence": sequence }),
    );
    let purged = object(
        &["hash", "previous", "purged", "sequence"],
        json!({ "hash": hash, "previous": hash, "purged": { "const": true }, "sequence": sequence }),
    );
    let head = object(
        &["at", "count", "first", "hash", "public_key", "signature"],
        json!({
            "at": time,
            "count": { "type": "integer", "minimum": 0 },
            "first": sequence,
            "hash": hash,
            "public_key": hash,
            "signature": { "type": "string", "pattern": "^[0-9a-f]{128}$" },
        }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of Carrel's audit export (JSONL)",
        "oneOf": [{ "$ref": "#/$defs/entry" }, { "$ref": "#/$defs/purged" }, object(&["head"], json!({ "head": { "$ref": "#/$defs/head" } }))],
        "$defs": { "entry": entry, "purged": purged, "head": head },
    })
}

/// The schema as the file docs/audit/events.schema.json holds it.
#[must_use]
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&Sorted(&schema())).unwrap_or_default();
    text.push('\n');
    text
}

/// Keys in one order, whatever features other crates switch on in serde_json.
struct Sorted<'a>(&'a Value);

impl serde::Serialize for Sorted<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::canonical::serialize(self.0, serializer)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "always called with what json! has just made")]
fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Actor, Event, EventHash, Head, Purged, SigningKey, seal};
    use domain::{Environment, OperationId, SessionId, UserId};

    #[test]
    fn the_file_in_docs_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audit/events.schema.json");
        if std::env::var_os("CARREL_WRITE_SCHEMA").is_some() {
            std::fs::write(path, text()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == text(), "write it anew: carrel audit schema > docs/audit/events.schema.json");
    }

    /// The names that an object of the schema allows.
    fn names(schema: &Value) -> Vec<String> {
        let mut names: Vec<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        names.sort_unstable();
        names
    }

    fn keys(value: &Value) -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn the_schema_names_every_field_that_a_line_can_have() {
        let environment = Environment::system();
        let mut actor = Actor::anonymous("10.0.0.1");
        actor.user = Some(UserId::new(&environment));
        actor.session = Some(SessionId::new(&environment));
        let event = Event::new(Action::DocumentOpened, &actor, OperationId::new(&environment))
            .on("document", "d", "t")
            .detail(json!({ "page": 1 }));
        let entry = seal(EventHash::GENESIS, 1, environment.now(), event);
        let line: Value = serde_json::from_str(&entry.to_json()).unwrap();
        let schema = schema();
        let described = &schema["$defs"]["entry"];
        assert_eq!(keys(&line), names(described));
        let event = &described["properties"]["event"];
        assert_eq!(keys(&line["event"]), names(event));
        assert_eq!(keys(&line["event"]["actor"]), names(&event["properties"]["actor"]));
        assert_eq!(keys(&line["event"]["object"]), names(&event["properties"]["object"]));
        let purged: Value = serde_json::from_str(&Purged::of(&entry).to_json()).unwrap();
        assert_eq!(keys(&purged), names(&schema["$defs"]["purged"]));
        let head = Head::sign(&SigningKey::generate(&environment), 1, entry.hash, entry.at);
        assert_eq!(keys(&json!(head)), names(&schema["$defs"]["head"]));
        let actions = event["properties"]["action"]["oneOf"].as_array().unwrap();
        assert_eq!(actions.len(), Action::ALL.len());
        assert!(actions.iter().all(|action| action["description"].as_str().is_some_and(|text| text.ends_with('.'))));
    }
}
