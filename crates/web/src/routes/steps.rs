//! The steps of signing in after the password: a code of the second factor, and another password where one is due.

use crate::app::App;
use crate::asked::Asked;
use crate::error::WebError;
use crate::routes::sign_in::{led, local, sentence};
use crate::session::{Entrant, PostedEntrant};
use crate::show::page;
use crate::views::{ChoosePasswordPage, CodePage};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use identity::{
    IdentityError, KeyAssertion, MINIMUM_PASSWORD_CHARACTERS, MINIMUM_WITH_SECOND_FACTOR, PasswordError, SignInError,
    SignInStep,
};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    pub(crate) next: String,
}

/// `GET /sign-in/code`
pub(crate) async fn code(
    State(app): State<App>,
    entrant: Entrant,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, WebError> {
    entrant.at(&[SignInStep::Code])?;
    page(&code_page(&app, &entrant, &wanted.next, None).await?)
}

/// `POST /sign-in/code`
pub(crate) async fn enter_code(State(app): State<App>, posted: PostedEntrant) -> Result<Response, WebError> {
    let PostedEntrant { entrant, fields } = posted;
    entrant.at(&[SignInStep::Code])?;
    match app.identity.enter_code(&entrant.who, fields.get("code"), &entrant.client, entrant.operation).await {
        Ok(signed_in) => Ok(led(&app, &signed_in, fields.get("next"))),
        Err(SignInError::Identity(error)) => Err(error.into()),
        Err(refusal) => {
            let status = status(&refusal);
            let again = code_page(&app, &entrant, fields.get("next"), Some(sentence(&refusal))).await?;
            Ok((status, page(&again)?).into_response())
        }
    }
}

/// `POST /sign-in/key`: what a security key said, in place of a code.
pub(crate) async fn present_key(State(app): State<App>, posted: PostedEntrant) -> Result<Response, WebError> {
    let PostedEntrant { entrant, fields } = posted;
    entrant.at(&[SignInStep::Code])?;
    let part = |name: &str| fields.get(name).to_owned();
    let answer = KeyAssertion {
        credential: part("credential"),
        client_data: part("client_data"),
        authenticator_data: part("authenticator_data"),
        signature: part("signature"),
    };
    match app.identity.present_key(&entrant.who, &answer, &entrant.client, entrant.operation).await {
        Ok(signed_in) => Ok(led(&app, &signed_in, fields.get("next"))),
        Err(SignInError::Identity(error)) => Err(error.into()),
        Err(refusal) => {
            let again = code_page(&app, &entrant, fields.get("next"), Some(sentence(&refusal))).await?;
            Ok((status(&refusal), page(&again)?).into_response())
        }
    }
}

/// `GET /sign-in/password`
pub(crate) async fn password(
    State(app): State<App>,
    entrant: Entrant,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, WebError> {
    entrant.at(&[SignInStep::Password])?;
    page(&password_page(&app, &entrant, &wanted.next, None).await?)
}

/// `POST /sign-in/password`
pub(crate) async fn choose_password(State(app): State<App>, posted: PostedEntrant) -> Result<Response, WebError> {
    let PostedEntrant { entrant, fields } = posted;
    entrant.at(&[SignInStep::Password])?;
    let next = fields.get("next");
    let refused = async |reason: String| -> Result<Response, WebError> {
        let again = password_page(&app, &entrant, next, Some(reason)).await?;
        Ok((StatusCode::BAD_REQUEST, page(&again)?).into_response())
    };
    if fields.get("new") != fields.get("repeat") {
        return refused("The new password and its repetition differ.".to_owned()).await;
    }
    let chosen =
        app.identity.choose_password(&entrant.who, fields.get("new"), &entrant.client, entrant.operation).await;
    match chosen {
        Ok(signed_in) => Ok(led(&app, &signed_in, next)),
        Err(SignInError::Identity(IdentityError::Password(error))) if !matches!(error, PasswordError::Busy) => {
            refused(sentence(&error)).await
        }
        Err(SignInError::Identity(error)) => Err(error.into()),
        Err(refusal) => refused(sentence(&refusal)).await,
    }
}

pub(crate) const fn status(refusal: &SignInError) -> StatusCode {
    match refusal {
        SignInError::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::UNAUTHORIZED,
    }
}

/// What a password must be, for people.
pub(crate) fn rule(second_factor: bool) -> String {
    let least = if second_factor { MINIMUM_WITH_SECOND_FACTOR } else { MINIMUM_PASSWORD_CHARACTERS };
    format!("At least {least} characters; a few words that only you put together are best.")
}

async fn code_page(app: &App, entrant: &Entrant, next: &str, error: Option<String>) -> Result<CodePage, WebError> {
    let user = entrant.who.principal.user.id;
    let key = app.identity.sign_in_question(&entrant.who).await?;
    Ok(CodePage {
        chrome: entrant.chrome(app, "One more step"),
        app: app.store.second_factor(user).await?.is_some_and(|factor| factor.sealed.is_some()),
        keys_elsewhere: key.is_none() && !app.store.security_keys_of(user).await?.is_empty(),
        key,
        next: local(next).to_owned(),
        error,
    })
}

async fn password_page(
    app: &App,
    entrant: &Entrant,
    next: &str,
    error: Option<String>,
) -> Result<ChoosePasswordPage, WebError> {
    let user = &entrant.who.principal.user;
    let second_factor = app.store.second_factor(user.id).await?.is_some();
    Ok(ChoosePasswordPage {
        chrome: entrant.chrome(app, "Choose a password"),
        name: user.name.clone(),
        password_rule: rule(second_factor),
        next: local(next).to_owned(),
        error,
    })
}
