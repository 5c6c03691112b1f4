//! Functions: those that a program offers to the model, and how the calls of an answer are told.

use super::error::ApiError;
use inference::ToolCall;
use serde_json::{Value, json};

/// Most functions in one request, as at OpenAI.
const MOST: usize = 128;

/// The functions that the model may call, and the shape of a call that it must make, if it must.
pub(super) fn offered(tools: Vec<Value>, choice: Option<&Value>) -> Result<(Vec<Value>, Option<Value>), ApiError> {
    if tools.len() > MOST {
        return Err(ApiError::invalid("tools", "at most 128 functions can be offered"));
    }
    for (at, tool) in tools.iter().enumerate() {
        let name = tool["function"]["name"].as_str().unwrap_or_default();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if tool["type"] != "function" || name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
            let message = "a tool is {\"type\": \"function\", \"function\": {\"name\": ...}}, its name of letters, digits, _ and -";
            return Err(ApiError::invalid(&format!("tools[{at}]"), message));
        }
        let parameters = &tool["function"]["parameters"];
        if !parameters.is_null() && !parameters.is_object() {
            let field = format!("tools[{at}].function.parameters");
            return Err(ApiError::invalid(&field, "the parameters must be a JSON schema"));
        }
    }
    let invalid = || ApiError::invalid("tool_choice", "use none, auto, required, or name one of the tools");
    match choice {
        None | Some(Value::Null) => Ok((tools, None)),
        Some(Value::String(word)) => match word.as_str() {
            "auto" => Ok((tools, None)),
            "none" => Ok((Vec::new(), None)),
            "required" if !tools.is_empty() => {
                let calls: Vec<Value> = tools.iter().map(call_of).collect();
                let shape = match calls.as_slice() {
                    [only] => only.clone(),
                    _ => json!({ "anyOf": calls }),
                };
                Ok((tools, Some(shape)))
            }
            _ => Err(invalid()),
        },
        Some(named) => {
            let name = &named["function"]["name"];
            let chosen = tools.into_iter().find(|tool| name.is_string() && tool["function"]["name"] == *name);
            let chosen = chosen.ok_or_else(invalid)?;
            let shape = call_of(&chosen);
            Ok((vec![chosen], Some(shape)))
        }
    }
}

/// The schema of a call of `tool`.
fn call_of(tool: &Value) -> Value {
    let parameters = match &tool["function"]["parameters"] {
        Value::Null => json!({ "type": "object" }),
        parameters => parameters.clone(),
    };
    json!({
        "type": "object",
        "properties": { "name": { "enum": [tool["function"]["name"]] }, "arguments": parameters },
        "required": ["name", "arguments"],
        "additionalProperties": false,
    })
}

/// The calls of an answer; in a stream each says which one it is.
pub(super) fn told(calls: &[ToolCall], streamed: bool) -> Value {
    let one = |(at, call): (usize, &ToolCall)| {
        let function = json!({ "name": call.name, "arguments": call.arguments.to_string() });
        let mut told = json!({ "id": call.id, "type": "function", "function": function });
        if streamed {
            told["index"] = json!(at);
        }
        told
    };
    calls.iter().enumerate().map(one).collect()
}

/// How much of a text may be shown while more of it comes: what could be, or belong to, a call is held back.
pub(super) fn shown(text: &str) -> usize {
    const BEGIN: &str = "<tool_call>";
    let held = |at: &usize| text.is_char_boundary(*at) && BEGIN.starts_with(&text[*at..]);
    let partly = || (text.len().saturating_sub(BEGIN.len())..text.len()).find(held);
    text.find(BEGIN).or_else(partly).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str) -> Value {
        json!({ "type": "function", "function": { "name": name, "parameters": { "type": "object" } } })
    }

    #[test]
    fn a_choice_narrows_or_forces() {
        let both = || vec![tool("tide"), tool("wind")];
        assert_eq!(offered(both(), Some(&json!("none"))).unwrap().0.len(), 0);
        let (tools, shape) = offered(both(), Some(&json!("required"))).unwrap();
        assert_eq!(
            (tools.len(), shape.unwrap()["anyOf"][1]["properties"]["name"].clone()),
            (2, json!({ "enum": ["wind"] }))
        );
        let named = json!({ "type": "function", "function": { "name": "wind" } });
        let (tools, shape) = offered(both(), Some(&named)).unwrap();
        assert_eq!((tools, shape.unwrap()["required"].clone()), (vec![tool("wind")], json!(["name", "arguments"])));
        for wrong in [json!("must"), json!({ "function": { "name": "fog" } }), json!(7)] {
            assert!(offered(both(), Some(&wrong)).is_err(), "{wrong}");
        }
        assert!(offered(vec![], Some(&json!("required"))).is_err());
    }

    #[test]
    fn a_tool_needs_a_name_and_a_schema() {
        for wrong in [json!({}), json!("tide"), tool("a b"), tool(""), json!({ "type": "function", "function": {} })] {
            assert!(offered(vec![wrong.clone()], None).is_err(), "{wrong}");
        }
        let parameters = json!({ "type": "function", "function": { "name": "a", "parameters": [] } });
        assert!(offered(vec![parameters], None).is_err());
    }

    #[test]
    fn what_may_become_a_call_is_held_back() {
        for (text, at) in
            [("abc", 3), ("a <", 2), ("a < b", 5), ("a <tool_", 2), ("x<tool_call>{", 1), ("", 0), ("ü<t", 2)]
        {
            assert_eq!(shown(text), at, "{text}");
        }
    }
}
