//! The audit log, for auditors only. Nothing here changes anything but the log itself: looking through it is recorded.

mod checkpoint;
mod exports;
mod insight;
mod log;

pub(crate) use checkpoint::{ask_release, checkpoint, checkpoint_file, checkpoint_picture, sign};
pub use exports::Exports;
pub(crate) use exports::{begin_export, export_file, export_page};
pub(crate) use insight::{overview, persons_day, readers, share};

use crate::app::App;
use crate::asked::Asked;
use crate::error::WebError;
use crate::routes::approvals;
use crate::session::{Acting, Fields, Posted, Reader};
use crate::show::page;
use crate::views::{AuditEventPage, AuditHead, AuditPage, AuditRow, Nav, PurgedView, Verification};
use ::audit::export::Format;
use ::audit::{Action, Event, Outcome};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::Role;
pub(crate) use log::Wanted;
use log::row;
use serde_json::{Map, Value, json};
use tokio_util::io::ReaderStream;

const LISTED: u32 = 50;
/// Events before and after one that is looked at.
const NEIGHBOURS: u64 = 4;

/// Goes on only for an auditor.
async fn auditor(app: &App, reader: &Reader) -> Result<(), WebError> {
    reader.require(app, &[Role::Auditor], "/audit").await
}

/// Records that the auditor looks at this page of the log, before it is shown.
pub(crate) async fn looked(
    app: &App,
    caller: &impl Acting,
    at: &str,
    mut detail: Map<String, Value>,
) -> Result<(), WebError> {
    detail.insert("page".to_owned(), Value::from(at));
    let mut act = app.store.begin().await?;
    act.record(Event::new(Action::AuditRead, &caller.actor(), caller.operation()).detail(Value::Object(detail)))
        .await?;
    Ok(act.commit().await?)
}

/// `GET /audit`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, WebError> {
    auditor(&app, &reader).await?;
    looked(&app, &reader, "/audit", wanted.detail()).await?;
    page(&list(&app, &reader, wanted, None).await?)
}

/// `GET /audit/{sequence}`
pub(crate) async fn event(
    State(app): State<App>,
    reader: Reader,
    Path(sequence): Path<u64>,
) -> Result<Response, WebError> {
    auditor(&app, &reader).await?;
    let first = sequence.saturating_sub(NEIGHBOURS).max(1);
    let mut around = app.store.audit_from(first, u32::try_from(2 * NEIGHBOURS + 1).unwrap_or(9)).await?;
    around.retain(|entry| entry.sequence <= sequence + NEIGHBOURS);
    let purged = app.store.audit_purged(sequence).await?.map(|(at, action, by)| PurgedView {
        sequence,
        at: crate::show::second(at),
        action: action.as_str().to_owned(),
        by,
    });
    let neighbours: Vec<AuditRow> = around.into_iter().map(row).collect();
    let entry = neighbours.iter().find(|row| row.sequence == sequence).cloned();
    if entry.is_none() && purged.is_none() {
        return Err(WebError::NotFound);
    }
    looked(&app, &reader, "/audit/{sequence}", Map::from_iter([("event".to_owned(), json!(sequence))])).await?;
    let chrome = reader.chrome(&app, &format!("Event {sequence}"), Nav::Audit);
    page(&AuditEventPage { chrome, sequence, entry, purged, neighbours })
}

/// `POST /audit/verify`
pub(crate) async fn verify(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let reader = posted.reader;
    auditor(&app, &reader).await?;
    let found = app.store.check_audit(Some(&app.signing_key.public())).await?;
    let verification = match &found {
        Ok(checked) => {
            let mut text = format!("All {} events are in place: none was edited, dropped or moved.", checked.entries);
            if checked.checkpoints > 0 {
                text.push_str(&format!(" They lead to all {} signed checkpoints.", checked.checkpoints));
            }
            if checked.purged > 0 {
                text.push_str(&format!(" Of {} only the hashes are left, by the rules of retention.", checked.purged));
            }
            Verification { intact: true, text }
        }
        Err(fault) => Verification { intact: false, text: fault.to_string() },
    };
    let mut act = app.store.begin().await?;
    let outcome = if verification.intact { Outcome::Success } else { Outcome::Failed };
    let event = Event::new(Action::AuditVerified, &reader.actor(), reader.operation);
    act.record(event.outcome(outcome).detail(json!({ "found": verification.text }))).await?;
    act.commit().await?;
    page(&list(&app, &reader, Wanted::default(), Some(verification)).await?)
}

