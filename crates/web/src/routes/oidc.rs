//! Signing in at an OpenID provider: the way there and the way back.

use crate::app::App;
use crate::asked::Asked;
use crate::error::WebError;
use crate::routes::sign_in::{led, local};
use crate::session::{client, cookie, operation};
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use identity::SignInError;
use serde::Deserialize;

/// What the browser keeps between the two, sealed.
const STATE_COOKIE: &str = "carrel_provider";
/// As long as someone may take at the provider.
const STATE_SECONDS: u32 = 600;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    next: String,
}

/// What the provider sends along (OpenID Connect Core 1.0, section 3.1.2.5).
#[derive(Deserialize)]
pub(crate) struct Brought {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// `GET /sign-in/oidc`
pub(crate) async fn depart(
    State(app): State<App>,
    Asked(wanted): Asked<Wanted>,
    request: Request,
) -> Result<Response, WebError> {
    let (parts, _) = request.into_parts();
    let departure = app.identity.depart(local(&wanted.next), operation(&parts, &app)).await?;
    let kept = cookie(&app, STATE_COOKIE, &departure.state, Some(STATE_SECONDS));
    Ok((AppendHeaders([(header::SET_COOKIE, kept)]), Redirect::to(&departure.address)).into_response())
}

/// `GET /sign-in/oidc/return`
pub(crate) async fn arrive(
    State(app): State<App>,
    Asked(brought): Asked<Brought>,
    jar: CookieJar,
    request: Request,
) -> Result<Response, WebError> {
    let (parts, _) = request.into_parts();
    let (client, operation) = (client(&parts), operation(&parts, &app));
    let kept = jar.get(STATE_COOKIE).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
    let spent = AppendHeaders([(header::SET_COOKIE, cookie(&app, STATE_COOKIE, "", Some(0)))]);
    match app.identity.arrive(&brought.code, &brought.state, &kept, &client, operation).await {
        Ok((signed_in, next)) => Ok((spent, led(&app, &signed_in, &next)).into_response()),
        Err(SignInError::Identity(error)) => Err(error.into()),
        Err(_) => Ok((spent, Redirect::to("/sign-in?said=provider-refused")).into_response()),
    }
}
