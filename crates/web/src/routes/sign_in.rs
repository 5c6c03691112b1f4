//! Signing in and out.

use crate::app::App;
use crate::error::{WebError, encoded};
use crate::session::{
    FORM_COOKIE, Posted, SESSION_COOKIE, client, cookie, flash, operation, page_of, session_cookies, theme_of,
};
use crate::show::page;
use crate::views::{Chrome, Nav, SignInPage};
use axum::Form;
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use identity::{SignInError, SignInStep, SignedIn};
use serde::Deserialize;
use subtle::ConstantTimeEq;

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
    Query(wanted): Query<Wanted>,
    jar: CookieJar,
    request: Request,
) -> Result<Response, WebError> {
    let mut form = form(&app, &jar, String::new(), local(&wanted.next).to_owned(), None);
    form.certificate = request.extensions().get::<identity::PresentedCertificate>().is_some();
    form.chrome.flash = request.uri().query().and_then(flash);
    shown(&app, &form, StatusCode::OK)
}

/// `POST /sign-in`
pub(crate) async fn post(State(app): State<App>, request: Request) -> Result<Response, WebError> {
    let (parts, body) = request.into_parts();
    let (client, operation) = (client(&parts), operation(&parts, &app));
    let jar = CookieJar::from_headers(&parts.headers);
    let Form(given) = Form::<Credentials>::from_request(Request::from_parts(parts, body), &app)
        .await
        .map_err(|_| WebError::Invalid("the form could not be read".to_owned()))?;
    let token = jar.get(FORM_COOKIE).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
    if token.is_empty() || !bool::from(token.as_bytes().ct_eq(given.csrf.as_bytes())) {
        let error = "This page had been open for too long. Try again.".to_owned();
        return shown(&app, &form(&app, &jar, given.name, given.next, Some(error)), StatusCode::FORBIDDEN);
    }
    match app.identity.sign_in(&given.name, &given.password, &client, operation).await {
        Ok(signed_in) => Ok(led(&app, &signed_in, &given.next)),
        Err(SignInError::Identity(error)) => Err(error.into()),
        Err(refusal) => {
            let status = match refusal {
                SignInError::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::UNAUTHORIZED,
            };
            shown(&app, &form(&app, &jar, given.name, given.next, Some(sentence(&refusal))), status)
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
    sentence.replace_range(..1, &sentence[..1].to_uppercase());
    sentence
}

fn form(app: &App, jar: &CookieJar, name: String, next: String, error: Option<String>) -> SignInPage {
    let token: String = app.store.environment().random_bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    let chrome = Chrome {
        title: "Sign in".to_owned(),
        organisation: app.site.organisation(),
        active: Nav::None,
        person: None,
        csrf: token,
        banner: None,
        flash: None,
        theme: theme_of(jar),
        asking: app.site.answers,
    };
    let provider = app.identity.provider().map(str::to_owned);
    SignInPage { chrome, name, error, next, certificate: false, provider }
}

fn shown(app: &App, form: &SignInPage, status: StatusCode) -> Result<Response, WebError> {
    let token = cookie(app, FORM_COOKIE, &form.chrome.csrf, Some(3600));
    Ok((status, AppendHeaders([(header::SET_COOKIE, token)]), page(form)?).into_response())
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
