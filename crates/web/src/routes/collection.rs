//! One collection: its documents, what is being read into it, and who may do what.

use crate::app::App;
use crate::asked::Asked;
use crate::error::WebError;
use crate::routes::batches::batch_view;
use crate::routes::jobs::{job_reader, job_row};
use crate::session::{Acting, Reader, permissions_of};
use crate::show::{day, kind, page, size};
use crate::views::{
    BatchView, CollectionPage, DocumentRow, GrantRow, GrantsEditor, JobRow, JobsPartial, Nav, Pager, PrincipalChoice,
    PrincipalKind, UploadRules,
};
use axum::extract::{Path, State};
use axum::response::Response;
use domain::{Collection, CollectionId, Document, DocumentState, Label, Permission, PrincipalId};
use serde::Deserialize;
use storage::{JobFilter, JobReader, Page};

/// Documents on one page.
const LISTED: u32 = 100;
/// Jobs in one state beside the documents; their batch has all of them.
const JOBS: u32 = 8;
/// Batches that are looked at.
const BATCHES: u32 = 20;
/// How many of the latest are shown when files of them failed.
const FAILED: usize = 3;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    partial: Option<String>,
    #[serde(default)]
    from: u32,
}

/// `GET /collections/{id}`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, WebError> {
    let (collection, permission) = find(&app, &reader, &id, Permission::Read).await?;
    let (batches, jobs) = match permission {
        Permission::Read => (Vec::new(), Vec::new()),
        _ => {
            let allowed = job_reader(&app, &reader).await?;
            (recent_batches(&app, &collection, &allowed).await?, recent_jobs(&app, &collection, &allowed).await?)
        }
    };
    if wanted.partial.as_deref() == Some("jobs") {
        let poll = format!("/collections/{id}?partial=jobs");
        return page(&JobsPartial { batches: &batches, jobs: &jobs, poll: &poll, csrf: &reader.who.session.csrf });
    }
    let scope = reader.scope(&app).await?;
    let total = app.store.document_count(&scope, Some(collection.id)).await?;
    let window = Page { offset: wanted.from, limit: LISTED };
    let documents = app.store.documents(&scope, Some(collection.id), window).await?;
    let banner = documents.iter().map(|document| document.label).max();
    let clearance = reader.who.principal.user.clearance;
    page(&CollectionPage {
        chrome: reader.chrome_with(&app, &collection.name, Nav::Library, banner),
        id: collection.id.to_string(),
        description: collection.description.clone(),
        default_label: collection.default_label,
        permission,
        total,
        pager: pager(&collection, wanted.from, documents.len(), total),
        documents: documents.into_iter().map(row).collect(),
        upload: (permission >= Permission::Write).then(|| UploadRules {
            kinds: kinds(),
            largest: size(app.stage.largest_file()),
            labels: Label::ALL.into_iter().filter(|label| clearance.covers(*label)).collect(),
        }),
        unembedded: app.store.unembedded_within(&scope, Some(collection.id)).await?,
        batches,
        jobs,
        grants: match permission {
            Permission::Manage => Some(grants_editor(&app, &collection).await?),
            _ => None,
        },
        name: collection.name,
    })
}

/// A collection in which this person has at least `least`. One without any grant answers as if it were not there.
pub(crate) async fn find(
    app: &App,
    caller: &impl Acting,
    id: &str,
    least: Permission,
) -> Result<(Collection, Permission), WebError> {
    let id: CollectionId = id.parse().map_err(|_| WebError::NotFound)?;
    let permission = permissions_of(app, caller).await?.get(&id).copied().ok_or(WebError::NotFound)?;
    let collection = app.store.collection(id).await?.ok_or(WebError::NotFound)?;
    if permission < least { Err(WebError::Forbidden) } else { Ok((collection, permission)) }
}

