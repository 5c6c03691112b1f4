//! Reading a document at the passage that was cited.

use crate::app::App;
use crate::error::WebError;
use crate::session::{Posted, Reader};
use crate::show::{kind, language, moment, page, size};
use crate::views::{CitationNav, ConfirmPage, DocumentPage, Nav, Pager, PassageView};
use ::audit::{Action, Event, Outcome};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use domain::{AnswerId, Document, DocumentId, Label, PassageId, Permission};
use serde::Deserialize;
use serde_json::json;

/// Passages on one page: a long document comes in parts, so that the page stays light.
const PART: usize = 120;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    passage: Option<String>,
    answer: Option<String>,
    part: Option<usize>,
    version: Option<u32>,
}

/// `GET /documents/{id}?passage=&answer=`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, WebError> {
    let document = open(&app, &reader, &id, wanted.passage.as_deref()).await?;
    let scope = reader.scope(&app).await?;
    let passage: Option<PassageId> = wanted.passage.as_deref().and_then(|id| id.parse().ok());
    let cited = match passage {
        Some(passage) => app.store.passage(passage, &scope).await?.map(|(passage, _)| passage),
        None => None,
    };
    let cited = cited.filter(|passage| passage.document == document.id);
    let version = cited.as_ref().map(|passage| passage.version).or(wanted.version).unwrap_or(document.version);
    let passages = app.store.passages_of(document.id, version, &scope).await?.ok_or(WebError::NotFound)?;

    let at = cited.as_ref().and_then(|cited| passages.iter().position(|passage| passage.id == cited.id));
    let parts = passages.len().div_ceil(PART).max(1);
    let part = at.map_or(wanted.part.unwrap_or(1).clamp(1, parts), |at| at / PART + 1);
    let citation = match wanted.answer.as_deref().and_then(|id| id.parse().ok()) {
        Some(answer) => citation_nav(&app, &reader, answer, cited.as_ref().map(|passage| passage.id)).await?,
        None => None,
    };
    let collection = app.store.collection(document.collection).await?.ok_or(WebError::NotFound)?;
    let permission = reader.permissions(&app).await?.get(&collection.id).copied();
    let clearance = reader.who.principal.user.clearance;
    page(&DocumentPage {
        chrome: reader.chrome_with(&app, &document.title, Nav::Library, Some(document.label)),
        id: document.id.to_string(),
        collection_id: collection.id.to_string(),
        collection_name: collection.name,
        kind: kind(&document.media_type).to_owned(),
        size: size(document.size_bytes),
        pages: document.pages,
        version,
        newest: (version != document.version).then_some(document.version),
        label: document.label,
        language: document.language.as_deref().map(language),
        created: moment(document.created_at),
        updated: moment(document.updated_at),
        hash: document.content.to_string(),
        warnings: document.warnings.clone(),
        passages: passages
            .into_iter()
            .skip((part - 1) * PART)
            .take(PART)
            .map(|passage| PassageView {
                cited: cited.as_ref().is_some_and(|cited| cited.id == passage.id),
                id: passage.id.to_string(),
                page: passage.page,
                heading_path: passage.heading_path,
                text: passage.text,
            })
            .collect(),
        pager: pager(&document, version, part, parts),
        citation,
        relabel: match permission {
            Some(Permission::Manage) => Label::ALL.into_iter().filter(|label| clearance.covers(*label)).collect(),
            _ => Vec::new(),
        },
        may_delete: permission >= Some(Permission::Write),
        title: document.title,
        source: document.source,
    })
}

