//! Signing in and out.

use crate::app::App;
use crate::asked::Asked;
use crate::door::{self, STALE, chrome, is_own, sent};
use crate::error::{WebError, encoded};
use crate::session::{Posted, SESSION_COOKIE, client, cookie, flash, operation, page_of, session_cookies};
use crate::views::SignInPage;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use identity::{PresentedCertificate, SignInError, SignInStep, SignedIn};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
    csrf: String,
    #[serde(default)]
    next: String,
}

/// `GET /sign-in`
pub(crate) async fn get(
    State(app): State<App>,
    Asked(wanted): Asked<Wanted>,
    jar: CookieJar,
    request: Request,
) -> Result<Response, WebError> {
    let (parts, _) = request.into_parts();
    let mut form = form(&app, &jar, &parts, String::new(), &wanted.next, None);
    form.chrome.flash = parts.uri.query().and_then(flash);
    shown(&app, form, StatusCode::OK)
}

/// `POST /sign-in`
pub(crate) async fn post(State(app): State<App>, request: Request) -> Result<Response, WebError> {
    let (parts, jar, given): (_, _, Credentials) = sent(request, &app).await?;
    let (client, operation) = (client(&parts), operation(&parts, &app));
    let again = |error: String, status| {
        shown(&app, form(&app, &jar, &parts, given.name.clone(), &given.next, Some(error)), status)
    };
    if !is_own(&jar, &given.csrf) {
        return again(STALE.to_owned(), StatusCode::FORBIDDEN);
    }
    match app.identity.sign_in(&given.name, &given.password, &client, operation).await {
        Ok(signed_in) => Ok(led(&app, &signed_in, &given.next)),
        Err(SignInError::Identity(error)) => Err(error.into()),
        Err(refusal) => {
            let status = match refusal {
                SignInError::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::UNAUTHORIZED,
            };
            again(sentence(&refusal), status)
        }
    }
}

/// `POST /sign-out`
pub(crate) async fn sign_out(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let reader = posted.reader;
    app.identity.sign_out(&reader.who.session, &reader.actor(), reader.operation).await?;
    let gone = AppendHeaders([(header::SET_COOKIE, cookie(&app, SESSION_COOKIE, "", Some(0)))]);
    Ok((gone, Redirect::to("/sign-in?said=signed-out")).into_response())
}

/// On with the next step, or to the page that was wanted.
pub(crate) fn led(app: &App, signed_in: &SignedIn, next: &str) -> Response {
    let next = local(next);
    let address = match signed_in.session.step {
        SignInStep::Done => next.to_owned(),
        step => format!("{}?next={}", page_of(step), encoded(next)),
    };
    (AppendHeaders(session_cookies(app, signed_in)), Redirect::to(&address)).into_response()
}

/// An error as a page says it.
pub(crate) fn sentence(error: &impl std::fmt::Display) -> String {
    let mut sentence = format!("{error}.");
    if let Some(first) = sentence.get(..1).map(str::to_uppercase) {
        sentence.replace_range(..1, &first);
    }
    sentence
}

fn form(app: &App, jar: &CookieJar, parts: &Parts, name: String, next: &str, error: Option<String>) -> SignInPage {
    let certificate = parts.extensions.get::<PresentedCertificate>().is_some();
    let provider = app.identity.provider().map(str::to_owned);
    SignInPage { chrome: chrome(app, jar, "Sign in"), name, error, next: local(next).to_owned(), certificate, provider }
}

#[allow(clippy::needless_pass_by_value, reason = "a page is shown once")]
fn shown(app: &App, form: SignInPage, status: StatusCode) -> Result<Response, WebError> {
    door::shown(app, &form.chrome.csrf, &form, status)
}

/// Only a path of ours: a link must not lead elsewhere after sign-in.
pub(crate) fn local(next: &str) -> &str {
    let ours = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\n', '\r']);
    if ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn nobody_is_led_elsewhere() {
        for (next, led) in [("/ask", "/ask"), ("//evil", "/"), ("https://evil", "/"), ("/\\evil", "/"), ("", "/")] {
            assert_eq!(local(next), led);
        }
    }
}
