//! Setting a second factor up, as a step of signing in or later on.

use crate::app::App;
use crate::error::WebError;
use crate::routes::sign_in::{local, sentence};
use crate::routes::steps::{Wanted, status};
use crate::session::{Entrant, Posted, PostedEntrant, SESSION_COOKIE, cookie, page_of, session_cookies};
use crate::show::page;
use crate::views::{EnrolPage, RecoveryCodesPage};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use identity::{AccountSource, IdentityError, PasswordError, SignInError, SignInStep};
use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write;

const STEPS: [SignInStep; 2] = [SignInStep::Enrol, SignInStep::Done];
/// Modules of margin around the code (ISO/IEC 18004, section 9.1).
const MARGIN: i32 = 4;

/// `GET /second-factor`
pub(crate) async fn get(
    State(app): State<App>,
    entrant: Entrant,
    Query(wanted): Query<Wanted>,
) -> Result<Response, WebError> {
    entrant.at(&STEPS)?;
    if app.store.second_factor(entrant.who.principal.user.id).await?.is_some() {
        return Ok(Redirect::to("/account#second-factor").into_response());
    }
    page(&enrol_page(&app, &entrant, &wanted.next, None)?)
}

/// `GET /second-factor/picture.svg`: what an authenticator app reads with the camera.
pub(crate) async fn picture(State(app): State<App>, entrant: Entrant) -> Result<Response, WebError> {
    entrant.at(&STEPS)?;
    let enrolment = app.identity.enrolment(&entrant.who)?;
    let code = QrCode::encode_text(&enrolment.address, QrCodeEcc::Medium)
        .map_err(|_| WebError::Invalid("the name is too long for a picture; type the secret instead".to_owned()))?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg(&code)).into_response())
}

/// `POST /second-factor`
pub(crate) async fn enrol(State(app): State<App>, posted: PostedEntrant) -> Result<Response, WebError> {
    let PostedEntrant { entrant, fields } = posted;
    entrant.at(&STEPS)?;
    let next = local(fields.get("next"));
    let again = |status: StatusCode, reason: String| -> Result<Response, WebError> {
        Ok((status, page(&enrol_page(&app, &entrant, next, Some(reason))?)?).into_response())
    };
    if entrant.who.session.step == SignInStep::Done {
        // A stolen session must not be able to lock its owner out.
        let (actor, user) = (entrant.who.actor(&entrant.client.address), entrant.who.principal.user.id);
        match app.identity.confirm(user, fields.get("password"), &actor, entrant.operation).await {
            Ok(()) => {}
            Err(IdentityError::Password(PasswordError::Mismatch)) => {
                return again(StatusCode::UNAUTHORIZED, "The password is not right.".to_owned());
            }
            Err(error) => return Err(error.into()),
        }
    }
    match app.identity.enrol(&entrant.who, fields.get("code"), &entrant.client, entrant.operation).await {
        Ok((codes, signed_in)) => {
            let mut chrome = entrant.chrome(&app, "Recovery codes");
            // The session has another id and token now, and its forms with it.
            chrome.csrf.clone_from(&signed_in.session.csrf);
            let next = match signed_in.session.step {
                SignInStep::Done => next.to_owned(),
                step => page_of(step).to_owned(),
            };
            let shown = page(&RecoveryCodesPage { chrome, codes, next, enrolled: true })?;
            Ok((AppendHeaders(session_cookies(&app, &signed_in)), shown).into_response())
        }
        Err(SignInError::Identity(error)) => Err(error.into()),
        Err(refusal) => again(status(&refusal), sentence(&refusal)),
    }
}

/// `POST /second-factor/codes`
pub(crate) async fn new_codes(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    let user = &reader.who.principal.user;
    app.identity.confirm(user.id, fields.get("password"), &reader.actor(), reader.operation).await?;
    let codes = app.identity.make_recovery_codes(user, &reader.actor(), reader.operation).await?;
    let chrome = reader.chrome(&app, "Recovery codes", crate::views::Nav::None);
    page(&RecoveryCodesPage { chrome, codes, next: "/account".to_owned(), enrolled: false })
}

/// `POST /second-factor/remove`
pub(crate) async fn remove(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    let user = reader.who.principal.user.id;
    let source = app.store.account(user).await?.map_or(AccountSource::Local, |account| account.source);
    if app.identity.needs_second_factor(reader.role(), source) {
        let reason = "your role needs a second factor; an admin can take it away, and you set up another";
        return Err(WebError::Invalid(reason.to_owned()));
    }
    app.identity.confirm(user, fields.get("password"), &reader.actor(), reader.operation).await?;
    app.identity.reset_second_factor(user, &reader.actor(), reader.operation).await?;
    let gone = AppendHeaders([(header::SET_COOKIE, cookie(&app, SESSION_COOKIE, "", Some(0)))]);
    Ok((gone, Redirect::to("/sign-in?said=factor-removed")).into_response())
}

fn enrol_page(app: &App, entrant: &Entrant, next: &str, error: Option<String>) -> Result<EnrolPage, WebError> {
    let enrolment = app.identity.enrolment(&entrant.who)?;
    Ok(EnrolPage {
        chrome: entrant.chrome(app, "Set up a second factor"),
        secret: enrolment.secret,
        demanded: entrant.who.session.step == SignInStep::Enrol,
        next: local(next).to_owned(),
        error,
    })
}

/// The code as one path of unit squares, dark on light whatever the page's theme: cameras want it so.
fn svg(code: &QrCode) -> String {
    let size = code.size() + 2 * MARGIN;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            let _ = write!(path, "M{},{}h1v1h-1z", x + MARGIN, y + MARGIN);
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{size}\" height=\"{size}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_the_three_finders_and_a_margin() {
        let code = QrCode::encode_text("otpauth://totp/x", QrCodeEcc::Medium).unwrap();
        let svg = svg(&code);
        let far = MARGIN + code.size() - 1;
        for corner in [format!("M{MARGIN},{MARGIN}h"), format!("M{far},{MARGIN}h"), format!("M{MARGIN},{far}h")] {
            assert!(svg.contains(&corner), "{corner}");
        }
        assert!(!svg.contains("M0,") && !svg.contains("style="));
    }
}
