//! `POST /v1/embeddings`: texts to unit vectors, by the model that the documents were read with.

use super::caller::Caller;
use super::error::ApiError;
use super::models;
use super::request::read;
use crate::app::App;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity::TokenScope;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Most texts in one request, as at OpenAI.
const TEXTS: usize = 2048;

/// One request at a time: each uses every core, and questions of people need some, too.
static TURN: Semaphore = Semaphore::const_new(1);

#[derive(Deserialize)]
pub(super) struct EmbeddingsRequest {
    model: String,
    /// A text, or a list of texts.
    input: Value,
    encoding_format: Option<String>,
    dimensions: Option<usize>,
}

/// `POST /v1/embeddings`
pub(super) async fn post(
    State(app): State<App>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    caller.require(TokenScope::Embeddings)?;
    let request: EmbeddingsRequest = read(body)?;
    let model = models::embedding(&app, &request.model).await?;
    let texts = texts(request.input)?;
    let packed = match request.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(ApiError::invalid("encoding_format", "use float or base64")),
    };
    let embedder = Arc::clone(app.answering.embedder());
    if request.dimensions.is_some_and(|wanted| wanted != embedder.dimension()) {
        let message = format!("this model's vectors have {} numbers, no more and no fewer", embedder.dimension());
        return Err(ApiError::invalid("dimensions", message));
    }
    let _turn = TURN.acquire().await.map_err(|error| ApiError::internal(&error))?;
    let embedded = tokio::task::spawn_blocking(move || {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let tokens: usize = texts.iter().map(|text| embedder.count_tokens(text).min(embedder.max_tokens())).sum();
        embedder.embed(&texts).map(|vectors| (vectors, tokens))
    });
    let (vectors, tokens) = embedded.await.map_err(|error| ApiError::internal(&error))??;
    let object = |(index, vector): (usize, &Vec<f32>)| {
        let embedding = if packed { json!(base64_of(vector)) } else { json!(vector) };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    };
    let data: Vec<Value> = vectors.iter().enumerate().map(object).collect();
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    Ok(Json(json!({ "object": "list", "data": data, "model": model, "usage": usage })))
}

fn texts(input: Value) -> Result<Vec<String>, ApiError> {
    let invalid = || ApiError::invalid("input", "input must be a text or a list of texts, none of them empty");
    let text = |value: Value| match value {
        Value::String(text) if !text.is_empty() => Ok(text),
        Value::Number(_) | Value::Array(_) => {
            Err(ApiError::invalid("input", "input must be text: the tokens of another model mean nothing here"))
        }
        _ => Err(invalid()),
    };
    match input {
        Value::Array(items) if items.is_empty() => Err(invalid()),
        Value::Array(items) if items.len() > TEXTS => {
            Err(ApiError::invalid("input", format!("at most {TEXTS} texts in one request")))
        }
        Value::Array(items) => items.into_iter().map(text).collect(),
        one => Ok(vec![text(one)?]),
    }
}

/// 32-bit floats, little-endian.
fn base64_of(vector: &[f32]) -> String {
    STANDARD.encode(vector.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_text() {
        assert_eq!(texts(json!("a")).unwrap(), ["a"]);
        assert_eq!(texts(json!(["a", "b"])).unwrap(), ["a", "b"]);
        for wrong in [json!(""), json!([]), json!(["a", ""]), json!([1, 2]), json!([[1]]), json!({}), json!(null)] {
            assert!(texts(wrong.clone()).is_err(), "{wrong}");
        }
        assert!(texts(json!(vec!["a"; TEXTS + 1])).is_err());
        assert_eq!(base64_of(&[1.0, -2.0]), "AACAPwAAAMA=");
    }
}
