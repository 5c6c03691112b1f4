//! `/api/v1/documents`: lists, one document with what is known of it, its original and its text, uploads, deletion.

use super::{Params, window};
use crate::app::App;
use crate::error::WebError;
use crate::programs::{Program, within};
use crate::routes::collection::find;
use crate::routes::document::{Recorded, Wanted, download, open};
use crate::routes::document_acts;
use crate::routes::upload::{Intake, receive, told};
use crate::session::{Acting, scope_of};
use axum::Json;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::{AccessScope, CollectionId, Document, Passage, Permission};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::Version;

/// Files found in a file that are listed with it.
const CHILDREN: u32 = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    collection: Option<String>,
    limit: Option<u32>,
    offset: Option<u32>,
}

/// `GET /api/v1/documents?collection=&limit=&offset=`
pub(super) async fn list(
    State(app): State<App>,
    program: Program,
    Params(wanted): Params<Listed>,
) -> Result<Json<Value>, WebError> {
    let scope = scope_of(&app, &program).await?;
    let page = window(wanted.limit, wanted.offset)?;
    let collection = match wanted.collection {
        Some(name) => Some(named(&app, scope.clone(), name).await?),
        None => None,
    };
    let documents = app.store.documents(&scope, collection, page).await?;
    let total = app.store.document_count(&scope, collection).await?;
    let documents: Vec<Value> = documents.iter().map(document_told).collect();
    Ok(Json(json!({ "documents": documents, "total": total, "offset": page.offset })))
}

/// `GET /api/v1/documents/{id}?version=`
pub(super) async fn get(
    State(app): State<App>,
    program: Program,
    Path(id): Path<String>,
    Params(wanted): Params<AtVersion>,
) -> Result<Json<Value>, WebError> {
    let opened = open(&app, &program, &id, &Wanted::at(wanted.version), Recorded::Always).await?;
    let document = &opened.document;
    let mut told = document_told(document);
    told["sources"] = json!(app.store.sources_of(document.id).await?);
    told["versions"] = opened.versions.iter().map(version_told).collect();
    told["shown_version"] = json!(opened.version.as_ref().map(|version| version.version));
    // A parent that may not be read is none.
    told["parent"] = match document.parent {
        Some(parent) => app.store.document(parent, &opened.scope).await?.as_ref().map_or(Value::Null, link),
        None => Value::Null,
    };
    told["children"] = app.store.children(document.id, &opened.scope, CHILDREN).await?.iter().map(link).collect();
    Ok(Json(told))
}

/// `GET /api/v1/documents/{id}/original?version=`
pub(super) async fn original(
    State(app): State<App>,
    program: Program,
    Path(id): Path<String>,
    Params(wanted): Params<AtVersion>,
) -> Result<Response, WebError> {
    let opened = open(&app, &program, &id, &Wanted::at(wanted.version), Recorded::Always).await?;
    download(&app, &opened).await
}

/// `GET /api/v1/documents/{id}/passages?version=&limit=&offset=`
pub(super) async fn passages(
    State(app): State<App>,
    program: Program,
    Path(id): Path<String>,
    Params(wanted): Params<AtVersion>,
) -> Result<Json<Value>, WebError> {
    let page = window(wanted.limit, wanted.offset)?;
    let opened = open(&app, &program, &id, &Wanted::at(wanted.version), Recorded::Always).await?;
    let passages = match &opened.version {
        Some(version) => app.store.passages_of(opened.document.id, version.version, &opened.scope).await?,
        None => Some(Vec::new()),
    };
    let passages = passages.ok_or(WebError::NotFound)?;
    let listed = passages.iter().skip(page.offset as usize).take(page.limit as usize);
    Ok(Json(json!({
        "document_id": opened.document.id,
        "version": opened.version.as_ref().map(|version| version.version),
        "label": opened.document.label,
        "passages": listed.map(passage_told).collect::<Vec<_>>(),
        "total": passages.len(),
        "offset": page.offset,
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    collection: String,
}

/// `POST /api/v1/documents?collection=`: a form with `label`, `title` or `batch`, then any number of `files`.
pub(super) async fn upload(
    State(app): State<App>,
    program: Program,
    Params(target): Params<Target>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<(StatusCode, Json<Value>), WebError> {
    let scope = scope_of(&app, &program).await?;
    let id = named(&app, scope.clone(), target.collection).await?;
    let (collection, _) = find(&app, &program, &id.to_string(), Permission::Write).await?;
    let mut form = form.map_err(|error| WebError::Invalid(format!("the form: {error}")))?;
    let clearance = program.principal().user.clearance;
    let intake = Intake::new(&app, &collection, scope, program.actor(), program.operation);
    let received = receive(intake, &mut form, clearance, None).await?;
    Ok((StatusCode::ACCEPTED, Json(told(&received))))
}

/// `DELETE /api/v1/documents/{id}`
pub(super) async fn remove(
    State(app): State<App>,
    program: Program,
    Path(id): Path<String>,
) -> Result<StatusCode, WebError> {
    document_acts::remove(&app, &program, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AtVersion {
    version: Option<u32>,
    limit: Option<u32>,
    offset: Option<u32>,
}

/// The collection with this name or id.
async fn named(app: &App, scope: AccessScope, name: String) -> Result<CollectionId, WebError> {
    let scope = within(app, scope, std::slice::from_ref(&name)).await?;
    scope.collections().next().ok_or(WebError::NoCollection(name))
}

/// A document as its list shows it.
fn document_told(document: &Document) -> Value {
    json!({
        "id": document.id,
        "collection_id": document.collection,
        "title": document.title,
        "source": document.source,
        "media_type": document.media_type,
        "label": document.label,
        "state": document.state,
        "version": document.version,
        "hash": document.content,
        "size_bytes": document.size_bytes,
        "pages": document.pages,
        "language": document.language,
        "passages": document.passages,
        "embedded": document.embedded,
        "metadata": document.metadata,
        "warnings": document.warnings,
        "created_at": document.created_at,
        "updated_at": document.updated_at,
        "url": format!("/documents/{}", document.id),
    })
}

fn version_told(version: &Version) -> Value {
    json!({
        "version": version.version,
        "title": version.title,
        "media_type": version.media_type,
        "hash": version.content,
        "size_bytes": version.size_bytes,
        "pages": version.pages,
        "language": version.language,
        "warnings": version.warnings,
        "published_at": version.published_at,
    })
}

fn link(document: &Document) -> Value {
    json!({
        "id": document.id,
        "title": document.title,
        "source": document.source,
        "media_type": document.media_type,
        "label": document.label,
    })
}

fn passage_told(passage: &Passage) -> Value {
    json!({
        "id": passage.id,
        "ordinal": passage.ordinal,
        "heading": passage.heading_path,
        "page": passage.page,
        "places": passage.places,
        "text": passage.text,
        "hash": passage.hash,
    })
}