/// `GET /documents/{id}/original`
pub(crate) async fn original(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let document = open(&app, &reader, &id, None).await?;
    let (content, hash) = (app.content.clone(), document.content);
    let bytes = tokio::task::spawn_blocking(move || content.get(&hash)).await.map_err(WebError::internal)??;
    let name = document.source.rsplit(['/', '\\']).next().unwrap_or("document");
    // RFC 6266 with RFC 8187: a plain name for old clients, the exact one for all others.
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._- ".contains(c) { c } else { '_' }).collect();
    let exact: String = name
        .bytes()
        .map(|byte| match byte {
            b if b.is_ascii_alphanumeric() || b".-_".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect();
    let disposition = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}");
    let headers =
        [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, bytes).into_response())
}

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
    act.relabel(document.id, label).await?;
    let event = Event::new(Action::DocumentRelabelled, &reader.actor(), reader.operation)
        .on("document", document.id, &document.title)
        .detail(json!({ "before": document.label, "after": label }));
    act.record(event).await?;
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
        consequence: "All its versions and passages go, and the next question no longer finds it. The audit log keeps \
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
    let reader = posted.reader;
    let document = writable(&app, &reader, &id, Permission::Write).await?;
    let mut act = app.store.begin().await?;
    act.delete_document(document.id).await?;
    let event = Event::new(Action::DocumentDeleted, &reader.actor(), reader.operation)
        .on("document", document.id, &document.title)
        .detail(json!({ "source": document.source, "content": document.content, "versions": document.version }));
    act.record(event).await?;
    act.commit().await?;
    app.publisher.catch_up().await?;
    if !app.store.content_in_use(&document.content).await? {
        let (content, hash) = (app.content.clone(), document.content);
        tokio::task::spawn_blocking(move || content.remove(&hash)).await.map_err(WebError::internal)??;
    }
    Ok(Redirect::to(&format!("/collections/{}?said=deleted", document.collection)).into_response())
}

/// The document, if this person may read it; both outcomes are recorded. One that is hidden answers as one that
/// does not exist, and takes the same steps to say so.
async fn open(app: &App, reader: &Reader, id: &str, passage: Option<&str>) -> Result<Document, WebError> {
    let id: DocumentId = id.parse().map_err(|_| WebError::NotFound)?;
    let scope = reader.scope(app).await?;
    let allowed = app.store.document(id, &scope).await?;
    // For the auditor only: what it was that was refused.
    let known = app.store.document_for_ingest(id).await?;
    let name = known.as_ref().map_or("", |document| document.title.as_str());
    let (action, outcome) = match allowed {
        Some(_) => (Action::DocumentOpened, Outcome::Success),
        None => (Action::DocumentRefused, Outcome::Denied),
    };
    let detail = json!({
        "exists": known.is_some(),
        "passage": passage.and_then(|id| id.parse::<PassageId>().ok()),
        "version": allowed.as_ref().map(|document| document.version),
        "content": allowed.as_ref().map(|document| document.content),
    });
    let event = Event::new(action, &reader.actor(), reader.operation).on("document", id, name);
    let mut act = app.store.begin().await?;
    act.record(event.outcome(outcome).detail(detail)).await?;
    act.commit().await?;
    allowed.ok_or(WebError::NotFound)
}

/// A document that this person may read and has at least `least` over.
async fn writable(app: &App, reader: &Reader, id: &str, least: Permission) -> Result<Document, WebError> {
    let id: DocumentId = id.parse().map_err(|_| WebError::NotFound)?;
    let scope = reader.scope(app).await?;
    let document = app.store.document(id, &scope).await?.ok_or(WebError::NotFound)?;
    let permission = reader.permissions(app).await?.get(&document.collection).copied();
    if permission >= Some(least) { Ok(document) } else { Err(WebError::Forbidden) }
}

/// The way through the sources of an answer of this person.
async fn citation_nav(
    app: &App,
    reader: &Reader,
    answer: AnswerId,
    cited: Option<PassageId>,
) -> Result<Option<CitationNav>, WebError> {
    let owner = reader.who.principal.user.id;
    let (Some(record), Some(cited)) = (app.store.answer(answer, owner).await?, cited) else { return Ok(None) };
    let scope = reader.scope(app).await?;
    let ids: Vec<_> = app.store.sources(answer).await?.iter().map(|source| source.passage).collect();
    let shown = app.store.passages_by_id(&ids, &scope).await?;
    let Some(at) = shown.iter().position(|(passage, _)| passage.id == cited) else { return Ok(None) };
    let address = |at: usize| {
        let (passage, document) = shown.get(at)?;
        Some(format!("/documents/{}?passage={}&answer={answer}#p{}", document.id, passage.id, passage.id))
    };
    Ok(Some(CitationNav {
        position: format!("Source {} of {}", at + 1, shown.len()),
        question: record.question,
        back: format!("/conversations/{}#a{answer}", record.conversation),
        previous: at.checked_sub(1).and_then(address),
        next: address(at + 1),
    }))
}

fn pager(document: &Document, version: u32, part: usize, parts: usize) -> Option<Pager> {
    let address = |part: usize| format!("/documents/{}?version={version}&part={part}", document.id);
    (parts > 1).then(|| Pager {
        summary: format!("Part {part} of {parts}"),
        previous: (part > 1).then(|| address(part - 1)),
        next: (part < parts).then(|| address(part + 1)),
    })
}
