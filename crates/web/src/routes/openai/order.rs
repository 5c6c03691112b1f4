//! A chat request, checked and in our own words.

use super::error::ApiError;
use super::request::{ChatMessage, ChatRequest, ResponseFormat};
use super::tools;
use answer::Wishes;
use domain::{Environment, TokenId};
use inference::{Message, Sampling, ToolCall};
use serde_json::{Value, json};

/// Most texts that may end an answer, as at OpenAI.
const STOPS: usize = 4;
/// Most alternatives to a token, as at OpenAI.
const ALTERNATIVES: u32 = 20;

/// What is asked for.
pub(super) struct Order {
    /// The question: the last message of the person.
    pub(super) question: String,
    pub(super) wishes: Wishes,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    /// Look only into these.
    pub(super) collections: Option<Vec<String>>,
    /// And into these.
    pub(super) filtered_collections: Option<Vec<String>>,
}

impl Order {
    /// Whether the answer is JSON for a program rather than text for a person.
    pub(super) fn is_shaped(&self) -> bool {
        self.wishes.schema.is_some() && self.wishes.tools.is_empty()
    }
}

pub(super) fn check(request: ChatRequest, token: TokenId, environment: &Environment) -> Result<Order, ApiError> {
    if request.n.is_some_and(|n| n != 1) {
        return Err(ApiError::invalid("n", "one answer at a time: n must be 1"));
    }
    let sampling = sampling(&request, environment)?;
    let messages = messages(request.messages)?;
    let question = messages.iter().rev().find(|message| message.role == inference::MessageRole::User);
    let question = question.ok_or_else(|| ApiError::invalid("messages", "there is no message of the role 'user'"))?;
    let max_new_tokens = match request.max_completion_tokens.or(request.max_tokens) {
        Some(0) => return Err(ApiError::invalid("max_tokens", "max_tokens must be 1 or more")),
        limit => limit.map(|limit| limit as usize),
    };
    let logprobs = match (request.logprobs.unwrap_or(false), request.top_logprobs) {
        (false, Some(1..)) => return Err(ApiError::invalid("top_logprobs", "top_logprobs needs logprobs: true")),
        (_, Some(count)) if count > ALTERNATIVES => {
            return Err(ApiError::invalid("top_logprobs", "top_logprobs must be between 0 and 20"));
        }
        (wanted, count) => wanted.then(|| count.unwrap_or(0) as usize),
    };
    let (tools, forced) = tools::offered(request.tools.unwrap_or_default(), request.tool_choice.as_ref())?;
    let shape = request.response_format.map_or(Ok(None), schema)?;
    if shape.is_some() && !tools.is_empty() {
        let message = "response_format other than text does not go together with tools here; use one of the two";
        return Err(ApiError::invalid("response_format", message));
    }
    let ours = request.carrel.unwrap_or_default();
    let filter = ours.filter.unwrap_or_default();
    let documents = filter.documents().map_err(|error| ApiError::invalid("carrel.filter", error.to_string()))?;
    Ok(Order {
        question: question.content.clone(),
        wishes: Wishes {
            without_documents: ours.retrieval == Some(false),
            messages,
            sampling: Some(sampling),
            max_new_tokens,
            stop: stops(request.stop)?,
            schema: shape.or(forced),
            tools,
            logprobs,
            token: Some(token),
            filter: documents,
        },
        stream: request.stream.unwrap_or(false),
        include_usage: request.stream_options.and_then(|options| options.include_usage).unwrap_or(false),
        collections: ours.collections,
        filtered_collections: filter.collections,
    })
}

/// Greedy unless the request says otherwise, so that an answer can be written again. One that is random without a seed
/// gets one, and the record has it.
fn sampling(request: &ChatRequest, environment: &Environment) -> Result<Sampling, ApiError> {
    let within = |name: &str, value: Option<f32>, low: f32, high: f32| match value {
        Some(value) if !(low..=high).contains(&value) => {
            Err(ApiError::invalid(name, format!("{name} must be between {low} and {high}")))
        }
        value => Ok(value),
    };
    let mut sampling = Sampling::default();
    if let Some(temperature) = within("temperature", request.temperature, 0.0, 2.0)? {
        sampling.temperature = temperature;
    }
    if let Some(top_p) = within("top_p", request.top_p, 0.0, 1.0)? {
        // OpenAI allows 0 and means the likeliest token alone.
        sampling.top_p = top_p.max(f32::EPSILON);
    }
    if let Some(penalty) = within("frequency_penalty", request.frequency_penalty, -2.0, 2.0)? {
        sampling.frequency_penalty = penalty;
    }
    if let Some(penalty) = within("presence_penalty", request.presence_penalty, -2.0, 2.0)? {
        sampling.presence_penalty = penalty;
    }
    sampling.seed = match request.seed {
        Some(seed) => seed.cast_unsigned(),
        None if sampling.temperature > 0.0 => u64::from(u32::from_le_bytes(environment.random_bytes()) >> 1),
        None => 0,
    };
    Ok(sampling)
}

