//! Reading a document, in any of its versions, at the passage that was cited.

use crate::app::App;
use crate::error::WebError;
use crate::session::{Acting, Reader, scope_of};
use crate::show::{day, kind, language, moment, page, size};
use crate::views::{CitationNav, DocumentLink, DocumentPage, Nav, Pager, Part, PassageView, Place, VersionLink};
use ::audit::{Action, Event, Outcome};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::{
    AccessScope, AnswerId, ContentHash, Document, DocumentId, DocumentState, Label, Metadata, Passage, PassageId,
    Permission,
};
use serde::Deserialize;
use serde_json::json;
use storage::Version;

/// Passages on one page: a long document comes in parts, so that the page stays light.
const PART: usize = 120;
/// Versions, and files found in a file, on one page.
const LISTED: u32 = 100;

#[derive(Default, Deserialize)]
pub(crate) struct Wanted {
    passage: Option<String>,
    answer: Option<String>,
    part: Option<usize>,
    version: Option<u32>,
}

impl Wanted {
    /// The document in a version, or as it is now.
    pub(crate) fn at(version: Option<u32>) -> Self {
        Self { version, ..Self::default() }
    }
}

/// A document that may be read, in one of its versions.
pub(crate) struct Opened {
    pub(crate) document: Document,
    pub(crate) scope: AccessScope,
    /// All versions, the newest first.
    pub(crate) versions: Vec<Version>,
    /// The one that was asked for; none before the first was read.
    pub(crate) version: Option<Version>,
    /// The passage that was asked for.
    cited: Option<Passage>,
}

impl Opened {
    fn number(&self) -> u32 {
        self.version.as_ref().map_or(0, |version| version.version)
    }

    fn content(&self) -> ContentHash {
        self.version.as_ref().map_or(self.document.content, |version| version.content)
    }

    fn is_current(&self) -> bool {
        self.number() == self.document.version
    }
}

/// `GET /documents/{id}?passage=&answer=&version=`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, WebError> {
    let opened = open(&app, &reader, &id, &wanted).await?;
    let number = opened.number();
    let passages = match number {
        0 => Vec::new(),
        _ => {
            let passages = app.store.passages_of(opened.document.id, number, &opened.scope).await?;
            passages.ok_or(WebError::NotFound)?
        }
    };
    let cited = opened.cited.as_ref().map(|passage| passage.id);
    let at = passages.iter().position(|passage| Some(passage.id) == cited);
    let parts = passages.len().div_ceil(PART).max(1);
    let part = at.map_or(wanted.part.unwrap_or(1).clamp(1, parts), |at| at / PART + 1);
    let citation = match wanted.answer.as_deref().and_then(|id| id.parse().ok()) {
        Some(answer) => citation_nav(&app, &reader, answer, cited).await?,
        None => None,
    };
    let parent = match opened.document.parent {
        Some(parent) => app.store.document(parent, &opened.scope).await?.map(link),
        None => None,
    };
    let children = app.store.children(opened.document.id, &opened.scope, LISTED).await?;
    let sources = app.store.sources_of(opened.document.id).await?;
    let current = opened.is_current();
    let number_of_versions = opened.versions.len();
    let Opened { document, versions, version, .. } = opened;
    let collection = app.store.collection(document.collection).await?.ok_or(WebError::NotFound)?;
    let permission = reader.permissions(&app).await?.get(&collection.id).copied();
    let clearance = reader.who.principal.user.clearance;
    // Before the first version was read, what is known is what was handed in.
    let shown = version.unwrap_or_else(|| Version {
        version: 0,
        content: document.content,
        size_bytes: document.size_bytes,
        title: document.title.clone(),
        media_type: document.media_type.clone(),
        language: None,
        pages: None,
        warnings: Vec::new(),
        published_at: document.updated_at,
    });
    let place = |passage: &Passage| Place::of(passage, &shown.media_type);
    page(&DocumentPage {
        chrome: reader.chrome_with(&app, &document.title, Nav::Library, Some(document.label)),
        id: document.id.to_string(),
        collection_id: collection.id.to_string(),
        collection_name: collection.name,
        sources: if sources.is_empty() { vec![document.source.clone()] } else { sources },
        parent,
        children: children.into_iter().map(link).collect(),
        metadata: if current { particulars(&document.metadata) } else { Vec::new() },
        kind: kind(&shown.media_type).to_owned(),
        size: size(shown.size_bytes),
        part: Part::of(&shown.media_type),
        pages: shown.pages,
        version: shown.version,
        newest: versions.first().filter(|_| !current).map(version_link),
        versions: versions.iter().take(number_of_versions.min(LISTED as usize)).map(version_link).collect(),
        embedded: document.embedded || !current,
        unreadable: document.state == DocumentState::Failed,
        label: document.label,
        language: shown.language.as_deref().map(language),
        created: moment(document.created_at),
        updated: moment(shown.published_at),
        original: match current {
            true => format!("/documents/{}/original", document.id),
            false => format!("/documents/{}/original?version={}", document.id, shown.version),
        },
        hash: shown.content.to_string(),
        warnings: if current { document.warnings.clone() } else { shown.warnings.clone() },
        passages: passages
            .into_iter()
            .skip((part - 1) * PART)
            .take(PART)
            .map(|passage| PassageView {
                cited: cited == Some(passage.id),
                id: passage.id.to_string(),
                place: place(&passage),
                heading_path: passage.heading_path,
                text: passage.text,
            })
            .collect(),
        pager: pager(&document, shown.version, part, parts),
        citation,
        relabel: match permission {
            Some(Permission::Manage) => Label::ALL.into_iter().filter(|label| clearance.covers(*label)).collect(),
            _ => Vec::new(),
        },
        may_delete: permission >= Some(Permission::Write),
        title: if current { document.title } else { shown.title },
    })
}

