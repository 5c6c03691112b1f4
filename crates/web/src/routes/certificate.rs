//! Signing in with a certificate that the browser showed.

use crate::app::App;
use crate::door::{self, STALE, chrome, is_own, sent};
use crate::error::WebError;
use crate::routes::sign_in::{led, local};
use crate::session::{client, operation};
use crate::views::CertificatePage;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::CookieJar;
use identity::{PresentedCertificate, SignInError};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Given {
    csrf: String,
    next: String,
}

/// `GET /sign-in/certificate`: whom the certificate names. Without one there is no such page.
pub(crate) async fn get(State(app): State<App>, request: Request) -> Result<Response, WebError> {
    let (parts, _) = request.into_parts();
    let shown = parts.extensions.get::<PresentedCertificate>().ok_or(WebError::NotFound)?;
    let next = axum::extract::Query::<Given>::try_from_uri(&parts.uri).map(|query| query.0.next).unwrap_or_default();
    let jar = CookieJar::from_headers(&parts.headers);
    rendered(&app, &jar, shown, &next, None, StatusCode::OK)
}

/// `POST /sign-in/certificate`
pub(crate) async fn post(State(app): State<App>, request: Request) -> Result<Response, WebError> {
    let shown = request.extensions().get::<PresentedCertificate>().cloned().ok_or(WebError::NotFound)?;
    let (parts, jar, given): (_, _, Given) = sent(request, &app).await?;
    let (client, operation) = (client(&parts), operation(&parts, &app));
    let again = |error: &str, status| rendered(&app, &jar, &shown, &given.next, Some(error.to_owned()), status);
    if !is_own(&jar, &given.csrf) {
        return again(STALE, StatusCode::FORBIDDEN);
    }
    match app.identity.sign_in_with_certificate(&shown, &client, operation).await {
        Ok(signed_in) => Ok(led(&app, &signed_in, &given.next)),
        Err(SignInError::Identity(error)) => Err(error.into()),
        Err(_) => again("There is no account for this certificate.", StatusCode::UNAUTHORIZED),
    }
}

fn rendered(
    app: &App,
    jar: &CookieJar,
    shown: &PresentedCertificate,
    next: &str,
    error: Option<String>,
    status: StatusCode,
) -> Result<Response, WebError> {
    let chrome = chrome(app, jar, "Sign in with a certificate");
    let subject = shown.subject.clone();
    let form = CertificatePage { chrome, name: shown.name.clone(), subject, next: local(next).to_owned(), error };
    door::shown(app, &form.chrome.csrf, &form, status)
}
