//! Everything that can go wrong in a request, as one type; one layer renders it for people or programs.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use identity::TokenScope;
use std::time::Duration;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// Nobody is signed in; `next` is where to go afterwards.
    #[error("sign in first")]
    SignIn {
        /// Path and query of the page that was wanted.
        next: String,
    },
    /// A sign-in has steps to go; `next` is where to go afterwards.
    #[error("finish signing in first")]
    Unfinished {
        /// The page of the step.
        page: &'static str,
        /// Path and query of the page that was wanted.
        next: String,
    },
    /// It is not there, or not for this person: deliberately one answer.
    #[error("there is nothing here that you can see")]
    NotFound,
    /// A collection was named that is not there, or not for this person: deliberately one answer.
    #[error("there is no collection '{0}' that this token may read")]
    NoCollection(String),
    /// The person's role does not allow it.
    #[error("this is not open to your role")]
    Forbidden,
    /// A program sent no token, or one that is not good: deliberately one answer.
    #[error("no valid API token; send one as 'Authorization: Bearer crl_...', made on the account page")]
    Token,
    /// A program's token is good, but not for this.
    #[error("this token is not for {0}; make one that is on the account page")]
    TokenScope(TokenScope),
    /// The site has search only.
    #[error("asking is switched off here; search instead")]
    AnswersOff,
    /// The form was not sent by this person's own page.
    #[error("this form has expired; go back, reload the page and send it again")]
    Forged,
    /// What was sent cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// Somebody else was faster, or a name is taken.
    #[error("{0}")]
    Conflict(String),
    /// More than is taken in.
    #[error("{0}")]
    TooLarge(String),
    /// It is understood, and it cannot be done with this document.
    #[error("{0}")]
    Unprocessable(String),
    /// Too many requests wait for the model.
    #[error("{sentence}")]
    Overloaded {
        /// Why, and when to come back.
        sentence: String,
        /// The same for programs: when there is likely to be room.
        retry_after: Duration,
    },
    /// The engine elsewhere did not answer as it should.
    #[error("{0}")]
    Engine(String),
    /// The disk is full.
    #[error("the disk is full; nothing was lost, an admin has to make room")]
    Full,
    /// So little room is left on the disk that nothing more is taken in.
    #[error("{0}")]
    NoRoom(ingest::Short),
    /// A fault of ours; the log has it under the operation id.
    #[error("something went wrong here")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What the rendering layer needs to know of an error; travels as an extension of the response.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) sentence: String,
    /// When to try again, if that is known.
    pub(crate) retry_after: Option<Duration>,
}

/// When to ask again if no model is in use: an admin has to act first.
pub(crate) const MODEL_WAIT: Duration = Duration::from_secs(60);

/// When to try to sign in again if too many do so at once, or a directory does not answer.
const SIGN_IN_WAIT: Duration = Duration::from_secs(5);

/// The value of `Retry-After`: whole seconds, rounded up (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(wait: Duration) -> HeaderValue {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(seconds.max(1))
}

