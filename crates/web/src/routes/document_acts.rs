//! What may be done to a document: another label, and away with it.

use crate::app::App;
use crate::error::WebError;
use crate::session::{Acting, Posted, Reader, permissions_of, scope_of};
use crate::show::page;
use crate::views::{ConfirmPage, Nav};
use ::audit::{Action, Event};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::{Document, DocumentId, Label, Permission};
use serde_json::json;

/// `POST /documents/{id}/label`
pub(crate) async fn relabel(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    let document = writable(&app, &reader, &id, Permission::Manage).await?;
    let label: Label = fields.parse("label")?;
    if !reader.who.principal.user.clearance.covers(label) {
        return Err(WebError::Invalid("this label is above your own clearance".to_owned()));
    }
    let mut act = app.store.begin().await?;
    // Files taken out of it may have got the label with it: each of them is a document with a history of its own.
    for id in act.relabel(document.id, label).await? {
        let Some(relabelled) = act.document(id).await? else { continue };
        let event = Event::new(Action::DocumentRelabelled, &reader.actor(), reader.operation)
            .on("document", relabelled.id, &relabelled.title)
            .detail(json!({ "before": document.label, "after": label }));
        act.record(event).await?;
    }
    act.commit().await?;
    app.publisher.catch_up().await?;
    Ok(Redirect::to(&format!("/documents/{}?said=relabelled", document.id)).into_response())
}

/// `GET /documents/{id}/delete`
pub(crate) async fn confirm_delete(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let document = writable(&app, &reader, &id, Permission::Write).await?;
    page(&ConfirmPage {
        chrome: reader.chrome(&app, "Delete a document", Nav::Library),
        question: format!("Delete “{}”?", document.title),
        consequence: "All its versions and passages go, with the files that were in it, and the next question no longer finds it. The audit log keeps \
                      what was shown of it. This cannot be undone."
            .to_owned(),
        action: format!("/documents/{}/delete", document.id),
        button: "Delete the document".to_owned(),
        cancel: format!("/collections/{}", document.collection),
        fields: Vec::new(),
        dangerous: true,
    })
}

/// `POST /documents/{id}/delete`
pub(crate) async fn delete(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let document = remove(&app, &posted.reader, &id).await?;
    Ok(Redirect::to(&format!("/collections/{}?said=deleted", document.collection)).into_response())
}

/// Deletes a document, together with its event; the next query no longer finds it.
pub(crate) async fn remove(app: &App, caller: &impl Acting, id: &str) -> Result<Document, WebError> {
    let document = writable(app, caller, id, Permission::Write).await?;
    let mut act = app.store.begin().await?;
    act.delete_document(document.id).await?;
    let event = Event::new(Action::DocumentDeleted, &caller.actor(), caller.operation())
        .on("document", document.id, &document.title)
        .detail(json!({ "source": document.source, "content": document.content, "versions": document.version }));
    act.record(event).await?;
    act.commit().await?;
    app.publisher.catch_up().await?;
    app.pages.tidy(&app.store).await?;
    // Its originals go with the next sweep: one of them may just be coming in again.
    Ok(document)
}

/// A document that this person may read and has at least `least` over.
async fn writable(app: &App, caller: &impl Acting, id: &str, least: Permission) -> Result<Document, WebError> {
    let id: DocumentId = id.parse().map_err(|_| WebError::NotFound)?;
    let scope = scope_of(app, caller).await?;
    let document = app.store.document(id, &scope).await?.ok_or(WebError::NotFound)?;
    let permission = permissions_of(app, caller).await?.get(&document.collection).copied();
    if permission >= Some(least) { Ok(document) } else { Err(WebError::Forbidden) }
}
