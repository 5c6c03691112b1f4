//! One collection: its documents, what is being read into it, and who may do what.

use crate::app::App;
use crate::error::WebError;
use crate::routes::jobs::job_row;
use crate::session::Reader;
use crate::show::{day, kind, page, size};
use crate::views::{
    CollectionPage, DocumentRow, GrantRow, GrantsEditor, JobRow, JobState, JobsPartial, Nav, Pager, PrincipalChoice,
    PrincipalKind, UploadRules,
};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use domain::{Collection, CollectionId, Document, Label, Permission, PrincipalId};
use serde::Deserialize;
use storage::{JobFilter, Page};

/// Documents on one page.
const LISTED: u32 = 100;
/// Finished jobs shown beside the open ones.
const JOBS: u32 = 60;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    partial: Option<String>,
    #[serde(default)]
    from: u32,
}

/// Endings of the files that can be read, for the browser's own file chooser. What a file is, its bytes say.
const ACCEPT: &str = ".pdf,.docx,.docm,.dotx,.pptx,.pptm,.ppsx,.xlsx,.xlsm,.xls,.csv,.tsv,.odt,.ods,.odp,.rtf,.epub,.html,.htm,\
    .xhtml,.md,.markdown,.txt,.text,.log,.eml,.mbox,.msg,.zip,.tar,.gz,.tgz,.json";

/// `GET /collections/{id}`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, WebError> {
    let (collection, permission) = find(&app, &reader, &id, Permission::Read).await?;
    let jobs = if permission >= Permission::Write { recent_jobs(&app, &collection).await? } else { Vec::new() };
    if wanted.partial.as_deref() == Some("jobs") {
        let poll = format!("/collections/{id}?partial=jobs");
        return page(&JobsPartial { jobs: &jobs, poll: &poll, csrf: &reader.who.session.csrf });
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
            kinds: "PDF, Word, Excel, PowerPoint, OpenDocument, RTF, EPUB, HTML, Markdown, text, mail, and archives of these"
                .to_owned(),
            accept: ACCEPT.to_owned(),
            largest: size(app.stage.largest_file()),
            labels: Label::ALL.into_iter().filter(|label| clearance.covers(*label)).collect(),
        }),
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
    reader: &Reader,
    id: &str,
    least: Permission,
) -> Result<(Collection, Permission), WebError> {
    let id: CollectionId = id.parse().map_err(|_| WebError::NotFound)?;
    let permission = reader.permissions(app).await?.get(&id).copied().ok_or(WebError::NotFound)?;
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

/// Open jobs, and the latest of each document that failed.
async fn recent_jobs(app: &App, collection: &Collection) -> Result<Vec<JobRow>, WebError> {
    let filter = JobFilter { collections: Some(vec![collection.id]), ..JobFilter::default() };
    let mut seen = std::collections::HashSet::new();
    let jobs = app.store.jobs(&filter, JOBS).await?;
    let rows = jobs.into_iter().filter(|job| seen.insert(job.document)).map(|job| job_row(job, &collection.name));
    Ok(rows.filter(|row| row.state.is_open() || row.state == JobState::Failed).collect())
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
