//! Carrel's own interface for programs: JSON under `/api/v1`, with a token of a person for each request.
//!
//! Every route is the rendering of what a page does as well: the same functions decide, act and record. What a token may
//! be used for stands in one table with the routes and is checked before any of them runs; what the person may do is
//! checked behind that, as for pages. `openapi.json` describes the interface, and a test holds it to the table.

mod ask;
mod audit;
mod batches;
mod collections;
mod directory;
mod documents;
mod jobs;
mod models;
mod search;

use crate::app::App;
use crate::error::WebError;
use crate::programs::Program;
use ::storage::Page;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use identity::TokenScope;
use serde::de::DeserializeOwned;

/// The interface, described for programs (OpenAPI 3.1).
const DESCRIPTION: &str = include_str!("openapi.json");

/// Things of a list in one answer, unless the request says otherwise, and at most.
const LISTED: u32 = 50;
const MOST_LISTED: u32 = 200;

/// Whether this path is one of ours: its errors are JSON, and cookies count for nothing.
pub(crate) fn is_ours(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

macro_rules! routes {
    ($($method:ident $path:literal for $scope:expr => $handler:path $(, with $layer:expr)?;)*) => {
        /// Method, path, and what a token must be for.
        #[cfg(test)]
        const ROUTES: &[(&str, &str, Option<TokenScope>)] = &[$((stringify!($method), $path, $scope),)*];

        pub(crate) fn routes(app: &App) -> Router<App> {
            Router::new()$(.route($path, admitting(app, $scope, $method($handler)$(.layer($layer))?)))*
        }
    };
}

const SEARCH: Option<TokenScope> = Some(TokenScope::Search);
const MANAGE: Option<TokenScope> = Some(TokenScope::Manage);

routes! {
    get "/api/v1/openapi.json" for None => description;
    post "/api/v1/search" for SEARCH => search::post;
    post "/api/v1/ask" for SEARCH => ask::post;
    get "/api/v1/collections" for SEARCH => collections::list;
    get "/api/v1/documents" for SEARCH => documents::list;
    // Files are read one by one, and each is held to the limit of its own.
    post "/api/v1/documents" for MANAGE => documents::upload, with DefaultBodyLimit::disable();
    get "/api/v1/documents/{id}" for SEARCH => documents::get;
    get "/api/v1/documents/{id}/original" for SEARCH => documents::original;
    get "/api/v1/documents/{id}/passages" for SEARCH => documents::passages;
    delete "/api/v1/documents/{id}" for MANAGE => documents::remove;
    get "/api/v1/jobs" for MANAGE => jobs::list;
    get "/api/v1/jobs/{id}" for MANAGE => jobs::get;
    post "/api/v1/jobs/{id}/{act}" for MANAGE => jobs::act;
    get "/api/v1/batches" for MANAGE => batches::list;
    get "/api/v1/batches/{id}" for MANAGE => batches::get;
    get "/api/v1/batches/{id}/failures" for MANAGE => batches::failures;
    post "/api/v1/batches/{id}/{act}" for MANAGE => batches::act;
    get "/api/v1/models" for MANAGE => models::list;
    get "/api/v1/users" for MANAGE => directory::users;
    get "/api/v1/groups" for MANAGE => directory::groups;
    get "/api/v1/audit" for MANAGE => audit::list;
}

/// A route behind the check of the token: without one that is for this, nothing of it runs.
fn admitting(app: &App, scope: Option<TokenScope>, route: MethodRouter<App>) -> MethodRouter<App> {
    match scope {
        Some(scope) => route.layer(from_fn_with_state((app.clone(), scope), admit)),
        None => route,
    }
}

async fn admit(State((app, scope)): State<(App, TokenScope)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let program = match Program::of(&parts, &app).await {
        Ok(Some(program)) if program.bearer.may(scope) => program,
        Ok(Some(_)) => return WebError::TokenScope(scope).into_response(),
        Ok(None) => return WebError::Token.into_response(),
        Err(error) => return error.into_response(),
    };
    parts.extensions.insert(program);
    next.run(Request::from_parts(parts, body)).await
}

impl FromRequestParts<App> for Program {
    type Rejection = WebError;

    /// The program that was admitted; on a route that admits nobody there is none.
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, WebError> {
        parts.extensions.get::<Self>().cloned().ok_or(WebError::Token)
    }
}

/// The fields of a query; what cannot be read is an error in words.
struct Params<T>(T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, WebError> {
        let query = parts.uri.query().unwrap_or_default();
        let read = serde_urlencoded::from_str(query);
        read.map(Self).map_err(|error| WebError::Invalid(format!("the address: {error}")))
    }
}

/// The part of a list that is wanted.
fn window(limit: Option<u32>, offset: Option<u32>) -> Result<Page, WebError> {
    let limit = limit.unwrap_or(LISTED);
    if (1..=MOST_LISTED).contains(&limit) {
        Ok(Page { limit, offset: offset.unwrap_or(0) })
    } else {
        Err(WebError::Invalid(format!("limit must be between 1 and {MOST_LISTED}")))
    }
}

/// `GET /api/v1/openapi.json`
async fn description() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION).into_response()
}

#[cfg(test)]
mod tests;
