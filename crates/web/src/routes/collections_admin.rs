//! Making collections, and who may do what in them.

use crate::app::App;
use crate::asked::Asked;
use crate::error::WebError;
use crate::routes::approvals;
use crate::routes::collection::grants_editor;
use crate::session::{Fields, Posted, Reader};
use crate::show::page;
use crate::views::{CollectionEdit, CollectionsAdminPage, ConfirmPage, Matrix, MatrixRow, Nav, PrincipalKind};
use ::audit::{Action, Event};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::{Collection, CollectionId, Permission, PrincipalId, Role};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    edit: Option<String>,
}

/// `GET /admin/collections?edit=`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, WebError> {
    reader.require(&app, &[Role::Admin], "/admin/collections").await?;
    let collections = app.store.collections().await?;
    let edit = match collections.iter().find(|known| Some(known.id.to_string()) == wanted.edit) {
        Some(open) => Some(CollectionEdit {
            id: open.id.to_string(),
            name: open.name.clone(),
            description: open.description.clone(),
            default_label: open.default_label,
            grants: grants_editor(&app, open).await?,
            may_delete: !app.store.collection_has_documents(open.id).await?,
        }),
        None => None,
    };
    let chrome = reader.chrome(&app, "Collections", Nav::Collections);
    page(&CollectionsAdminPage { chrome, matrix: matrix(&app, &collections).await?, edit })
}

/// `POST /collections`
pub(crate) async fn create(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    reader.require(&app, &[Role::Admin], "/collections").await?;
    let collection = described(&fields, CollectionId::new(app.store.environment()))?;
    let mut act = app.store.begin().await?;
    act.insert_collection(&collection).await?;
    let event = Event::new(Action::CollectionCreated, &reader.actor(), reader.operation)
        .on("collection", collection.id, &collection.name)
        .detail(json!({ "default_label": collection.default_label }));
    act.record(event).await?;
    act.commit().await?;
    Ok(Redirect::to(&format!("/admin/collections?edit={}&said=created#edit", collection.id)).into_response())
}

/// `POST /collections/{id}`
pub(crate) async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    reader.require(&app, &[Role::Admin], "/collections").await?;
    let before = found(&app, &id).await?;
    let after = described(&fields, before.id)?;
    let mut act = app.store.begin().await?;
    act.update_collection(&after).await?;
    let event = Event::new(Action::CollectionChanged, &reader.actor(), reader.operation)
        .on("collection", after.id, &after.name)
        .detail(json!({ "before": before, "after": after }));
    act.record(event).await?;
    act.commit().await?;
    Ok(Redirect::to("/admin/collections?said=saved").into_response())
}

/// `GET /collections/{id}/delete`
pub(crate) async fn confirm_delete(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    reader.require(&app, &[Role::Admin], "/collections").await?;
    let collection = found(&app, &id).await?;
    page(&ConfirmPage {
        chrome: reader.chrome(&app, "Delete a collection", Nav::Collections),
        question: format!("Delete the collection “{}”?", collection.name),
        consequence: "Only an empty collection can be deleted. Its grants go with it.".to_owned(),
        action: format!("/collections/{id}/delete"),
        button: "Delete the collection".to_owned(),
        cancel: "/admin/collections".to_owned(),
        fields: Vec::new(),
        dangerous: true,
    })
}

/// `POST /collections/{id}/delete`
pub(crate) async fn delete(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let reader = posted.reader;
    reader.require(&app, &[Role::Admin], "/collections").await?;
    let collection = found(&app, &id).await?;
    let mut act = app.store.begin().await?;
    act.delete_collection(collection.id).await?;
    let event = Event::new(Action::CollectionDeleted, &reader.actor(), reader.operation);
    act.record(event.on("collection", collection.id, &collection.name)).await?;
    act.commit().await?;
    Ok(Redirect::to("/admin/collections?said=deleted").into_response())
}

/// `POST /collections/{id}/grants`: by an admin, or by whoever manages the collection.
pub(crate) async fn grant(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    let collection = found(&app, &id).await?;
    let own = reader.permissions(&app).await?.get(&collection.id).copied();
    let admin = reader.role() == Role::Admin;
    if !admin && own.is_none() {
        return Err(WebError::NotFound);
    }
    if !admin && own < Some(Permission::Manage) {
        return Err(WebError::Forbidden);
    }
    let principal: PrincipalId = fields.parse("principal")?;
    let name = principal_name(&app, principal).await?;
    let permission = match fields.get("permission") {
        "none" => None,
        _ => Some(fields.parse::<Permission>("permission")?),
    };
    let before = app.store.grants(collection.id).await?;
    let before = before.iter().find(|grant| grant.principal == principal).map(|grant| grant.permission);
    let asked = approvals::before_grant(&app, &reader, &collection, (principal, &name), before, permission).await?;
    if let Some(led) = asked {
        return Ok(led);
    }
    let mut act = app.store.begin().await?;
    act.set_grant(collection.id, principal, permission).await?;
    let event = Event::new(Action::GrantChanged, &reader.actor(), reader.operation)
        .on("collection", collection.id, &collection.name)
        .detail(json!({ "principal": principal, "name": name, "before": before, "after": permission }));
    act.record(event).await?;
    act.commit().await?;
    let said = if permission.is_some() { "granted" } else { "revoked" };
    let address = match own {
        Some(Permission::Manage) if !admin => format!("/collections/{id}?said={said}"),
        _ => format!("/admin/collections?edit={id}&said={said}#edit"),
    };
    Ok(Redirect::to(&address).into_response())
}

async fn found(app: &App, id: &str) -> Result<Collection, WebError> {
    let id: CollectionId = id.parse().map_err(|_| WebError::NotFound)?;
    app.store.collection(id).await?.ok_or(WebError::NotFound)
}

async fn principal_name(app: &App, principal: PrincipalId) -> Result<String, WebError> {
    let groups = app.store.groups().await?.into_iter().map(|group| (PrincipalId::from(group.id), group.name));
    let users = app.store.users().await?.into_iter().map(|user| (PrincipalId::from(user.id), user.name));
    let mut all = groups.chain(users);
    all.find(|(id, _)| *id == principal)
        .map(|(_, name)| name)
        .ok_or_else(|| WebError::Invalid("choose a person or a group".to_owned()))
}

fn described(fields: &Fields, id: CollectionId) -> Result<Collection, WebError> {
    let name: String = fields.get("name").trim().chars().take(80).collect();
    if name.is_empty() {
        return Err(WebError::Invalid("a collection needs a name".to_owned()));
    }
    let description = fields.get("description").trim().chars().take(240).collect();
    Ok(Collection { id, name, description, default_label: fields.parse("default_label")? })
}

async fn matrix(app: &App, collections: &[Collection]) -> Result<Matrix, WebError> {
    type Key = (bool, String);
    let mut rows: BTreeMap<Key, BTreeMap<CollectionId, Permission>> = BTreeMap::new();
    for collection in collections {
        for grant in app.store.grants(collection.id).await? {
            let key = (grant.kind == storage::PrincipalKind::User, grant.name);
            rows.entry(key).or_default().insert(collection.id, grant.permission);
        }
    }
    let rows = rows.into_iter().map(|((person, name), granted)| MatrixRow {
        name,
        kind: if person { PrincipalKind::User } else { PrincipalKind::Group },
        cells: collections.iter().map(|collection| granted.get(&collection.id).copied()).collect(),
    });
    Ok(Matrix {
        collections: collections.iter().map(|c| (c.id.to_string(), c.name.clone())).collect(),
        rows: rows.collect(),
    })
}
