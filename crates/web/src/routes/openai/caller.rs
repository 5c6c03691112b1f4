//! Who calls: a program with a person's token. Cookies count for nothing here.

use super::error::ApiError;
use crate::app::App;
use crate::error::WebError;
use crate::programs::{Program, within};
use crate::session::scope_of;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use domain::AccessScope;
use identity::TokenScope;

/// The program behind a request.
pub(super) struct Caller(pub(super) Program);

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Program::of(parts, app).await?.map(Self).ok_or_else(ApiError::unauthorized)
    }
}

impl Caller {
    /// Goes on only with a token that is for this.
    pub(super) fn require(&self, scope: TokenScope) -> Result<(), ApiError> {
        if self.0.bearer.may(scope) {
            return Ok(());
        }
        Err(ApiError::forbidden(WebError::TokenScope(scope).to_string()))
    }

    /// What may be read as of now, within each of these lists of collections.
    pub(super) async fn scope(
        &self,
        app: &App,
        lists: [(&str, Option<&[String]>); 2],
    ) -> Result<AccessScope, ApiError> {
        let mut scope = scope_of(app, &self.0).await?;
        for (field, names) in lists {
            let Some(names) = names else { continue };
            scope = within(app, scope, names).await.map_err(|error| match error {
                WebError::NoCollection(_) => ApiError::not_found(field, error.to_string(), error.code().1),
                error => error.into(),
            })?;
        }
        Ok(scope)
    }
}
