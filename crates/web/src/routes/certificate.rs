//! Signing in with a certificate that the browser showed.

use crate::app::App;
use crate::error::WebError;
use crate::routes::sign_in::local;
use crate::session::{FORM_COOKIE, SESSION_COOKIE, client, cookie, operation, theme_of};
use crate::show::page;
use crate::views::{CertificatePage, Chrome, Nav};
use axum::Form;
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use identity::{PresentedCertificate, SignInError};
use serde::Deserialize;
use subtle::ConstantTimeEq;

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
    let (parts, body) = request.into_parts();
    let shown = parts.extensions.get::<PresentedCertificate>().cloned().ok_or(WebError::NotFound)?;
    let (client, operation) = (client(&parts), operation(&parts, &app));
    let jar = CookieJar::from_headers(&parts.headers);
    let Form(given) = Form::<Given>::from_request(Request::from_parts(parts, body), &app)
        .await
        .map_err(|_| WebError::Invalid("the form could not be read".to_owned()))?;
    let token = jar.get(FORM_COOKIE).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
    if token.is_empty() || !bool::from(token.as_bytes().ct_eq(given.csrf.as_bytes())) {
        let error = "This page had been open for too long. Try again.".to_owned();
        return rendered(&app, &jar, &shown, &given.next, Some(error), StatusCode::FORBIDDEN);
    }
    match app.identity.sign_in_with_certificate(&shown, &client, operation).await {
        Ok(signed_in) => {
            let session = cookie(&app, SESSION_COOKIE, &signed_in.token, None);
            let spent = cookie(&app, FORM_COOKIE, "", Some(0));
            let cookies = AppendHeaders([(header::SET_COOKIE, session), (header::SET_COOKIE, spent)]);
            Ok((cookies, Redirect::to(local(&given.next))).into_response())
        }
        Err(SignInError::Identity(error)) => Err(error.into()),
        Err(_) => {
            let error = "There is no account for this certificate.".to_owned();
            rendered(&app, &jar, &shown, &given.next, Some(error), StatusCode::UNAUTHORIZED)
        }
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
    let token: String = app.store.environment().random_bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    let set = cookie(app, FORM_COOKIE, &token, Some(3600));
    let chrome = Chrome {
        title: "Sign in with a certificate".to_owned(),
        organisation: app.site.organisation(),
        asking: app.site.answers,
        active: Nav::None,
        person: None,
        csrf: token,
        banner: None,
        flash: None,
        theme: theme_of(jar),
    };
    let subject = shown.subject.clone();
    let form = CertificatePage { chrome, name: shown.name.clone(), subject, next: local(next).to_owned(), error };
    Ok((status, AppendHeaders([(header::SET_COOKIE, set)]), page(&form)?).into_response())
}