/// `GET /documents/{id}/original?version=`
pub(crate) async fn original(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, WebError> {
    let opened = open(&app, &reader, &id, &wanted).await?;
    download(&app, &opened).await
}

/// The original bytes of what was opened, as a file.
pub(crate) async fn download(app: &App, opened: &Opened) -> Result<Response, WebError> {
    let (content, hash) = (app.content.clone(), opened.content());
    let bytes = tokio::task::spawn_blocking(move || content.get(&hash)).await.map_err(WebError::internal)??;
    let name = opened.document.source.rsplit(['/', '\\']).next().unwrap_or("document");
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

/// The document in the version that is wanted, if this person may read it; both outcomes are recorded. One that is
/// hidden answers as one that does not exist, and takes the same steps to say so.
pub(crate) async fn open(app: &App, caller: &impl Acting, id: &str, wanted: &Wanted) -> Result<Opened, WebError> {
    let id: DocumentId = id.parse().map_err(|_| WebError::NotFound)?;
    let scope = scope_of(app, caller).await?;
    let allowed = app.store.document(id, &scope).await?;
    // For the auditor only: what it was that was refused.
    let known = app.store.document_for_ingest(id).await?;
    let name = known.as_ref().map_or("", |document| document.title.as_str());
    let passage: Option<PassageId> = wanted.passage.as_deref().and_then(|id| id.parse().ok());
    let cited = match passage {
        Some(passage) => app.store.passage(passage, &scope).await?.map(|(passage, _)| passage),
        None => None,
    };
    let cited = cited.filter(|passage| passage.document == id);
    let versions = app.store.versions(id, &scope).await?;
    let opened = allowed.and_then(|document| {
        let number = cited.as_ref().map(|passage| passage.version).or(wanted.version).unwrap_or(document.version);
        let version = versions.iter().find(|version| version.version == number).cloned();
        let is_there = version.is_some() || (document.version == 0 && number == 0);
        is_there.then_some(Opened { document, scope, versions, version, cited })
    });
    let (action, outcome) = match opened {
        Some(_) => (Action::DocumentOpened, Outcome::Success),
        None => (Action::DocumentRefused, Outcome::Denied),
    };
    let detail = json!({
        "exists": known.is_some(),
        "passage": passage,
        "version": opened.as_ref().map_or(wanted.version, |opened| Some(opened.number())),
        "content": opened.as_ref().map(Opened::content),
    });
    let event = Event::new(action, &caller.actor(), caller.operation()).on("document", id, name);
    let mut act = app.store.begin().await?;
    act.record(event.outcome(outcome).detail(detail)).await?;
    act.commit().await?;
    opened.ok_or(WebError::NotFound)
}

fn link(document: Document) -> DocumentLink {
    let kind = kind(&document.media_type).to_owned();
    DocumentLink { id: document.id.to_string(), title: document.title, kind }
}

fn version_link(version: &Version) -> VersionLink {
    VersionLink { version: version.version, day: day(version.published_at), size: size(version.size_bytes) }
}

/// What is known of a document beside its text, as its page lists it.
fn particulars(metadata: &Metadata) -> Vec<(String, String)> {
    let known = [
        ("Author", metadata.author.clone()),
        ("Written", metadata.written_at.map(day)),
        ("Last changed by its author", metadata.modified_at.map(day)),
    ];
    let known = known.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?)));
    let own = metadata.fields.iter().map(|(name, text)| {
        let mut letters = name.chars();
        let name = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
        (name, text.clone())
    });
    known.chain(own).take(LISTED as usize).collect()
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
