//! Errors in the shape of OpenAI's interface: `{"error": {"message", "type", "param", "code"}}`.

use crate::error::{MODEL_WAIT, Problem, WebError, retry_after};
use answer::AskError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use inference::ModelError;
use serde_json::{Value, json};
use std::time::Duration;

/// Why a request was not done, as its program is told.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
    retry_after: Option<Duration>,
}

impl ApiError {
    fn of(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, code: None, retry_after: None }
    }

    /// A field of the request cannot be used.
    pub(super) fn invalid(param: &str, message: impl Into<String>) -> Self {
        let param = (!param.is_empty()).then(|| param.to_owned());
        Self { param, ..Self::of(StatusCode::BAD_REQUEST, message) }
    }

    pub(super) fn code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// No token, or one that is not good: deliberately one answer.
    pub(super) fn unauthorized() -> Self {
        let message = "no valid API token; send one as 'Authorization: Bearer crl_...', made on the account page";
        Self::of(StatusCode::UNAUTHORIZED, message).code("invalid_api_key")
    }

    /// The token is good, but not for this.
    pub(super) fn forbidden(message: String) -> Self {
        Self::of(StatusCode::FORBIDDEN, message).code("insufficient_permissions")
    }

    pub(super) fn not_found(param: &str, message: String, code: &'static str) -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::invalid(param, message).code(code) }
    }

    pub(super) fn too_large() -> Self {
        Self::of(StatusCode::PAYLOAD_TOO_LARGE, "the request is larger than 4 MB")
    }

    fn overloaded(message: String, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::of(StatusCode::SERVICE_UNAVAILABLE, message).code("overloaded") }
    }

    /// A fault of ours: logged here, told without its reason.
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "request failed");
        Self::of(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong here").code("internal")
    }

    /// The error as JSON, also as an event of a stream that has begun.
    pub(super) fn body(&self) -> Value {
        body(self.status, &self.message, self.param.as_deref(), self.code)
    }
}

fn body(status: StatusCode, message: &str, param: Option<&str>, code: Option<&str>) -> Value {
    let kind = match status {
        StatusCode::FORBIDDEN => "permission_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    };
    json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
}

/// An error of the layers around the routes.
pub(crate) fn render_problem(status: StatusCode, problem: &Problem) -> Response {
    (status, Json(body(status, &problem.sentence, None, Some(problem.code)))).into_response()
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after(wait));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<WebError> for ApiError {
    fn from(error: WebError) -> Self {
        let (status, code) = error.code();
        match &error {
            WebError::Internal(source) => Self::internal(&**source),
            WebError::Overloaded { sentence, retry_after } => Self::overloaded(sentence.clone(), *retry_after),
            _ => Self::of(status, error.to_string()).code(code),
        }
    }
}

impl From<storage::StorageError> for ApiError {
    fn from(error: storage::StorageError) -> Self {
        WebError::from(error).into()
    }
}

impl From<identity::IdentityError> for ApiError {
    fn from(error: identity::IdentityError) -> Self {
        WebError::from(error).into()
    }
}

impl From<ModelError> for ApiError {
    fn from(error: ModelError) -> Self {
        let message = error.to_string();
        match error {
            ModelError::Overloaded { retry_after, .. } => Self::overloaded(message, retry_after),
            ModelError::PromptTooLong { .. } => Self::invalid("messages", message).code("context_length_exceeded"),
            ModelError::InvalidRequest { .. } | ModelError::Template { .. } => Self::invalid("", message),
            ModelError::RemoteUnreachable { .. }
            | ModelError::RemoteRefused { .. }
            | ModelError::RemoteBroken { .. } => Self::of(StatusCode::BAD_GATEWAY, message).code("engine_failed"),
            other => Self::internal(&other),
        }
    }
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Invalid(sentence) => Self::invalid("messages", sentence),
            AskError::NoModel => Self::overloaded(error.to_string(), MODEL_WAIT),
            AskError::Model(error) => error.into(),
            AskError::Storage(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}