pub(crate) async fn grants_editor(app: &App, collection: &Collection) -> Result<GrantsEditor, WebError> {
    let mut grants: Vec<GrantRow> = Vec::new();
    for grant in app.store.grants(collection.id).await? {
        let kind = match grant.kind {
            storage::PrincipalKind::User => PrincipalKind::User,
            storage::PrincipalKind::Group => PrincipalKind::Group,
        };
        let (principal, name, permission) = (grant.principal.to_string(), grant.name, grant.permission);
        grants.push(GrantRow { principal, name, kind, permission });
    }
    grants.sort_by(|a, b| (a.kind == PrincipalKind::User, &a.name).cmp(&(b.kind == PrincipalKind::User, &b.name)));
    let choice = |id: PrincipalId, name: String, kind| PrincipalChoice { id: id.to_string(), name, kind };
    let groups = app.store.groups().await?.into_iter();
    let users = app.store.users().await?.into_iter().filter(|user| !user.disabled);
    let candidates = groups
        .map(|group| choice(group.id.into(), group.name, PrincipalKind::Group))
        .chain(users.map(|user| choice(user.id.into(), user.name, PrincipalKind::User)))
        .filter(|choice| grants.iter().all(|grant| grant.principal != choice.id))
        .collect();
    Ok(GrantsEditor { collection: collection.id.to_string(), grants, candidates })
}

/// What can be read, as people call it.
fn kinds() -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for format in extract::Format::ALL {
        let kind = kind(format.media_type());
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let last = kinds.pop().unwrap_or_default();
    format!("{} or {last}", kinds.join(", "))
}

/// The latest batches that are not through, or of which files failed.
async fn recent_batches(app: &App, collection: &Collection, reader: &JobReader) -> Result<Vec<BatchView>, WebError> {
    let mut batches = Vec::new();
    for (age, batch) in app.store.batches(Some(&[collection.id]), BATCHES).await?.into_iter().enumerate() {
        if !app.store.batch_is_for(&batch, reader).await? {
            continue;
        }
        let progress = app.store.batch_progress(batch.id).await?;
        if progress.open() + progress.unembedded > 0 || (progress.failed > 0 && age < FAILED) {
            batches.push(batch_view(batch, &progress, &collection.name));
        }
    }
    Ok(batches)
}

/// Jobs that run, those that failed, and the next ones; of each document the latest.
async fn recent_jobs(app: &App, collection: &Collection, reader: &JobReader) -> Result<Vec<JobRow>, WebError> {
    let mut seen = std::collections::HashSet::new();
    let mut rows = Vec::new();
    for state in [storage::JobState::Running, storage::JobState::Failed, storage::JobState::Waiting] {
        let collections = Some(vec![collection.id]);
        let filter = JobFilter { state: Some(state), collections, batch: None, reader: Some(reader.clone()) };
        for job in app.store.jobs(&filter, JOBS).await? {
            // Nobody wants to read of a failure that a later try has mended.
            let failed_at = job.finished_at.filter(|_| state == storage::JobState::Failed);
            let document = match failed_at {
                Some(_) => app.store.document_for_ingest(job.document).await?,
                None => None,
            };
            let mended = document.is_some_and(|document| {
                document.state == DocumentState::Ready && Some(document.updated_at) > failed_at
            });
            if !mended && seen.insert(job.document) {
                rows.push(job_row(job, &collection.name));
            }
        }
    }
    Ok(rows)
}

fn row(document: Document) -> DocumentRow {
    DocumentRow {
        id: document.id.to_string(),
        title: document.title,
        source: document.source,
        kind: kind(&document.media_type).to_owned(),
        pages: document.pages,
        version: document.version,
        label: document.label,
        state: document.state,
        embedded: document.embedded,
        warnings: document.warnings.len() as u64,
        updated: day(document.updated_at),
    }
}

fn pager(collection: &Collection, from: u32, listed: usize, total: u64) -> Option<Pager> {
    let to = u64::from(from) + listed as u64;
    if from == 0 && to >= total {
        return None;
    }
    let address = |from: u32| format!("/collections/{}?from={from}", collection.id);
    Some(Pager {
        summary: format!("{}–{to} of {total}", from + 1),
        previous: (from > 0).then(|| address(from.saturating_sub(LISTED))),
        next: (to < total).then(|| address(from + LISTED)),
    })
}