/// What an export is asked for, as the form says it, after it was recorded. A file that can be verified holds every event;
/// the other formats hold what was looked for.
async fn recorded_export(
    app: &App,
    reader: &Reader,
    fields: &Fields,
) -> Result<(Format, storage::AuditFilter), WebError> {
    let format: Format = fields.parse("format")?;
    let field = |name: &str| fields.get(name).to_owned();
    let wanted = match format {
        Format::Jsonl => Wanted::default(),
        _ => Wanted {
            from: field("from"),
            to: field("to"),
            person: field("person"),
            action: field("action"),
            document: field("document"),
            label: field("label"),
            text: field("text"),
            before: None,
        },
    };
    let filter = wanted.filter().map_err(WebError::Invalid)?;
    let mut detail = wanted.detail();
    detail.insert("format".to_owned(), json!(format.as_str()));
    let mut act = app.store.begin().await?;
    let event = Event::new(Action::AuditExported, &reader.actor(), reader.operation);
    act.record(event.detail(Value::Object(detail))).await?;
    act.commit().await?;
    Ok((format, filter))
}

/// The headers of a downloaded log.
fn download(app: &App, format: Format) -> [(header::HeaderName, String); 2] {
    let stamp = app.store.environment().now().strftime("%Y%m%d-%H%M%S").to_string();
    let name = format!("attachment; filename=\"carrel-audit-{stamp}.{}\"", format.as_str());
    [(header::CONTENT_TYPE, format.media_type().to_owned()), (header::CONTENT_DISPOSITION, name)]
}

/// `POST /audit/export`: the file as the answer, for programs and small logs.
pub(crate) async fn export(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    auditor(&app, &reader).await?;
    if let Some(led) = approvals::before_export(&app, &reader, &fields).await? {
        return Ok(led);
    }
    let (format, filter) = recorded_export(&app, &reader, &fields).await?;
    // To a file first: a log of a million events must not have to fit into memory.
    let file = tempfile::tempfile().map_err(WebError::internal)?;
    let writer = std::io::BufWriter::new(file);
    let writer = app.store.export_audit(format, &filter, &app.signing_key, writer).await?;
    let mut file = writer.into_inner().map_err(|error| WebError::internal(error.into_error()))?;
    std::io::Seek::rewind(&mut file).map_err(WebError::internal)?;
    let body = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file)));
    Ok((download(&app, format), body).into_response())
}

async fn list(
    app: &App,
    reader: &Reader,
    wanted: Wanted,
    verification: Option<Verification>,
) -> Result<AuditPage, WebError> {
    let (filter, error) = match wanted.filter() {
        Ok(filter) => (filter, None),
        Err(error) => (storage::AuditFilter::default(), Some(error)),
    };
    let entries = app.store.audit_entries(&filter, wanted.before, LISTED).await?;
    let last = app.store.audit_last().await?;
    let pager = wanted.pager(&entries, entries.len() == LISTED as usize);
    Ok(AuditPage {
        chrome: reader.chrome(app, "Audit", Nav::Audit),
        filter: wanted.shown(),
        actions: Action::ALL.iter().map(|action| action.as_str().to_owned()).collect(),
        labels: domain::Label::ALL.map(|label| label.as_str().to_owned()).to_vec(),
        entries: entries.into_iter().map(row).collect(),
        pager,
        head: AuditHead {
            count: last.map_or(0, |(count, _)| count),
            hash: last.map(|(_, hash)| hash.to_string()).unwrap_or_default(),
            key: Some(app.signing_key.public().to_string()),
        },
        verification,
        error,
    })
}