fn stops(stop: Option<Value>) -> Result<Vec<String>, ApiError> {
    let invalid = || ApiError::invalid("stop", "stop must be a text or a list of at most four texts");
    match stop {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text]),
        Some(Value::Array(items)) if items.len() <= STOPS => {
            items.into_iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(invalid)).collect()
        }
        Some(_) => Err(invalid()),
    }
}

fn schema(format: ResponseFormat) -> Result<Option<Value>, ApiError> {
    match (format.r#type.as_str(), format.json_schema) {
        ("text", _) => Ok(None),
        ("json_object", _) => Ok(Some(json!({ "type": "object" }))),
        ("json_schema", Some(given)) => match given.schema {
            Some(schema) if schema.is_object() => Ok(Some(schema)),
            _ => Err(ApiError::invalid("response_format.json_schema.schema", "the schema must be an object")),
        },
        ("json_schema", None) => Err(ApiError::invalid("response_format.json_schema", "the schema is missing")),
        _ => Err(ApiError::invalid("response_format.type", "use text, json_object or json_schema")),
    }
}

fn messages(given: Vec<ChatMessage>) -> Result<Vec<Message>, ApiError> {
    given.into_iter().enumerate().map(|(at, given)| message(at, given)).collect()
}

fn message(at: usize, given: ChatMessage) -> Result<Message, ApiError> {
    let field = |name: &str| format!("messages[{at}].{name}");
    let content = content(given.content, &field("content"))?;
    match (given.role.as_str(), content) {
        ("system" | "developer", Some(content)) => Ok(Message::system(content)),
        ("user", Some(content)) => Ok(Message::user(content)),
        ("assistant", content) => {
            let calls = given.tool_calls.unwrap_or_default();
            if content.is_none() && calls.is_empty() {
                return Err(ApiError::invalid(&field("content"), "the message is empty"));
            }
            let read = |call: super::request::Call| {
                let arguments = serde_json::from_str(&call.function.arguments);
                let arguments = arguments
                    .map_err(|_| ApiError::invalid(&field("tool_calls"), "the arguments of a call are no JSON"))?;
                Ok(ToolCall { id: call.id, name: call.function.name, arguments })
            };
            let calls: Result<Vec<ToolCall>, ApiError> = calls.into_iter().map(read).collect();
            Ok(Message::calls(content.unwrap_or_default(), calls?))
        }
        ("tool", Some(content)) => {
            let missing = || ApiError::invalid(&field("tool_call_id"), "the call that it answers is missing");
            Ok(Message::tool(given.tool_call_id.ok_or_else(missing)?, content))
        }
        ("system" | "developer" | "user" | "tool", None) => {
            Err(ApiError::invalid(&field("content"), "the message is empty"))
        }
        _ => Err(ApiError::invalid(&field("role"), "use system, developer, user, assistant or tool")),
    }
}

