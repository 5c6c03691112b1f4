//! What needs a second person: who asks, who agrees, and what was done.

use crate::app::App;
use crate::error::WebError;
use crate::session::{Fields, Posted, Reader};
use crate::show::{moment, page};
use crate::views::{ApprovalRow, ApprovalStanding, ApprovalsPage, Nav};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::{ApprovalId, Collection, Permission, PrincipalId, Role, UserId};
use identity::Wish;
use std::collections::BTreeMap;
use storage::{Approval, ApprovalState};

const ROLES: [Role; 3] = [Role::Curator, Role::Admin, Role::Auditor];
/// The fields of an export that say what is looked for.
const FILTER: [&str; 7] = ["from", "to", "person", "action", "document", "label", "text"];
const LISTED: u32 = 100;

/// `GET /approvals`: one's own requests, and those that one may decide or has decided.
pub(crate) async fn get(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    reader.require(&app, &ROLES, "/approvals").await?;
    let me = &reader.who.principal.user;
    let names: BTreeMap<UserId, String> =
        app.store.users().await?.into_iter().map(|user| (user.id, user.display_name)).collect();
    let all = app.store.approvals(LISTED).await?;
    let mine = all.into_iter().filter(|approval| {
        approval.requested_by == me.id || approval.decided_by == Some(me.id) || app.identity.may_decide(approval, me)
    });
    let now = app.store.environment().now();
    let row = |approval: Approval| {
        let yours = approval.requested_by == me.id;
        let late = now >= approval.expires_at;
        let usable = yours && !late && approval.state == ApprovalState::Approved;
        let wish = serde_json::from_value::<Wish>(approval.request.clone());
        ApprovalRow {
            id: approval.id.to_string(),
            asked_by: names.get(&approval.requested_by).cloned().unwrap_or_default(),
            asked: moment(approval.requested_at),
            until: moment(approval.expires_at),
            standing: match approval.state {
                ApprovalState::Waiting | ApprovalState::Approved if late => ApprovalStanding::Expired,
                ApprovalState::Waiting => ApprovalStanding::Waiting,
                ApprovalState::Approved => ApprovalStanding::Approved,
                ApprovalState::Refused => ApprovalStanding::Refused,
                ApprovalState::Withdrawn => ApprovalStanding::Withdrawn,
                ApprovalState::Done => ApprovalStanding::Done,
            },
            decided_by: approval.decided_by.and_then(|id| names.get(&id).cloned()),
            may_decide: app.identity.may_decide(&approval, me),
            may_withdraw: yours && !late && approval.state == ApprovalState::Waiting,
            console: usable && matches!(wish, Ok(Wish::Restore { .. } | Wish::Update { .. })),
            export: match wish {
                // What was asked at the console from an older head on is done there.
                Ok(Wish::AuditExport { format, filter })
                    if usable && filter.iter().all(|(name, _)| FILTER.contains(&name.as_str())) =>
                {
                    let format = ("format".to_owned(), format);
                    let id = ("approval".to_owned(), approval.id.to_string());
                    filter.into_iter().chain([format, id]).collect()
                }
                _ => Vec::new(),
            },
            summary: approval.summary,
            reason: approval.reason,
        }
    };
    let rows = mine.map(row).collect();
    page(&ApprovalsPage { chrome: reader.chrome(&app, "Approvals", Nav::None), rows })
}

/// `POST /approvals/{id}/{act}`
pub(crate) async fn act(
    State(app): State<App>,
    Path((id, act)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, WebError> {
    let reader = posted.reader;
    reader.require(&app, &ROLES, "/approvals").await?;
    let id: ApprovalId = id.parse().map_err(|_| WebError::NotFound)?;
    let (me, actor, operation) = (&reader.who.principal.user, reader.actor(), reader.operation);
    let said = match act.as_str() {
        "agree" => {
            app.identity.decide(id, true, me, &actor, operation).await?;
            "approved"
        }
        "refuse" => {
            app.identity.decide(id, false, me, &actor, operation).await?;
            "refused"
        }
        "withdraw" => {
            app.identity.withdraw_approval(id, me, &actor, operation).await?;
            "withdrawn"
        }
        _ => return Err(WebError::NotFound),
    };
    Ok(Redirect::to(&format!("/approvals?said={said}")).into_response())
}

/// Before the audit log is exported: where a second person is needed, the answer that says so, unless one has agreed to
/// this very export. Then the agreement is used up.
pub(crate) async fn before_export(app: &App, reader: &Reader, fields: &Fields) -> Result<Option<Response>, WebError> {
    if !app.identity.export_needs_approval() {
        return Ok(None);
    }
    // A file that can be verified holds every event, whatever the fields say.
    let fits = if fields.get("format") == "jsonl" { &[][..] } else { &FILTER[..] };
    let given = fits.iter().map(|name| ((*name).to_owned(), fields.get(name).to_owned()));
    let filter: Vec<(String, String)> = given.filter(|(_, value)| !value.is_empty()).collect();
    let wish = Wish::AuditExport { format: fields.get("format").to_owned(), filter: filter.clone() };
    let (me, actor) = (&reader.who.principal.user, reader.actor());
    if let Ok(id) = fields.get("approval").parse::<ApprovalId>() {
        app.identity.use_approval(id, &wish, me, &actor, reader.operation).await?;
        return Ok(None);
    }
    let words: Vec<String> = filter.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let of = if words.is_empty() { "all of it".to_owned() } else { words.join(", ") };
    let summary = format!("Export the audit log as {}: {of}", fields.get("format"));
    app.identity.ask_approval(&wish, &summary, fields.get("reason"), me, &actor, reader.operation).await?;
    Ok(Some(Redirect::to("/approvals?said=asked").into_response()))
}

/// Before a grant is changed: where a second person is needed, the answer that says so.
pub(crate) async fn before_grant(
    app: &App,
    reader: &Reader,
    collection: &Collection,
    (principal, name): (PrincipalId, &str),
    before: Option<Permission>,
    after: Option<Permission>,
) -> Result<Option<Response>, WebError> {
    let Some(permission) = after else { return Ok(None) };
    if !app.identity.grant_needs_approval(collection, before, after).await? {
        return Ok(None);
    }
    let wish = Wish::Grant { collection: collection.id, principal, permission };
    let summary = format!("Let {name} {} in {}", permission.as_str(), collection.name);
    let me = &reader.who.principal.user;
    app.identity.ask_approval(&wish, &summary, "", me, &reader.actor(), reader.operation).await?;
    Ok(Some(Redirect::to("/approvals?said=asked").into_response()))
}
