//! Who calls: a program with a person's token. Cookies count for nothing here.

use super::error::ApiError;
use crate::app::App;
use crate::session::{bearer, client, operation};
use audit::Actor;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use domain::{AccessScope, CollectionId, OperationId};
use identity::{TokenBearer, TokenScope};

/// The program behind a request.
pub(super) struct Caller {
    pub(super) bearer: TokenBearer,
    pub(super) address: String,
    pub(super) operation: OperationId,
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let (address, operation) = (client(parts).address, operation(parts, app));
        let Some(secret) = bearer(&parts.headers) else { return Err(ApiError::unauthorized()) };
        let bearer = app.identity.authenticate_token(secret, &address, operation).await?;
        let bearer = bearer.ok_or_else(ApiError::unauthorized)?;
        Ok(Self { bearer, address, operation })
    }
}

impl Caller {
    /// As audit events name the person.
    pub(super) fn actor(&self) -> Actor {
        self.bearer.actor(&self.address)
    }

    /// Goes on only with a token that is for this.
    pub(super) fn require(&self, scope: TokenScope) -> Result<(), ApiError> {
        if self.bearer.may(scope) {
            return Ok(());
        }
        Err(ApiError::forbidden(format!("this token is not for {scope}; make one that is on the account page")))
    }

    /// What may be read as of now, within `collections` if any are named, by name or id. One that is not there and one
    /// that this person may not read answer alike.
    pub(super) async fn scope(&self, app: &App, collections: Option<&[String]>) -> Result<AccessScope, ApiError> {
        let scope = app.identity.scope(&self.bearer.principal).await?;
        let Some(wanted) = collections else { return Ok(scope) };
        let readable: Vec<CollectionId> = scope.collections().collect();
        let mut known = app.store.collections().await?;
        known.retain(|collection| readable.contains(&collection.id));
        let mut chosen = Vec::new();
        for name in wanted {
            let found = known.iter().find(|known| known.name == *name || known.id.to_string() == *name);
            let missing = || {
                let message = format!("there is no collection '{name}' that this token may read");
                ApiError::not_found("carrel.collections", message, "collection_not_found")
            };
            chosen.push(found.ok_or_else(missing)?.id);
        }
        Ok(scope.narrowed_to(&chosen))
    }
}
