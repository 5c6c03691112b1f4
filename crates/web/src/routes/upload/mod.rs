//! Uploading documents: any number of files in one form, read one after the other and taken in by groups.

mod intake;
mod source;

pub(crate) use intake::{Intake, Received};

use crate::app::App;
use crate::error::WebError;
use crate::routes::collection::find;
use crate::session::{Reader, verify_csrf};
use crate::show::page;
use crate::views::{FileOutcome, Nav, UploadedPage};
use axum::Json;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{Multipart, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use domain::{Clearance, Collection, Label, Permission};
use serde_json::{Value, json};

/// Longest text of a field that is no file, in bytes.
const FIELD_BYTES: usize = 4096;
/// Files that the page about an upload names.
const LISTED: usize = 200;

/// `POST /collections/{id}/documents`: the fields `csrf` and `label`, then any number of `files`. A script sends many
/// files in several requests: it names the first one's `title`, and with the others its `batch`.
pub(crate) async fn post(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    headers: HeaderMap,
    mut form: Multipart,
) -> Result<Response, WebError> {
    let (collection, _) = find(&app, &reader, &id, Permission::Write).await?;
    let scope = reader.scope(&app).await?;
    let intake = Intake::new(&app, &collection, scope, reader.actor(), reader.operation);
    let clearance = reader.who.principal.user.clearance;
    let received = receive(intake, &mut form, clearance, Some(&reader)).await?;
    let for_script = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.starts_with("application/json"));
    if for_script { Ok(Json(told(&received)).into_response()) } else { shown(&app, &reader, collection, received) }
}

/// Takes in what a form holds, field after field. From a page it must begin with the token of its own session.
pub(crate) async fn receive(
    mut intake: Intake<'_>,
    form: &mut Multipart,
    clearance: Clearance,
    page_of: Option<&Reader>,
) -> Result<Received, WebError> {
    let mut verified = page_of.is_none();
    loop {
        let field = match form.next_field().await {
            Ok(Some(field)) => field,
            Ok(None) => break,
            Err(error) => return Err(broken(intake, &error).await),
        };
        match field.name() {
            Some("csrf") => {
                if let Some(reader) = page_of {
                    verify_csrf(reader, &text(field).await?)?;
                    verified = true;
                }
            }
            Some("label") => intake.set_label(label(&text(field).await?, clearance)?),
            Some("title") => intake.set_title(&text(field).await?),
            Some("batch") => intake.go_on_with(&text(field).await?).await?,
            Some("files") => {
                if !verified {
                    return Err(WebError::Forged);
                }
                intake.require_room()?;
                if let Err(error) = intake.take(field).await? {
                    return Err(broken(intake, &error).await);
                }
            }
            _ => {}
        }
    }
    intake.finish().await
}

/// A label that this clearance may give.
pub(crate) fn label(text: &str, clearance: Clearance) -> Result<Label, WebError> {
    let given = text.parse::<Label>().map_err(WebError::Invalid)?;
    if clearance.covers(given) {
        Ok(given)
    } else {
        Err(WebError::Invalid("this label is above your own clearance".to_owned()))
    }
}

/// The text of a field that is no file.
pub(crate) async fn text(mut field: Field<'_>) -> Result<String, WebError> {
    let mut bytes = Vec::new();
    let unreadable = || WebError::Invalid("the form could not be read; send it again".to_owned());
    while let Some(chunk) = field.chunk().await.map_err(|_| unreadable())? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > FIELD_BYTES {
            return Err(unreadable());
        }
    }
    String::from_utf8(bytes).map_err(|_| unreadable())
}

/// The connection broke: what had arrived whole is taken in all the same.
pub(crate) async fn broken(intake: Intake<'_>, error: &MultipartError) -> WebError {
    tracing::info!(%error, "an upload broke off");
    match intake.finish().await {
        Ok(received) => {
            let files = received.queued + received.unchanged + received.known;
            WebError::Invalid(format!("the upload broke off after {files} files; send the rest again"))
        }
        Err(error) => error,
    }
}

/// What came of an upload, for a script or a program.
pub(crate) fn told(received: &Received) -> Value {
    let files: Vec<Value> = received
        .files
        .iter()
        .map(|(source, outcome)| {
            let (known_as, reason) = match outcome {
                FileOutcome::Known(name) => (name.as_deref(), None),
                FileOutcome::Failed(reason) => (None, Some(reason.as_str())),
                FileOutcome::Queued | FileOutcome::Unchanged => (None, None),
            };
            json!({ "source": source, "state": outcome.as_str(), "known_as": known_as, "reason": reason })
        })
        .collect();
    json!({
        "batch": received.batch.map(|batch| batch.to_string()),
        "queued": received.queued,
        "unchanged": received.unchanged,
        "known": received.known,
        "failed": received.failed,
        "files": files,
    })
}

/// What came of an upload, for a person: the plain cases on the collection's own page, all others on one of theirs.
fn shown(app: &App, reader: &Reader, collection: Collection, received: Received) -> Result<Response, WebError> {
    let said = match (received.queued, received.unchanged, received.known + received.failed) {
        (0, 0, 0) => return Err(WebError::Invalid("no file was chosen".to_owned())),
        (_, 0, 0) => Some("uploaded"),
        (0, _, 0) => Some("unchanged"),
        _ => None,
    };
    if let Some(said) = said {
        return Ok(Redirect::to(&format!("/collections/{}?said={said}", collection.id)).into_response());
    }
    let nothing = received.queued + received.unchanged + received.known == 0;
    let files = received.files.into_iter().filter(|(_, outcome)| *outcome != FileOutcome::Queued);
    let shown = page(&UploadedPage {
        chrome: reader.chrome(app, "Upload", Nav::Library),
        collection_id: collection.id.to_string(),
        collection: collection.name,
        batch: received.batch.map(|batch| batch.to_string()),
        queued: received.queued,
        unchanged: received.unchanged,
        known: received.known,
        failed: received.failed,
        files: files.take(LISTED).collect(),
    })?;
    Ok(if nothing { (StatusCode::BAD_REQUEST, shown).into_response() } else { shown })
}
