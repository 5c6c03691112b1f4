//! Setting a second factor up, as a step of signing in or later on.

use crate::app::App;
use crate::asked::Asked;
use crate::error::WebError;
use crate::routes::sign_in::{local, sentence};
use crate::routes::steps::{Wanted, status};
use crate::session::{Entrant, Fields, Posted, PostedEntrant, SESSION_COOKIE, cookie, page_of, session_cookies};
use crate::show::page;
use crate::views::{EnrolPage, RecoveryCodesPage};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use domain::SecurityKeyId;
use identity::{AccountSource, IdentityError, KeyAttestation, PasswordError, SignInError, SignInStep, SignedIn};
use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write;

const STEPS: [SignInStep; 2] = [SignInStep::Enrol, SignInStep::Done];
/// Modules of margin around the code (ISO/IEC 18004, section 9.1).
const MARGIN: i32 = 4;

/// `GET /second-factor`
pub(crate) async fn get(
    State(app): State<App>,
    entrant: Entrant,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, WebError> {
    entrant.at(&STEPS)?;
    page(&enrol_page(&app, &entrant, &wanted.next, "", None).await?)
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
    if !knows_password(&app, &entrant, &fields).await? {
        return again(&app, &entrant, &fields, StatusCode::UNAUTHORIZED, "The password is not right.".to_owned()).await;
    }
    let done = app.identity.enrol(&entrant.who, fields.get("code"), &entrant.client, entrant.operation).await;
    widened(&app, &entrant, &fields, done).await
}

/// `POST /second-factor/keys`: registers a security key.
pub(crate) async fn register_key(State(app): State<App>, posted: PostedEntrant) -> Result<Response, WebError> {
    let PostedEntrant { entrant, fields } = posted;
    entrant.at(&STEPS)?;
    if !knows_password(&app, &entrant, &fields).await? {
        return again(&app, &entrant, &fields, StatusCode::UNAUTHORIZED, "The password is not right.".to_owned()).await;
    }
    let answer = KeyAttestation {
        client_data: fields.get("client_data").to_owned(),
        attestation_object: fields.get("attestation_object").to_owned(),
    };
    let (name, client) = (fields.get("name"), &entrant.client);
    let done = app.identity.register_key(&entrant.who, name, &answer, client, entrant.operation).await;
    widened(&app, &entrant, &fields, done).await
}

/// `POST /second-factor/keys/{id}/remove`
pub(crate) async fn remove_key(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    let id: SecurityKeyId = id.parse().map_err(|_| WebError::NotFound)?;
    let user = &reader.who.principal.user;
    app.identity.confirm(user.id, fields.get("password"), &reader.actor(), reader.operation).await?;
    app.identity.remove_key(id, user, &reader.actor(), reader.operation).await?;
    Ok(Redirect::to("/account?said=key-removed#second-factor").into_response())
}

/// `POST /second-factor/app/remove`
pub(crate) async fn remove_app(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    let user = &reader.who.principal.user;
    app.identity.confirm(user.id, fields.get("password"), &reader.actor(), reader.operation).await?;
    app.identity.remove_code_secret(user, &reader.actor(), reader.operation).await?;
    Ok(Redirect::to("/account?said=app-removed#second-factor").into_response())
}

/// Whether whoever is signed in already knows the password, too: a stolen session must not be able to lock its owner out.
async fn knows_password(app: &App, entrant: &Entrant, fields: &Fields) -> Result<bool, WebError> {
    if entrant.who.session.step != SignInStep::Done {
        return Ok(true);
    }
    let (actor, user) = (entrant.who.actor(&entrant.client.address), entrant.who.principal.user.id);
    match app.identity.confirm(user, fields.get("password"), &actor, entrant.operation).await {
        Ok(()) => Ok(true),
        Err(IdentityError::Password(PasswordError::Mismatch)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The recovery codes of a second factor that was set up just now, or back to the account that has one way more.
async fn widened(
    app: &App,
    entrant: &Entrant,
    fields: &Fields,
    done: Result<(Vec<String>, SignedIn), SignInError>,
) -> Result<Response, WebError> {
    let (codes, signed_in) = match done {
        Ok(done) => done,
        Err(SignInError::Identity(IdentityError::Invalid(reason))) => {
            return again(app, entrant, fields, StatusCode::BAD_REQUEST, sentence(&reason)).await;
        }
        Err(SignInError::Identity(error)) => return Err(error.into()),
        Err(refusal) => return again(app, entrant, fields, status(&refusal), sentence(&refusal)).await,
    };
    let cookies = AppendHeaders(session_cookies(app, &signed_in));
    if codes.is_empty() {
        return Ok((cookies, Redirect::to("/account?said=key-added#second-factor")).into_response());
    }
    let mut chrome = entrant.chrome(app, "Recovery codes");
    // The session has another id and token now, and its forms with it.
    chrome.csrf.clone_from(&signed_in.session.csrf);
    let next = match signed_in.session.step {
        SignInStep::Done => local(fields.get("next")).to_owned(),
        step => page_of(step).to_owned(),
    };
    let shown = page(&RecoveryCodesPage { chrome, codes, next, enrolled: true })?;
    Ok((cookies, shown).into_response())
}

async fn again(
    app: &App,
    entrant: &Entrant,
    fields: &Fields,
    status: StatusCode,
    reason: String,
) -> Result<Response, WebError> {
    let form = enrol_page(app, entrant, fields.get("next"), fields.get("name"), Some(reason)).await?;
    Ok((status, page(&form)?).into_response())
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

async fn enrol_page(
    app: &App,
    entrant: &Entrant,
    next: &str,
    name: &str,
    error: Option<String>,
) -> Result<EnrolPage, WebError> {
    let factor = app.store.second_factor(entrant.who.principal.user.id).await?;
    let has_app = factor.as_ref().is_some_and(|factor| factor.sealed.is_some());
    let secret = if has_app { None } else { Some(app.identity.enrolment(&entrant.who)?.secret) };
    Ok(EnrolPage {
        chrome: entrant.chrome(app, "Set up a second factor"),
        secret,
        key: app.identity.registration_question(&entrant.who).await?,
        name: name.chars().take(60).collect(),
        has_factor: factor.is_some(),
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
