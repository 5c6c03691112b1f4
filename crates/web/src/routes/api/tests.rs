//! The description says what the table of routes says.

use super::{DESCRIPTION, ROUTES};
use serde_json::Value;
use std::collections::BTreeSet;

fn description() -> Value {
    serde_json::from_str(DESCRIPTION).unwrap()
}

/// Every operation as method, path and what a token must be for.
fn described(description: &Value) -> BTreeSet<(String, String, Option<String>)> {
    let paths = description["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter().filter(|(method, _)| *method != "parameters");
        methods.map(move |(method, operation)| {
            let scope = operation["security"][0]["token"][0].as_str().map(str::to_owned);
            (method.clone(), path.clone(), scope)
        })
    });
    operations.collect()
}

#[test]
fn every_route_is_described_with_what_its_token_is_for_and_nothing_else_is() {
    let table: BTreeSet<_> = ROUTES
        .iter()
        .map(|(method, path, scope)| {
            ((*method).to_owned(), (*path).to_owned(), scope.map(|scope| scope.as_str().to_owned()))
        })
        .collect();
    assert_eq!(table.len(), ROUTES.len());
    assert_eq!(described(&description()), table);
}

#[test]
fn every_reference_leads_somewhere_and_every_parameter_of_a_path_is_described() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let description = description();
    assert_eq!(description["openapi"], "3.1.0");
    let mut found = Vec::new();
    references(&description, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let place = reference.strip_prefix('#').unwrap();
        assert!(description.pointer(place).is_some(), "{reference} leads nowhere");
    }
    for (path, item) in description["paths"].as_object().unwrap() {
        let wanted: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        let named = item["parameters"].as_array().into_iter().flatten().map(|parameter| {
            let parameter = match parameter["$ref"].as_str() {
                Some(reference) => description.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
                None => parameter,
            };
            assert_eq!(parameter["in"], "path", "{path}");
            parameter["name"].as_str().unwrap()
        });
        assert_eq!(named.collect::<BTreeSet<_>>(), wanted, "{path}");
    }
}

#[test]
fn every_operation_says_how_it_ends() {
    let description = description();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(method, _)| *method != "parameters") {
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
            assert!(!operation["security"].is_array() || responses.contains_key("default"), "{method} {path}");
            assert!(operation["operationId"].is_string() && operation["summary"].is_string(), "{method} {path}");
        }
    }
}
