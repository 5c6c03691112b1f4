//! Users and groups, for admins.

use crate::app::App;
use crate::asked::Asked;
use crate::error::WebError;
use crate::session::{Posted, Reader};
use crate::show::page;
use crate::views::{GroupCard, Member, Nav, NewPassword, PeoplePage, UserRow};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::{Clearance, GroupId, Role, User, UserId};
use identity::{AccountSource, NewUser, UserChange};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    edit: Option<String>,
}

/// `GET /people?edit=`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, WebError> {
    reader.require(&app, &[Role::Admin], "/people").await?;
    page(&people(&app, &reader, wanted.edit.as_deref(), None).await?)
}

/// `POST /people`
pub(crate) async fn create(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    reader.require(&app, &[Role::Admin], "/people").await?;
    let new = NewUser {
        name: fields.get("name").to_owned(),
        display_name: fields.get("display_name").to_owned(),
        role: fields.parse("role")?,
        clearance: Clearance(fields.parse("clearance")?),
    };
    let password = identity::random_password(app.store.environment());
    let user = app.identity.create_user_to_change_password(&new, &password, &reader.actor(), reader.operation).await?;
    page(&people(&app, &reader, None, Some(NewPassword { name: user.name, password })).await?)
}

/// `POST /people/{id}`
pub(crate) async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    reader.require(&app, &[Role::Admin], "/people").await?;
    let id: UserId = id.parse().map_err(|_| WebError::NotFound)?;
    let (actor, operation) = (reader.actor(), reader.operation);
    let change = match fields.get("action") {
        "reset_password" => {
            let password = identity::random_password(app.store.environment());
            let user = app.store.user(id).await?.ok_or(WebError::NotFound)?;
            app.identity.set_password_to_change(id, &password, &actor, operation).await?;
            return page(&people(&app, &reader, None, Some(NewPassword { name: user.name, password })).await?);
        }
        "end_sessions" => {
            app.identity.end_sessions(id, None, &actor, operation).await?;
            return Ok(Redirect::to("/people?said=sessions-ended").into_response());
        }
        "reset_second_factor" => {
            app.identity.reset_second_factor(id, &actor, operation).await?;
            return Ok(Redirect::to("/people?said=factor-reset").into_response());
        }
        "disable" => UserChange { disabled: Some(true), ..UserChange::default() },
        "enable" => UserChange { disabled: Some(false), ..UserChange::default() },
        _ => UserChange {
            display_name: Some(fields.get("display_name").to_owned()),
            role: Some(fields.parse("role")?),
            clearance: Some(Clearance(fields.parse("clearance")?)),
            disabled: None,
        },
    };
    app.identity.change_user(id, &change, &actor, operation).await?;
    Ok(Redirect::to("/people?said=saved").into_response())
}

/// `POST /groups`
pub(crate) async fn create_group(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    reader.require(&app, &[Role::Admin], "/groups").await?;
    app.identity.create_group(fields.get("name"), &reader.actor(), reader.operation).await?;
    Ok(Redirect::to("/people?said=created").into_response())
}

/// `POST /groups/{id}/members`
pub(crate) async fn change_members(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    reader.require(&app, &[Role::Admin], "/groups").await?;
    let group: GroupId = id.parse().map_err(|_| WebError::NotFound)?;
    let name = fields.get("name").trim().to_lowercase();
    let unknown = || WebError::Invalid(format!("there is no person with the sign-in name '{name}'"));
    let user = app.store.user_by_name(&name).await?.ok_or_else(unknown)?;
    let member = fields.get("action") != "remove";
    app.identity.set_membership(group, user.id, member, &reader.actor(), reader.operation).await?;
    Ok(Redirect::to("/people?said=saved").into_response())
}

async fn people(
    app: &App,
    reader: &Reader,
    edit: Option<&str>,
    new_password: Option<NewPassword>,
) -> Result<PeoplePage, WebError> {
    let users = app.store.users().await?;
    let (accounts, factors) = (app.store.accounts().await?, app.store.users_with_second_factor().await?);
    let sessions = app.store.session_counts(app.store.environment().now()).await?;
    let mut groups = Vec::new();
    for group in app.store.groups().await? {
        let members = app.store.members(group.id).await?;
        groups.push((group, members));
    }
    let row = |user: User| UserRow {
        id: user.id.to_string(),
        groups: groups
            .iter()
            .filter(|(_, members)| members.iter().any(|member| member.id == user.id))
            .map(|(group, _)| group.name.clone())
            .collect(),
        second_factor: factors.contains(&user.id),
        must_change: accounts.get(&user.id).is_some_and(|account| account.must_change),
        elsewhere: match accounts.get(&user.id).map(|account| account.source) {
            Some(AccountSource::Directory) => Some("directory"),
            Some(AccountSource::Oidc) => Some("provider"),
            _ => None,
        },
        sessions: sessions.get(&user.id).copied().unwrap_or(0),
        name: user.name,
        display_name: user.display_name,
        role: user.role,
        clearance: user.clearance.0,
        disabled: user.disabled,
        you: user.id == reader.who.principal.user.id,
    };
    let users: Vec<UserRow> = users.into_iter().map(row).collect();
    let cards = groups.iter().map(|(group, members)| GroupCard {
        id: group.id.to_string(),
        name: group.name.clone(),
        members: members
            .iter()
            .map(|user| Member { name: user.name.clone(), display_name: user.display_name.clone() })
            .collect(),
    });
    Ok(PeoplePage {
        chrome: reader.chrome(app, "People", Nav::People),
        edit: edit.and_then(|id| users.iter().find(|user| user.id == id).cloned()),
        groups: cards.collect(),
        users,
        new_password,
    })
}
