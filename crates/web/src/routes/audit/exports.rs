//! Exports that are written beside the pages, with their progress: a log of a million events takes longer than a page should.

use super::{auditor, download, recorded_export};
use crate::app::App;
use crate::error::WebError;
use crate::routes::approvals;
use crate::session::{Posted, Reader};
use crate::show::{page, size};
use crate::views::{ExportPage, ExportState, Nav};
use ::audit::export::Format;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::UserId;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::io::BufWriter;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use storage::AuditFilter;
use tempfile::NamedTempFile;
use tokio_util::io::ReaderStream;

/// How long a finished export is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(1);
/// Exports at once, those that are kept among them.
const MOST: usize = 8;

/// The exports of this process. Cheap to clone.
#[derive(Clone, Default)]
pub struct Exports(Arc<Mutex<BTreeMap<String, Export>>>);

struct Export {
    owner: UserId,
    format: Format,
    begun: Timestamp,
    state: Standing,
}

enum Standing {
    Writing {
        done: u64,
        of: u64,
    },
    /// The file goes with the entry.
    Done(Arc<NamedTempFile>),
    Failed(String),
}

impl Exports {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Export>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a new one in; `false` if there are too many that are not yet old.
    fn add(&self, id: &str, owner: UserId, format: Format, now: Timestamp) -> bool {
        let mut all = self.lock();
        all.retain(|_, export| {
            matches!(export.state, Standing::Writing { .. }) || now.duration_since(export.begun) < KEPT
        });
        if all.len() >= MOST {
            return false;
        }
        let state = Standing::Writing { done: 0, of: 0 };
        all.insert(id.to_owned(), Export { owner, format, begun: now, state });
        true
    }

    fn set(&self, id: &str, state: Standing) {
        if let Some(export) = self.lock().get_mut(id) {
            export.state = state;
        }
    }

    /// Reads one of its owner's own.
    fn of<T>(&self, id: &str, owner: UserId, read: impl FnOnce(&Export) -> T) -> Option<T> {
        self.lock().get(id).filter(|export| export.owner == owner).map(read)
    }
}

/// `POST /audit/exports`
pub(crate) async fn begin_export(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    auditor(&app, &reader).await?;
    if let Some(led) = approvals::before_export(&app, &reader, &fields).await? {
        return Ok(led);
    }
    let (format, filter) = recorded_export(&app, &reader, &fields).await?;
    let id = reader.operation.to_string();
    let now = app.store.environment().now();
    if !app.exports.add(&id, reader.who.principal.user.id, format, now) {
        return Err(WebError::Conflict("there are many exports already; wait until they are an hour old".to_owned()));
    }
    let address = format!("/audit/exports/{id}");
    tokio::spawn(async move {
        let state = match write(&app, &id, format, &filter).await {
            Ok(file) => Standing::Done(Arc::new(file)),
            Err(error) => {
                tracing::error!(%error, "an export of the audit log failed");
                Standing::Failed(error.to_string())
            }
        };
        app.exports.set(&id, state);
    });
    Ok(Redirect::to(&address).into_response())
}

async fn write(
    app: &App,
    id: &str,
    format: Format,
    filter: &AuditFilter,
) -> Result<NamedTempFile, storage::StorageError> {
    let writer = BufWriter::with_capacity(1 << 20, NamedTempFile::new()?);
    let progress = |done, of| app.exports.set(id, Standing::Writing { done, of });
    let writer = app.store.export_audit_since(format, filter, (0, &progress), &app.signing_key, writer).await?;
    Ok(writer.into_inner().map_err(std::io::IntoInnerError::into_error)?)
}

/// `GET /audit/exports/{id}`
pub(crate) async fn export_page(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    auditor(&app, &reader).await?;
    let state = app.exports.of(&id, reader.who.principal.user.id, |export| {
        let state = match &export.state {
            Standing::Writing { done, of } => {
                ExportState::Writing { done: *done, of: *of, share: (100 * done).checked_div(*of).unwrap_or(0) }
            }
            Standing::Done(file) => {
                ExportState::Done { size: size(file.as_file().metadata().map_or(0, |metadata| metadata.len())) }
            }
            Standing::Failed(reason) => ExportState::Failed { reason: reason.clone() },
        };
        (export.format.as_str().to_owned(), state)
    });
    let (format, state) = state.ok_or(WebError::NotFound)?;
    page(&ExportPage { chrome: reader.chrome(&app, "Export", Nav::Audit), id, format, state })
}

/// `GET /audit/exports/{id}/file`
pub(crate) async fn export_file(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    auditor(&app, &reader).await?;
    let done = app.exports.of(&id, reader.who.principal.user.id, |export| match &export.state {
        Standing::Done(file) => Some((export.format, Arc::clone(file))),
        _ => None,
    });
    let (format, file) = done.flatten().ok_or(WebError::NotFound)?;
    let opened = file.reopen().map_err(WebError::internal)?;
    let body = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(opened)));
    Ok((download(&app, format), body).into_response())
}
