//! Calls: what of a model's text calls functions, in the format of the Hermes and Qwen models.

use crate::Wishes;
use domain::AnswerId;
use inference::ToolCall;
use serde_json::Value;

const BEGIN: &str = "<tool_call>";
const END: &str = "</tool_call>";

/// The text without its calls, and the calls. Only functions that were offered can be called; anything else stays text.
pub(crate) fn split(text: &str, wishes: &Wishes, answer: AnswerId) -> (String, Vec<ToolCall>) {
    if wishes.tools.is_empty() {
        return (text.to_owned(), Vec::new());
    }
    let (mut rest, mut kept, mut calls) = (text, String::new(), Vec::new());
    while let Some((before, after)) = rest.split_once(BEGIN) {
        // The last one may end with the answer.
        let (inside, behind) = after.split_once(END).unwrap_or((after, ""));
        kept.push_str(before);
        match call(inside, &wishes.tools) {
            Some((name, arguments)) => calls.push((name, arguments)),
            None => kept.push_str(&rest[before.len()..rest.len() - behind.len()]),
        }
        rest = behind;
    }
    kept.push_str(rest);
    // Held to the shape of a call, a model writes it without marks.
    if calls.is_empty()
        && wishes.schema.is_some()
        && let Some(found) = call(text, &wishes.tools)
    {
        calls.push(found);
        kept.clear();
    }
    let numbered = calls.into_iter().enumerate();
    let call = |(at, (name, arguments))| ToolCall { id: format!("call_{answer}_{at}"), name, arguments };
    (kept.trim().to_owned(), numbered.map(call).collect())
}

/// Name and arguments of a call of one of `tools`.
fn call(text: &str, tools: &[Value]) -> Option<(String, Value)> {
    let call: Value = serde_json::from_str(text.trim()).ok()?;
    let name = call.get("name")?.as_str()?;
    tools.iter().find(|tool| tool["function"]["name"] == name)?;
    let arguments = match call.get("arguments").or_else(|| call.get("parameters")) {
        Some(Value::String(text)) => serde_json::from_str(text).ok()?,
        Some(arguments) => arguments.clone(),
        None => Value::Object(serde_json::Map::new()),
    };
    arguments.is_object().then(|| (name.to_owned(), arguments))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Environment;
    use serde_json::json;

    fn read(text: &str, forced: bool) -> (String, Vec<(String, Value)>) {
        let tool = |name: &str| json!({ "type": "function", "function": { "name": name } });
        let schema = forced.then(|| json!({ "type": "object" }));
        let wishes = Wishes { tools: vec![tool("tide"), tool("wind")], schema, ..Wishes::default() };
        let (text, calls) = split(text, &wishes, AnswerId::new(&Environment::system()));
        (text, calls.into_iter().map(|call| (call.name, call.arguments)).collect())
    }

    #[test]
    fn calls_leave_the_text() {
        let two = "I look.\n<tool_call>\n{\"name\": \"tide\", \"arguments\": {\"at\": \"noon\"}}\n</tool_call>\n\
            <tool_call>{\"name\": \"wind\", \"arguments\": \"{}\"}";
        let calls = vec![("tide".to_owned(), json!({ "at": "noon" })), ("wind".to_owned(), json!({}))];
        assert_eq!(read(two, false), ("I look.".to_owned(), calls));
    }

    #[test]
    fn what_is_no_call_of_an_offered_function_stays_text() {
        for text in [
            "no call",
            "<tool_call>\nnot JSON\n</tool_call>",
            "<tool_call>{\"name\": \"delete_all\", \"arguments\": {}}</tool_call> done",
            "<tool_call>{\"name\": \"tide\", \"arguments\": [1]}</tool_call>",
            "{\"name\": \"tide\", \"arguments\": {}}",
        ] {
            assert_eq!(read(text, false), (text.to_owned(), vec![]));
        }
    }

    #[test]
    fn a_call_that_must_be_made_needs_no_marks() {
        let call = "{\"name\": \"tide\", \"arguments\": {}}";
        assert_eq!(read(call, true), (String::new(), vec![("tide".to_owned(), json!({}))]));
    }
}
