//! The door: forms of people who are not signed in. No session holds their token, so a cookie does, and a form counts only
//! with the same one (OWASP, Cross-Site Request Forgery Prevention: double-submit cookie).

use crate::app::App;
use crate::error::WebError;
use crate::session::{FORM_COOKIE, cookie, theme_of};
use crate::show::page;
use crate::views::{Chrome, Nav};
use askama::Template;
use axum::Form;
use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum_extra::extract::CookieJar;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

/// What is said of a form without the token of its page.
pub(crate) const STALE: &str = "This page had been open for too long. Try again.";

/// Seconds that a form may stay open.
const FORM_SECONDS: u32 = 3600;

/// What a form held, with the request that brought it.
pub(crate) async fn sent<T: DeserializeOwned>(request: Request, app: &App) -> Result<(Parts, CookieJar, T), WebError> {
    let (parts, body) = request.into_parts();
    let jar = CookieJar::from_headers(&parts.headers);
    let Form(given) = Form::<T>::from_request(Request::from_parts(parts.clone(), body), app)
        .await
        .map_err(|_| WebError::Invalid("the form could not be read".to_owned()))?;
    Ok((parts, jar, given))
}

/// Whether a form with this token was shown in the browser that sends it.
pub(crate) fn is_own(jar: &CookieJar, token: &str) -> bool {
    let kept = jar.get(FORM_COOKIE).map(|cookie| cookie.value()).unwrap_or_default();
    !kept.is_empty() && bool::from(kept.as_bytes().ct_eq(token.as_bytes()))
}

/// The frame of a page with such a form, with a token of its own.
pub(crate) fn chrome(app: &App, jar: &CookieJar, title: &str) -> Chrome {
    Chrome {
        title: title.to_owned(),
        organisation: app.site.organisation(),
        asking: app.site.answers,
        active: Nav::None,
        person: None,
        csrf: app.store.environment().random_bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect(),
        banner: None,
        flash: None,
        theme: theme_of(jar),
    }
}

/// The page; `token` is that of its frame.
pub(crate) fn shown(app: &App, token: &str, form: &impl Template, status: StatusCode) -> Result<Response, WebError> {
    let kept = cookie(app, FORM_COOKIE, token, Some(FORM_SECONDS));
    Ok((status, AppendHeaders([(header::SET_COOKIE, kept)]), page(form)?).into_response())
}
