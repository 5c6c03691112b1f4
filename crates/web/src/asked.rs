//! What an address asks for.

use crate::error::WebError;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The fields of an address, for pages: what is none of ours gets the page for errors, not the words of a library.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, WebError> {
        let asked = Query::from_request_parts(parts, state).await;
        let Query(asked) = asked.map_err(|_| WebError::Invalid("there is no page at this address".to_owned()))?;
        Ok(Self(asked))
    }
}
