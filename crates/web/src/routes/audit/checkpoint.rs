//! The newest checkpoint as a page, a file and a picture.

use super::auditor;
use crate::app::App;
use crate::error::WebError;
use crate::session::{Posted, Reader};
use crate::show::{moment, page, second};
use crate::views::{CheckpointPage, CheckpointView, Nav};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use identity::Wish;
use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write;
use storage::LegalHold;

/// Earlier checkpoints that are listed.
const EARLIER: usize = 20;
/// Empty modules around the code (ISO/IEC 18004 wants four).
const QUIET: i32 = 4;

/// `GET /audit/checkpoint`
pub(crate) async fn checkpoint(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    auditor(&app, &reader).await?;
    let mut all = app.store.audit_checkpoints().await?;
    let newest = all.pop();
    let count = app.store.audit_last().await?.map_or(0, |(count, _)| count);
    let holds = app.store.legal_holds().await?;
    page(&CheckpointPage {
        chrome: reader.chrome(&app, "Checkpoint", Nav::Audit),
        since: count.saturating_sub(newest.as_ref().map_or(0, |newest| newest.size)),
        newest: newest.map(|newest| CheckpointView {
            size: newest.size,
            at: moment(newest.at),
            root: newest.root.to_string(),
            key: newest.public_key.clone(),
            line: newest.to_json(),
        }),
        earlier: all.iter().rev().take(EARLIER).map(|one| (one.size, second(one.at), one.root.to_string())).collect(),
        releases: app.identity.hold_release_needs_approval(),
        holds: holds
            .iter()
            .filter(|hold| hold.released_at.is_none())
            .map(|hold| (hold.name.clone(), held(hold)))
            .collect(),
    })
}

fn held(hold: &LegalHold) -> String {
    let mut of = Vec::new();
    of.extend(hold.person.as_ref().map(|person| format!("person {person}")));
    of.extend(hold.document.map(|document| format!("document {}", document.simple())));
    of.extend(hold.since.map(|since| format!("from {}", second(since))));
    of.extend(hold.until.map(|until| format!("before {}", second(until))));
    if of.is_empty() { "everything".to_owned() } else { of.join(", ") }
}

/// `POST /audit/checkpoint`: signs one over all events, if there is none yet.
pub(crate) async fn sign(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    auditor(&app, &posted.reader).await?;
    app.store.checkpoint(&app.signing_key).await?;
    Ok(Redirect::to("/audit/checkpoint").into_response())
}

/// `GET /audit/checkpoint.json`
pub(crate) async fn checkpoint_file(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    auditor(&app, &reader).await?;
    let newest = app.store.last_checkpoint().await?.ok_or(WebError::NotFound)?;
    let name = format!("attachment; filename=\"carrel-checkpoint-{}.json\"", newest.size);
    let headers = [(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, format!("{}\n", newest.to_json())).into_response())
}

/// `GET /audit/checkpoint.svg`: the same line as a QR code.
pub(crate) async fn checkpoint_picture(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    auditor(&app, &reader).await?;
    let newest = app.store.last_checkpoint().await?.ok_or(WebError::NotFound)?;
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, picture(&newest.to_json())?).into_response())
}

/// Dark modules on white in any theme: what a camera reads.
fn picture(text: &str) -> Result<String, WebError> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low).map_err(WebError::internal)?;
    let side = code.size() + 2 * QUIET;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path fill=\"#000\" d=\""
    );
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            let _ = write!(svg, "M{} {}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    svg.push_str("\"/></svg>\n");
    Ok(svg)
}

/// `POST /audit/holds/release`: asks for the end of a legal hold. Alone an auditor changes nothing, so there is no such
/// page where nobody else has to agree.
pub(crate) async fn ask_release(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    auditor(&app, &reader).await?;
    let wanted = fields.get("name");
    let hold = app.store.legal_holds().await?;
    let mut hold = hold.into_iter().filter(|hold| hold.released_at.is_none() && hold.name == wanted);
    let hold = hold.next().filter(|_| app.identity.hold_release_needs_approval()).ok_or(WebError::NotFound)?;
    let summary = format!("End the legal hold '{}'", hold.name);
    let wish = Wish::HoldRelease { name: hold.name, placed_at: hold.placed_at };
    let (me, actor) = (&reader.who.principal.user, reader.actor());
    app.identity.ask_approval(&wish, &summary, fields.get("reason"), me, &actor, reader.operation).await?;
    Ok(Redirect::to("/approvals?said=asked").into_response())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_as_long_as_a_checkpoint_fits_into_a_code_that_a_phone_reads() {
        let svg = super::picture(&"{\"checkpoint\":".repeat(34)).unwrap();
        let side: i32 = svg.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!((40..=97).contains(&side), "{side} modules");
        assert!(svg.matches("h1v1h-1z").count() > 1000);
        assert!(super::picture(&"x".repeat(4000)).is_err(), "no panic for what does not fit");
    }
}