impl WebError {
    pub(crate) fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Internal(Box::new(error))
    }

    /// Status and stable code, as programs see them.
    #[must_use]
    pub const fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::SignIn { .. } | Self::Unfinished { .. } => (StatusCode::UNAUTHORIZED, "sign_in_required"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::NoCollection(_) => (StatusCode::NOT_FOUND, "collection_not_found"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::Token => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::TokenScope(_) => (StatusCode::FORBIDDEN, "insufficient_scope"),
            Self::AnswersOff => (StatusCode::FORBIDDEN, "answers_off"),
            Self::Forged => (StatusCode::FORBIDDEN, "form_expired"),
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::Unprocessable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unprocessable"),
            Self::Overloaded { .. } => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            Self::Engine(_) => (StatusCode::BAD_GATEWAY, "engine_failed"),
            Self::Full | Self::NoRoom(_) => (StatusCode::INSUFFICIENT_STORAGE, "disk_full"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        if let Self::SignIn { next } = &self {
            let query = encoded(next);
            return Redirect::to(&format!("/sign-in?next={query}")).into_response();
        }
        if let Self::Unfinished { page, next } = &self {
            return Redirect::to(&format!("{page}?next={}", encoded(next))).into_response();
        }
        let (status, code) = self.code();
        if let Self::Internal(error) = &self {
            tracing::error!(%error, "request failed");
        }
        let mut response = (status, [(header::CACHE_CONTROL, "no-store")]).into_response();
        let retry_after = match &self {
            Self::Overloaded { retry_after, .. } => Some(*retry_after),
            _ => None,
        };
        response.extensions_mut().insert(Problem { code, sentence: self.to_string(), retry_after });
        response
    }
}

/// A path for the value of a query field.
pub(crate) fn encoded(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

impl From<storage::StorageError> for WebError {
    fn from(error: storage::StorageError) -> Self {
        use storage::StorageError as E;
        match error {
            E::Conflict { .. } => Self::Conflict(error.to_string()),
            E::NotFound { .. } => Self::NotFound,
            E::Full => Self::Full,
            other => Self::internal(other),
        }
    }
}

impl From<identity::IdentityError> for WebError {
    fn from(error: identity::IdentityError) -> Self {
        use identity::IdentityError as E;
        match error {
            E::Password(identity::PasswordError::Hashing(_)) => Self::internal(error),
            E::Password(identity::PasswordError::Busy) => {
                Self::Overloaded { sentence: error.to_string(), retry_after: SIGN_IN_WAIT }
            }
            E::Elsewhere(sentence) => Self::Overloaded { sentence, retry_after: SIGN_IN_WAIT },
            E::Password(_) | E::Invalid(_) => Self::Invalid(error.to_string()),
            E::Unknown(_) => Self::NotFound,
            E::Storage(error) => error.into(),
        }
    }
}

impl From<answer::AskError> for WebError {
    fn from(error: answer::AskError) -> Self {
        use answer::AskError as E;
        match error {
            E::Invalid(sentence) => Self::Invalid(sentence.to_owned()),
            E::NothingBeside => Self::Conflict(error.to_string()),
            E::NoModel => Self::Overloaded { sentence: error.to_string(), retry_after: MODEL_WAIT },
            E::Model(inference::ModelError::Overloaded { retry_after, .. }) => {
                Self::Overloaded { sentence: error.to_string(), retry_after }
            }
            E::Model(
                inference::ModelError::RemoteUnreachable { .. }
                | inference::ModelError::RemoteRefused { .. }
                | inference::ModelError::RemoteBroken { .. },
            ) => Self::Engine(error.to_string()),
            E::Model(inference::ModelError::PromptTooLong { .. }) => Self::Invalid(error.to_string()),
            E::Storage(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<models::ModelsError> for WebError {
    fn from(error: models::ModelsError) -> Self {
        use models::ModelsError as E;
        match error {
            E::Unknown(_) => Self::NotFound,
            E::Busy(_) | E::Memory { .. } => Self::Conflict(error.to_string()),
            E::Storage(error) => error.into(),
            E::Interrupted => Self::internal(error),
            other => Self::Invalid(other.to_string()),
        }
    }
}

impl From<ingest::StageError> for WebError {
    fn from(error: ingest::StageError) -> Self {
        use ingest::StageError as E;
        match error {
            E::Empty => Self::Invalid(error.to_string()),
            E::TooLarge { .. } => Self::TooLarge(error.to_string()),
            E::Content(ingest::ContentError::Full) => Self::Full,
            E::NoRoom(short) => Self::NoRoom(short),
            E::Storage(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<ingest::FolderError> for WebError {
    fn from(error: ingest::FolderError) -> Self {
        match error {
            ingest::FolderError::Refused(sentence) => Self::Invalid(sentence),
            ingest::FolderError::Storage(error) => error.into(),
        }
    }
}

impl From<ingest::PublishError> for WebError {
    fn from(error: ingest::PublishError) -> Self {
        Self::internal(error)
    }
}

impl From<ingest::ContentError> for WebError {
    fn from(error: ingest::ContentError) -> Self {
        match error {
            ingest::ContentError::Full => Self::Full,
            other => Self::internal(other),
        }
    }
}

impl From<ingest::PageError> for WebError {
    fn from(error: ingest::PageError) -> Self {
        use ingest::PageError as E;
        match error {
            E::NoPage => Self::NotFound,
            E::Undrawable(_) | E::TooMuch | E::TookTooLong => Self::Unprocessable(error.to_string()),
            E::Busy => Self::Overloaded { sentence: error.to_string(), retry_after: Duration::from_secs(5) },
            E::Failed(_) => Self::internal(error),
        }
    }
}

impl From<askama::Error> for WebError {
    fn from(error: askama::Error) -> Self {
        Self::internal(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_is_in_whole_seconds_rounded_up() {
        for (ms, seconds) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (59_999, "60")] {
            assert_eq!(retry_after(Duration::from_millis(ms)), seconds);
        }
    }
}
