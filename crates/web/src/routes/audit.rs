//! The audit log, for auditors only. Nothing here changes anything; looking through it is recorded when it leaves
//! the appliance (export), and always when contents are exported.

use crate::app::App;
use crate::error::WebError;
use crate::routes::approvals;
use crate::session::{Posted, Reader};
use crate::show::{page, second};
use crate::views::{
    AuditEventPage, AuditFilter, AuditHead, AuditOutcome, AuditPage, AuditRow, Nav, Pager, ShownPassage, Verification,
};
use ::audit::export::Format;
use ::audit::{Action, Entry, Event, Outcome};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::Role;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;

const LISTED: u32 = 50;
/// Events before and after one that is looked at.
const NEIGHBOURS: u64 = 4;

#[derive(Deserialize, Default)]
pub(crate) struct Wanted {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    person: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    text: String,
    before: Option<u64>,
}

/// `GET /audit`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Query(wanted): Query<Wanted>,
) -> Result<Response, WebError> {
    reader.require(&app, &[Role::Auditor], "/audit").await?;
    page(&log(&app, &reader, wanted, None).await?)
}

/// `GET /audit/{sequence}`
pub(crate) async fn event(
    State(app): State<App>,
    reader: Reader,
    Path(sequence): Path<u64>,
) -> Result<Response, WebError> {
    reader.require(&app, &[Role::Auditor], "/audit").await?;
    let first = sequence.saturating_sub(NEIGHBOURS).max(1);
    let around = app.store.audit_from(first, u32::try_from(2 * NEIGHBOURS + 1).unwrap_or(9)).await?;
    let neighbours: Vec<AuditRow> = around.into_iter().map(row).collect();
    let entry = neighbours.iter().find(|row| row.sequence == sequence).cloned().ok_or(WebError::NotFound)?;
    let chrome = reader.chrome(&app, &format!("Event {sequence}"), Nav::Audit);
    page(&AuditEventPage { chrome, entry, neighbours })
}

/// `POST /audit/verify`
pub(crate) async fn verify(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let reader = posted.reader;
    reader.require(&app, &[Role::Auditor], "/audit").await?;
    let verification = match app.store.verify_audit().await? {
        Ok(count) => Verification {
            intact: true,
            text: format!("All {count} events are in place: none was edited, dropped or moved."),
        },
        Err(fault) => Verification { intact: false, text: fault.to_string() },
    };
    page(&log(&app, &reader, Wanted::default(), Some(verification)).await?)
}

/// `POST /audit/export`
pub(crate) async fn export(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    reader.require(&app, &[Role::Auditor], "/audit").await?;
    let format: Format = fields.parse("format")?;
    if let Some(led) = approvals::before_export(&app, &reader, &fields).await? {
        return Ok(led);
    }
    // A file that can be verified holds every event; the other formats hold what was looked for.
    let wanted = match format {
        Format::Jsonl => Wanted::default(),
        _ => Wanted {
            from: fields.get("from").to_owned(),
            to: fields.get("to").to_owned(),
            person: fields.get("person").to_owned(),
            action: fields.get("action").to_owned(),
            text: fields.get("text").to_owned(),
            before: None,
        },
    };
    let filter = stored_filter(&wanted).map_err(WebError::Invalid)?;
    let mut act = app.store.begin().await?;
    let event = Event::new(Action::AuditExported, &reader.actor(), reader.operation).detail(json!({
        "format": format.as_str(), "from": wanted.from, "to": wanted.to,
        "person": wanted.person, "action": wanted.action, "text": wanted.text,
    }));
    act.record(event).await?;
    act.commit().await?;
    // To a file first: a log of a million events must not have to fit into memory.
    let file = tempfile::tempfile().map_err(WebError::internal)?;
    let writer = std::io::BufWriter::new(file);
    let writer = app.store.export_audit(format, &filter, &app.signing_key, writer).await?;
    let mut file = writer.into_inner().map_err(|error| WebError::internal(error.into_error()))?;
    std::io::Seek::rewind(&mut file).map_err(WebError::internal)?;
    let body = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file)));
    let stamp = app.store.environment().now().strftime("%Y%m%d-%H%M%S").to_string();
    let name = format!("attachment; filename=\"carrel-audit-{stamp}.{}\"", format.as_str());
    let headers = [(header::CONTENT_TYPE, format.media_type().to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, body).into_response())
}

