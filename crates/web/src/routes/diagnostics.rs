//! A file for whoever is to help, from the health page: no contents, no names, no secrets.

use crate::app::App;
use crate::error::WebError;
use crate::session::Posted;
use audit::{Action, Event};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::{ContentHash, Role};
use operations::diagnostics::{Facts, write};
use operations::doctor::glance;
use serde_json::json;

/// `POST /admin/diagnostics`: the bundle as the answer, recorded before it is given out.
pub(crate) async fn post(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let reader = posted.reader;
    reader.require(&app, &[Role::Admin], "/admin/diagnostics").await?;
    let facts = Facts {
        release: env!("CARGO_PKG_VERSION"),
        configuration: app.site.configuration.clone(),
        findings: glance(&app.site.subject, &app.store).await,
        indexed_passages: Some(app.index.passages() as u64),
    };
    let bytes = write(Some(&app.store), facts, &app.site.data, Vec::new()).await.map_err(WebError::internal)?;
    let mut act = app.store.begin().await?;
    let event = Event::new(Action::DiagnosticsMade, &reader.actor(), reader.operation);
    act.record(event.detail(json!({ "blake3": ContentHash::of(&bytes), "size_bytes": bytes.len() }))).await?;
    act.commit().await?;
    let stamp = app.store.environment().now().strftime("%Y%m%d-%H%M%S");
    let name = format!("attachment; filename=\"carrel-diagnostics-{stamp}.tar.gz\"");
    Ok(([(header::CONTENT_TYPE, "application/gzip".to_owned()), (header::CONTENT_DISPOSITION, name)], bytes)
        .into_response())
}