/// Text, or the texts of a list of parts one after the other.
fn content(content: Option<Value>, field: &str) -> Result<Option<String>, ApiError> {
    let invalid = || ApiError::invalid(field, "the content must be text, or parts of the type 'text'");
    match content {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Array(parts)) => {
            let text = |part: &Value| match part["type"].as_str() {
                Some("text") => part["text"].as_str().map(str::to_owned).ok_or_else(invalid),
                _ => Err(invalid()),
            };
            Ok(Some(parts.iter().map(text).collect::<Result<Vec<_>, _>>()?.join("\n")))
        }
        Some(_) => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::openai::request::read;
    use axum::body::Bytes;

    fn order(fields: Value) -> Result<Order, String> {
        let environment = Environment::system();
        let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "How high?" }] });
        let Value::Object(fields) = fields else { panic!("{fields}") };
        for (name, value) in fields {
            body[name.as_str()] = value;
        }
        let request = read(Ok(Bytes::from(body.to_string())));
        let checked = request.and_then(|request| check(request, TokenId::new(&environment), &environment));
        checked.map_err(|error| error.body()["error"]["param"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn without_words_an_answer_is_greedy_and_from_documents() {
        let order = order(json!({})).unwrap_or_else(|param| panic!("{param}"));
        assert_eq!(order.question, "How high?");
        assert_eq!(order.wishes.sampling, Some(Sampling::default()));
        assert!(!order.wishes.without_documents && !order.stream && order.collections.is_none());
    }

    #[test]
    fn every_wish_arrives() {
        let wanted = json!({
            "messages": [
                { "role": "developer", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] },
                { "role": "user", "content": "How high?" },
                { "role": "assistant", "content": null, "tool_calls": [
                    { "id": "c", "type": "function", "function": { "name": "tide", "arguments": "{\"at\":1}" } }] },
                { "role": "tool", "tool_call_id": "c", "content": "2 m" },
            ],
            "temperature": 0.5, "top_p": 0, "seed": -1, "stop": "END", "max_tokens": 9, "max_completion_tokens": 7,
            "logprobs": true, "top_logprobs": 2, "presence_penalty": 1.5, "stream": true,
            "stream_options": { "include_usage": true }, "carrel": { "retrieval": false, "collections": ["IT"] },
            "response_format": { "type": "json_schema", "json_schema": { "name": "x", "schema": { "type": "array" } } },
        });
        let order = order(wanted).unwrap_or_else(|param| panic!("{param}"));
        let (wishes, sampling) = (&order.wishes, order.wishes.sampling.unwrap());
        assert_eq!(wishes.messages[0], Message::system("a\nb"));
        assert_eq!(wishes.messages[2].tool_calls[0].arguments, json!({ "at": 1 }));
        assert_eq!(wishes.messages[3], Message::tool("c", "2 m"));
        assert_eq!((sampling.temperature, sampling.seed, sampling.presence_penalty), (0.5, u64::MAX, 1.5));
        assert!(sampling.top_p > 0.0 && sampling.top_p < 0.001);
        assert_eq!((wishes.max_new_tokens, wishes.logprobs, wishes.stop.len()), (Some(7), Some(2), 1));
        assert_eq!(wishes.schema, Some(json!({ "type": "array" })));
        assert!(order.stream && order.include_usage && wishes.without_documents && order.is_shaped());
    }

    #[test]
    fn what_is_random_has_a_seed_that_is_written_down() {
        let order = order(json!({ "temperature": 1 })).unwrap_or_else(|param| panic!("{param}"));
        assert_ne!(order.wishes.sampling.unwrap().seed, 0);
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_its_field() {
        let schema = json!({ "type": "json_schema" });
        let tool = json!({ "type": "function", "function": { "name": "tide" } });
        for (fields, param) in [
            (json!({ "n": 2 }), "n"),
            (json!({ "temperature": 2.5 }), "temperature"),
            (json!({ "top_p": -0.1 }), "top_p"),
            (json!({ "frequency_penalty": 3 }), "frequency_penalty"),
            (json!({ "max_tokens": 0 }), "max_tokens"),
            (json!({ "top_logprobs": 3 }), "top_logprobs"),
            (json!({ "logprobs": true, "top_logprobs": 21 }), "top_logprobs"),
            (json!({ "stop": ["a", "b", "c", "d", "e"] }), "stop"),
            (json!({ "stop": [1] }), "stop"),
            (json!({ "response_format": schema }), "response_format.json_schema"),
            (json!({ "response_format": { "type": "yaml" } }), "response_format.type"),
            (json!({ "response_format": { "type": "json_object" }, "tools": [tool] }), "response_format"),
            (json!({ "messages": [] }), "messages"),
            (json!({ "messages": [{ "role": "system", "content": "a" }] }), "messages"),
            (json!({ "messages": [{ "role": "king", "content": "a" }] }), "messages[0].role"),
            (json!({ "messages": [{ "role": "user" }] }), "messages[0].content"),
            (json!({ "messages": [{ "role": "user", "content": [{ "type": "image_url" }] }] }), "messages[0].content"),
            (json!({ "messages": [{ "role": "tool", "content": "a" }] }), "messages[0].tool_call_id"),
        ] {
            assert_eq!(order(fields.clone()).err().as_deref(), Some(param), "{fields}");
        }
    }
}
