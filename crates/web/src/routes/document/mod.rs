//! Reading a document, in any of its versions, at the passage that was cited.

mod citations;
mod open;
pub(crate) mod picture;
mod viewer;

use crate::app::App;
use crate::asked::Asked;
use crate::error::WebError;
use crate::session::Reader;
use crate::show::{day, kind, language, moment, page, size};
use crate::views::{DocumentLink, DocumentPage, Nav, Pager, Part, PassageView, Place, VersionLink};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use citations::citations;
use domain::{Document, DocumentState, Label, Metadata, Passage, Permission};
pub(crate) use open::{Opened, Recorded, open};
use serde::Deserialize;
use storage::Version;
use viewer::Shown;

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
    /// `text` for the text alone, where there are pages to look at.
    view: Option<String>,
    page: Option<u32>,
    /// Percent.
    zoom: Option<u32>,
    /// Pixels, of a picture.
    width: Option<u32>,
}

impl Wanted {
    /// The document in a version, or as it is now.
    pub(crate) fn at(version: Option<u32>) -> Self {
        Self { version, ..Self::default() }
    }
}

/// `GET /documents/{id}?passage=&answer=&version=&page=&zoom=&view=`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, WebError> {
    let opened = open(&app, &reader, &id, &wanted, Recorded::Always).await?;
    let number = opened.number();
    let passages = match number {
        0 => Vec::new(),
        _ => {
            let passages = app.store.passages_of(opened.document.id, number, &opened.scope).await?;
            passages.ok_or(WebError::NotFound)?
        }
    };
    let cited = opened.cited.as_ref().map(|passage| passage.id);
    let citations = match wanted.answer.as_deref().and_then(|id| id.parse().ok()) {
        Some(answer) => citations(&app, &reader, answer, cited, &wanted).await?,
        None => None,
    };
    let parent = match opened.document.parent {
        Some(parent) => app.store.document(parent, &opened.scope).await?.map(link),
        None => None,
    };
    let children = app.store.children(opened.document.id, &opened.scope, LISTED).await?;
    let sources = app.store.sources_of(opened.document.id).await?;
    let current = opened.is_current();
    let sources_of_answer = citations.as_ref().map_or(&[][..], |citations| &citations.passages);
    let pages = viewer::pages_of(&opened);
    let wants_text = wanted.view.as_deref() == Some("text");
    let Shown { viewer, pager, passages: range } = match pages {
        Some(pages) if !wants_text => viewer::show(&app, &opened, &wanted, pages, &passages, sources_of_answer),
        _ => text_alone(&opened, &wanted, &passages),
    };
    let as_pages = pages.filter(|_| wants_text).map(|_| viewer::as_pages(&opened, &wanted));
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
        head: if current && is_mail(&shown.media_type) { mail_head(&document.metadata) } else { Vec::new() },
        metadata: if current { particulars(&document.metadata, &shown.media_type) } else { Vec::new() },
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
        lang: shown.language.clone(),
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
            .skip(range.start)
            .take(range.len())
            .map(|passage| PassageView {
                cited: cited == Some(passage.id),
                anchor: !viewer.as_ref().is_some_and(|viewer| viewer::is_marked(viewer, &passage.id.to_string())),
                id: passage.id.to_string(),
                place: place(&passage),
                heading_path: passage.heading_path,
                text: passage.text,
            })
            .collect(),
        pager,
        citation: citations.map(|citations| citations.nav),
        viewer,
        as_pages,
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
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, WebError> {
    let opened = open(&app, &reader, &id, &wanted, Recorded::Always).await?;
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

fn link(document: Document) -> DocumentLink {
    let kind = kind(&document.media_type).to_owned();
    DocumentLink { id: document.id.to_string(), title: document.title, kind }
}

fn version_link(version: &Version) -> VersionLink {
    VersionLink { version: version.version, day: day(version.published_at), size: size(version.size_bytes) }
}

fn is_mail(media_type: &str) -> bool {
    ["message/rfc822", "application/vnd.ms-outlook"].contains(&media_type)
}

/// What stands above the text of a mail, by the names of its fields.
const MAIL_HEAD: [(&str, &str); 4] = [("from", "From"), ("to", "To"), ("cc", "Copy to"), ("subject", "Subject")];

fn mail_head(metadata: &Metadata) -> Vec<(String, String)> {
    let field = |(key, name): (&str, &str)| Some((name.to_owned(), metadata.fields.get(key)?.clone()));
    let sent = metadata.written_at.map(|at| ("Sent".to_owned(), moment(at)));
    let mut head: Vec<_> = MAIL_HEAD.into_iter().filter_map(field).collect();
    head.extend(sent);
    head
}

/// What is known of a document beside its text, as its page lists it; of a mail what its head does not say.
fn particulars(metadata: &Metadata, media_type: &str) -> Vec<(String, String)> {
    let is_mail = is_mail(media_type);
    let known = [
        ("Author", metadata.author.clone().filter(|_| !is_mail)),
        ("Written", metadata.written_at.filter(|_| !is_mail).map(day)),
        ("Last changed by its author", metadata.modified_at.map(day)),
    ];
    let known = known.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?)));
    let is_in_head = |name: &str| is_mail && MAIL_HEAD.iter().any(|(key, _)| *key == name);
    let own = metadata.fields.iter().filter(|(name, _)| !is_in_head(name)).map(|(name, text)| {
        let mut letters = name.chars();
        let name = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
        (name, text.clone())
    });
    known.chain(own).take(LISTED as usize).collect()
}

/// The part of the text that was asked for, or that the cited passage stands in.
fn text_alone(opened: &Opened, wanted: &Wanted, passages: &[Passage]) -> Shown {
    let cited = opened.cited.as_ref().map(|passage| passage.id);
    let at = passages.iter().position(|passage| Some(passage.id) == cited);
    let parts = passages.len().div_ceil(PART).max(1);
    let part = at.map_or(wanted.part.unwrap_or(1).clamp(1, parts), |at| at / PART + 1);
    let pager = pager(&opened.document, opened.number(), part, parts);
    Shown { viewer: None, pager, passages: (part - 1) * PART..(part * PART).min(passages.len()) }
}

fn pager(document: &Document, version: u32, part: usize, parts: usize) -> Option<Pager> {
    let address = |part: usize| format!("/documents/{}?version={version}&view=text&part={part}", document.id);
    (parts > 1).then(|| Pager {
        summary: format!("Part {part} of {parts}"),
        previous: (part > 1).then(|| address(part - 1)),
        next: (part < parts).then(|| address(part + 1)),
    })
}