async fn log(
    app: &App,
    reader: &Reader,
    wanted: Wanted,
    verification: Option<Verification>,
) -> Result<AuditPage, WebError> {
    let (filter, error) = match stored_filter(&wanted) {
        Ok(filter) => (filter, None),
        Err(error) => (storage::AuditFilter::default(), Some(error)),
    };
    let entries = app.store.audit_entries(&filter, wanted.before, LISTED).await?;
    let last = app.store.audit_last().await?;
    let pager = pager(&wanted, &entries);
    let shown = AuditFilter {
        from: wanted.from,
        to: wanted.to,
        person: wanted.person,
        action: wanted.action,
        text: wanted.text,
    };
    Ok(AuditPage {
        chrome: reader.chrome(app, "Audit", Nav::Audit),
        filter: shown,
        actions: Action::ALL.iter().map(|action| action.as_str().to_owned()).collect(),
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

/// What is looked for, as the store takes it; days are local and whole.
fn stored_filter(wanted: &Wanted) -> Result<storage::AuditFilter, String> {
    let day = |text: &str, days_later: i64| -> Result<Option<Timestamp>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        let unreadable = |_| format!("'{text}' is not a day; write it as 2026-03-14");
        let date: Date = text.parse().map_err(unreadable)?;
        let date = date.checked_add(days_later.days()).map_err(unreadable)?;
        Ok(Some(date.to_zoned(TimeZone::system()).map_err(unreadable)?.timestamp()))
    };
    let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let action = match wanted.action.as_str() {
        "" => None,
        name => Some(name.parse::<Action>().map_err(|error| error.to_string())?),
    };
    Ok(storage::AuditFilter {
        from: day(&wanted.from, 0)?,
        to: day(&wanted.to, 1)?,
        actor: given(&wanted.person),
        action,
        document: None,
        text: given(&wanted.text),
    })
}

fn pager(wanted: &Wanted, entries: &[Entry]) -> Option<Pager> {
    let full = entries.len() == LISTED as usize;
    if wanted.before.is_none() && !full {
        return None;
    }
    let fields = [
        ("from", &wanted.from),
        ("to", &wanted.to),
        ("person", &wanted.person),
        ("action", &wanted.action),
        ("text", &wanted.text),
    ];
    let set: Vec<(&str, &String)> = fields.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let query = serde_urlencoded::to_string(&set).unwrap_or_default();
    let older = |before: u64| format!("/audit?{query}{}before={before}", if query.is_empty() { "" } else { "&" });
    Some(Pager {
        summary: match (entries.first(), entries.last()) {
            (Some(newest), Some(oldest)) => format!("events {} to {}", newest.sequence, oldest.sequence),
            _ => "no events".to_owned(),
        },
        previous: wanted.before.map(|_| format!("/audit?{query}")),
        next: entries.last().filter(|_| full).map(|oldest| older(oldest.sequence)),
    })
}

fn row(entry: Entry) -> AuditRow {
    let Entry { sequence, at, event, previous, hash } = entry;
    let passages: Vec<ShownPassage> =
        event.detail.get("passages").and_then(Value::as_array).into_iter().flatten().map(shown).collect();
    let detail = match &event.detail {
        Value::Null => String::new(),
        Value::Object(fields) if fields.is_empty() => String::new(),
        detail => serde_json::to_string_pretty(detail).unwrap_or_default(),
    };
    AuditRow {
        sequence,
        at: second(at),
        person: event.actor.name,
        address: event.actor.address,
        action: event.action.as_str().to_owned(),
        object: event.object.map(|object| if object.name.is_empty() { object.id } else { object.name }),
        outcome: match event.outcome {
            Outcome::Success => AuditOutcome::Success,
            Outcome::Denied => AuditOutcome::Denied,
            Outcome::Failed => AuditOutcome::Failed,
        },
        detail,
        passages,
        operation: event.operation.to_string(),
        hash: hash.to_string(),
        previous: previous.to_string(),
    }
}

fn shown(passage: &Value) -> ShownPassage {
    let text = |name: &str| passage.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |name: &str| passage.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    ShownPassage {
        title: text("title"),
        page: number("page"),
        version: number("version").unwrap_or(1),
        passage: text("passage"),
        hash: text("hash"),
    }
}
