//! What failed in a batch and why, for a spreadsheet or a program. Sent as it is read: a report of many thousand
//! files never lies in memory.

use crate::app::App;
use crate::error::WebError;
use crate::routes::batches::find;
use crate::routes::jobs::job_reader;
use crate::session::{Acting, Reader};
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::BatchId;
use futures_util::stream;
use serde_json::{Value, json};
use std::io;
use storage::{BatchPlace, Job, JobReader, JobState, Store};

/// Jobs that are read at a time.
const READ: u32 = 500;

/// `GET /batches/{id}/failures.csv`
pub(crate) async fn csv(State(app): State<App>, reader: Reader, Path(id): Path<String>) -> Result<Response, WebError> {
    report(&app, &reader, &id, Form::Csv).await
}

/// `GET /batches/{id}/failures.json`
pub(crate) async fn json(State(app): State<App>, reader: Reader, Path(id): Path<String>) -> Result<Response, WebError> {
    report(&app, &reader, &id, Form::Json).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Csv,
    Json,
}

pub(crate) async fn report(app: &App, caller: &impl Acting, id: &str, form: Form) -> Result<Response, WebError> {
    let batch = find(app, caller, id).await?;
    let (kind, ending) = match form {
        Form::Csv => ("text/csv; charset=utf-8", "csv"),
        Form::Json => ("application/json", "json"),
    };
    let disposition = format!("attachment; filename=\"failures-{}.{ending}\"", batch.id);
    let headers = [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    let body = Body::from_stream(pieces(app.store.clone(), batch.id, form, job_reader(app, caller).await?));
    Ok((headers, body).into_response())
}

/// Where a report is.
enum Step {
    Head,
    Jobs(BatchPlace),
    End,
}

fn pieces(
    store: Store,
    batch: BatchId,
    form: Form,
    reader: JobReader,
) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(Step::Head, move |step| {
        let (store, reader) = (store.clone(), reader.clone());
        async move {
            let place = match step {
                Step::Head => {
                    let head: &'static [u8] = match form {
                        Form::Csv => b"source,reason,attempts,size_bytes,ended_at\r\n",
                        Form::Json => b"[",
                    };
                    return Ok(Some((Bytes::from_static(head), Step::Jobs(BatchPlace::Beginning))));
                }
                Step::Jobs(place) => place,
                Step::End => return Ok(None),
            };
            let jobs = store
                .batch_jobs(batch, Some(JobState::Failed), place, READ, Some(&reader))
                .await
                .map_err(io::Error::other)?;
            let Some(last) = jobs.last().map(|job| job.id) else {
                let tail: &'static [u8] = if form == Form::Json { b"\n]\n" } else { b"" };
                return Ok(Some((Bytes::from_static(tail), Step::End)));
            };
            let written = match form {
                Form::Csv => rows(&jobs)?,
                Form::Json => values(&jobs, place == BatchPlace::Beginning)?,
            };
            Ok(Some((written.into(), Step::Jobs(BatchPlace::After(last)))))
        }
    })
}

fn rows(jobs: &[Job]) -> io::Result<Vec<u8>> {
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
    for job in jobs {
        let ended = job.finished_at.map(|at| at.to_string()).unwrap_or_default();
        let (attempts, size) = (job.attempts.to_string(), job.size_bytes.to_string());
        let reason = cell(job.reason.as_deref().unwrap_or_default());
        writer.write_record([&cell(&job.source), &reason, &attempts, &size, &ended]).map_err(io::Error::other)?;
    }
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// A text that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula { format!("'{text}") } else { text.to_owned() }
}

fn values(jobs: &[Job], first: bool) -> io::Result<Vec<u8>> {
    let mut written = Vec::new();
    for (at, job) in jobs.iter().enumerate() {
        written.extend_from_slice(if first && at == 0 { b"\n" } else { b",\n" });
        serde_json::to_writer(&mut written, &failure(job))?;
    }
    Ok(written)
}

fn failure(job: &Job) -> Value {
    json!({
        "source": job.source,
        "reason": job.reason,
        "attempts": job.attempts,
        "size_bytes": job.size_bytes,
        "ended_at": job.finished_at,
        "job_id": job.id.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_file_name_is_no_formula() {
        assert_eq!(cell("=cmd|' /C calc'!A0.pdf"), "'=cmd|' /C calc'!A0.pdf");
        assert_eq!(cell("a=b.pdf"), "a=b.pdf");
    }
}
