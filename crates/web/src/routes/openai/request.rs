//! The body of a chat request, as OpenAI documents it. Fields that are not here are ignored, as OpenAI's own server
//! ignores them; a field of the wrong type is an error that names it.

use super::error::ApiError;
use crate::programs::{BodyFault, Filter, read_json};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub(super) struct ChatRequest {
    pub(super) model: String,
    pub(super) messages: Vec<ChatMessage>,
    pub(super) stream: Option<bool>,
    pub(super) stream_options: Option<StreamOptions>,
    pub(super) n: Option<u32>,
    pub(super) max_tokens: Option<u32>,
    pub(super) max_completion_tokens: Option<u32>,
    pub(super) temperature: Option<f32>,
    pub(super) top_p: Option<f32>,
    pub(super) frequency_penalty: Option<f32>,
    pub(super) presence_penalty: Option<f32>,
    pub(super) seed: Option<i64>,
    pub(super) stop: Option<Value>,
    pub(super) logprobs: Option<bool>,
    pub(super) top_logprobs: Option<u32>,
    pub(super) response_format: Option<ResponseFormat>,
    pub(super) tools: Option<Vec<Value>>,
    pub(super) tool_choice: Option<Value>,
    pub(super) carrel: Option<Ours>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ChatMessage {
    pub(super) role: String,
    /// Text, or a list of parts.
    pub(super) content: Option<Value>,
    pub(super) tool_calls: Option<Vec<Call>>,
    pub(super) tool_call_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Call {
    #[serde(default)]
    pub(super) id: String,
    pub(super) function: CalledFunction,
}

#[derive(Debug, Deserialize)]
pub(super) struct CalledFunction {
    pub(super) name: String,
    /// JSON as text.
    pub(super) arguments: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct StreamOptions {
    pub(super) include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ResponseFormat {
    pub(super) r#type: String,
    pub(super) json_schema: Option<JsonSchema>,
}

#[derive(Debug, Deserialize)]
pub(super) struct JsonSchema {
    pub(super) schema: Option<Value>,
}

/// What OpenAI's interface has no word for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Ours {
    /// Look only into these, by name or id.
    pub(super) collections: Option<Vec<String>>,
    /// Look only into documents that it lets through.
    pub(super) filter: Option<Filter>,
    /// `false`: the model answers alone.
    pub(super) retrieval: Option<bool>,
}

/// Reads a body; an error names the field it is about.
pub(super) fn read<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, ApiError> {
    read_json(body).map_err(|fault| match fault {
        BodyFault::TooLarge => ApiError::too_large(),
        BodyFault::Field(field, sentence) => ApiError::invalid(&field, sentence),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Value {
        let error = read::<ChatRequest>(Ok(Bytes::from(text.to_owned()))).unwrap_err();
        error.body()["error"].clone()
    }

    #[test]
    fn unknown_fields_are_ignored_and_nulls_are_nothing() {
        let text = r#"{"model":"m","messages":[{"role":"user","content":"hi","name":"x"}],"user":"u","store":true,"stop":null,
            "service_tier":"auto","max_tokens":null}"#;
        let request: ChatRequest = read(Ok(Bytes::from(text))).unwrap();
        assert_eq!((request.messages.len(), request.max_tokens), (1, None));
    }

    #[test]
    fn a_wrong_type_names_its_field() {
        let with = |field: &str| format!(r#"{{"model":"m","messages":[],{field}}}"#);
        for (text, param) in [
            (with(r#""temperature":"hot""#), "temperature"),
            (with(r#""max_tokens":-1"#), "max_tokens"),
            (with(r#""stream":"yes""#), "stream"),
            (with(r#""carrel":{"collections":"IT"}"#), "carrel.collections"),
            (r#"{"model":"m","messages":[{"role":7}]}"#.to_owned(), "messages[0].role"),
            (r#"{"messages":[]}"#.to_owned(), "model"),
        ] {
            let fault = fault(&text);
            assert_eq!((&fault["param"], &fault["type"]), (&param.into(), &"invalid_request_error".into()), "{fault}");
        }
        assert!(fault("{").to_string().contains("no JSON"));
        assert!(fault(r#"{"model":"m","messages":[]} x"#).to_string().contains("follows"));
    }
}
