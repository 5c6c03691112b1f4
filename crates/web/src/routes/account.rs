//! A person's own account.

use crate::app::App;
use crate::error::WebError;
use crate::routes::sign_in::sentence;
use crate::routes::steps::rule;
use crate::session::{Posted, Reader, SESSION_COOKIE, cookie, theme_cookie};
use crate::show::{day, moment, page};
use crate::views::{AccountPage, FactorView, KeyRow, Nav, NewSecret, SessionRow, Theme, TokenRow};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use domain::{SessionId, TokenId};
use identity::{AccountSource, IdentityError, NewToken, SignInStep, TokenScope};

/// `GET /account`
pub(crate) async fn get(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    page(&account(&app, &reader, None).await?)
}

/// `POST /account/password`
pub(crate) async fn password(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    if fields.get("new") != fields.get("repeat") {
        return refused(&app, &reader, "the new password and its repetition differ").await;
    }
    let id = reader.who.principal.user.id;
    let (current, new) = (fields.get("current"), fields.get("new"));
    match app.identity.change_own_password(id, current, new, &reader.actor(), reader.operation).await {
        Ok(()) => {
            // All sessions ended with the old password, this one too.
            let gone = AppendHeaders([(header::SET_COOKIE, cookie(&app, SESSION_COOKIE, "", Some(0)))]);
            Ok((gone, Redirect::to("/sign-in?said=password")).into_response())
        }
        Err(IdentityError::Password(error)) => refused(&app, &reader, &error.to_string()).await,
        Err(error) => Err(error.into()),
    }
}

/// `POST /account/tokens`
pub(crate) async fn make_token(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    let new = NewToken {
        name: fields.get("name").to_owned(),
        scopes: fields.all("scope").filter_map(|scope| scope.parse::<TokenScope>().ok()).collect(),
        days: fields.parse("days")?,
    };
    let user = &reader.who.principal.user;
    let issued = match app.identity.issue_token(user, &new, &reader.actor(), reader.operation).await {
        Ok(issued) => issued,
        Err(IdentityError::Invalid(reason)) => {
            let mut refused = account(&app, &reader, None).await?;
            refused.token_error = Some(sentence(&reason));
            return Ok((StatusCode::BAD_REQUEST, page(&refused)?).into_response());
        }
        Err(error) => return Err(error.into()),
    };
    let mut made = account(&app, &reader, None).await?;
    made.new_token = Some(NewSecret { name: issued.token.name, secret: issued.secret });
    page(&made)
}

/// `POST /account/tokens/{id}/revoke`
pub(crate) async fn revoke_token(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let id: TokenId = id.parse().map_err(|_| WebError::NotFound)?;
    let reader = posted.reader;
    let owner = reader.who.principal.user.id;
    app.identity.revoke_token(id, owner, &reader.actor(), reader.operation).await?;
    Ok(Redirect::to("/account?said=token-revoked#tokens").into_response())
}

/// `POST /account/sessions/{id}/end`
pub(crate) async fn end_session(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let id: SessionId = id.parse().map_err(|_| WebError::NotFound)?;
    let reader = posted.reader;
    app.identity.end_session(reader.who.principal.user.id, id, &reader.actor(), reader.operation).await?;
    Ok(Redirect::to("/account?said=session-ended#sessions").into_response())
}

/// `POST /account/sessions/end-others`
pub(crate) async fn end_other_sessions(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let reader = posted.reader;
    let (user, kept) = (reader.who.principal.user.id, Some(reader.who.session.id));
    app.identity.end_sessions(user, kept, &reader.actor(), reader.operation).await?;
    Ok(Redirect::to("/account?said=sessions-ended#sessions").into_response())
}

async fn refused(app: &App, reader: &Reader, error: &str) -> Result<Response, WebError> {
    let refused = account(app, reader, Some(sentence(&error))).await?;
    Ok((StatusCode::BAD_REQUEST, page(&refused)?).into_response())
}

/// `POST /account/theme`
pub(crate) async fn theme(headers: HeaderMap, posted: Posted) -> Result<Response, WebError> {
    let theme: Theme = posted.fields.parse("theme")?;
    // Back to the page on which it was chosen: only its path counts, so this leads nowhere else.
    let from = headers.get(header::REFERER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = from.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or("/account");
    let path = if path.starts_with("//") || path.contains('\\') { "/account" } else { path };
    let chosen = AppendHeaders([(header::SET_COOKIE, theme_cookie(theme))]);
    Ok((chosen, Redirect::to(path)).into_response())
}

async fn account(app: &App, reader: &Reader, error: Option<String>) -> Result<AccountPage, WebError> {
    let user = &reader.who.principal.user;
    let groups = app.store.groups_of(user.id).await?;
    let sessions = app.store.sessions_of(user.id).await?;
    let tokens = app.store.tokens_of(user.id).await?;
    let factor = app.store.second_factor(user.id).await?;
    let keys = app.store.security_keys_of(user.id).await?;
    let source = app.store.account(user.id).await?.map_or(AccountSource::Local, |account| account.source);
    let now = app.store.environment().now();
    Ok(AccountPage {
        chrome: reader.chrome(app, "Account", Nav::None),
        name: user.name.clone(),
        display_name: user.display_name.clone(),
        role: user.role,
        clearance: user.clearance.0,
        groups: groups.into_iter().map(|group| group.name).collect(),
        sessions: sessions
            .into_iter()
            .filter(|session| session.step == SignInStep::Done && session.expires_at > now)
            .map(|session| SessionRow {
                id: session.id.to_string(),
                current: session.id == reader.who.session.id,
                device: device(&session.user_agent),
                address: session.address,
                created: moment(session.created_at),
                last_seen: moment(session.last_seen_at),
            })
            .collect(),
        elsewhere: match source {
            AccountSource::Local => None,
            AccountSource::Directory => Some("the directory of your organisation"),
            AccountSource::Oidc => Some("the identity provider of your organisation"),
        },
        password_rule: rule(factor.is_some()),
        factor: FactorView {
            since: factor.as_ref().map(|factor| day(factor.created_at)),
            app: factor.as_ref().is_some_and(|factor| factor.sealed.is_some()),
            keys: keys
                .into_iter()
                .map(|key| KeyRow {
                    id: key.id.to_string(),
                    name: key.name,
                    created: day(key.created_at),
                    last_used: key.used_at.map_or_else(|| "never".to_owned(), moment),
                    works: app.identity.relying_party().is_some_and(|party| party.id() == key.site),
                    site: key.site,
                })
                .collect(),
            codes: factor.map_or(0, |factor| factor.recovery_codes),
            demanded: app.identity.needs_second_factor(user.role, source),
        },
        error,
        tokens: tokens
            .into_iter()
            .map(|token| TokenRow {
                id: token.id.to_string(),
                name: token.name,
                scopes: token.scopes.join(", "),
                last_used: token.last_used_at.map_or_else(|| "never".to_owned(), moment),
                expires: day(token.expires_at),
                expired: now >= token.expires_at,
            })
            .collect(),
        new_token: None,
        token_error: None,
    })
}

/// `Firefox on Linux`, as far as a browser tells.
fn device(user_agent: &str) -> String {
    let name = |known: &[(&str, &str)]| {
        known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| (*name).to_owned())
    };
    let browsers = [("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")];
    let systems = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ];
    match (name(&browsers), name(&systems)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        _ if user_agent.is_empty() => "Unknown device".to_owned(),
        _ => user_agent.chars().take(40).collect(),
    }
}
