//! Uploading documents.

use crate::app::App;
use crate::error::WebError;
use crate::routes::collection::find;
use crate::session::{Reader, verify_csrf};
use axum::extract::{Multipart, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::{BatchId, Label, Permission};
use ingest::{Incoming, Origin, Staged};

/// `POST /collections/{id}/documents`
pub(crate) async fn post(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    mut form: Multipart,
) -> Result<Response, WebError> {
    let (collection, _) = find(&app, &reader, &id, Permission::Write).await?;
    let mut verified = false;
    let mut label: Option<Label> = None;
    let (mut queued, mut unchanged) = (0_u32, 0_u32);
    let batch = BatchId::new(app.store.environment());
    while let Some(field) = form.next_field().await.map_err(|error| unreadable(&app, &error))? {
        match field.name() {
            Some("csrf") => {
                let token = field.text().await.map_err(|error| unreadable(&app, &error))?;
                verify_csrf(&reader, &token)?;
                verified = true;
            }
            Some("label") => {
                let text = field.text().await.map_err(|error| unreadable(&app, &error))?;
                let given = text.parse::<Label>().map_err(WebError::Invalid)?;
                if !reader.who.principal.user.clearance.covers(given) {
                    return Err(WebError::Invalid("this label is above your own clearance".to_owned()));
                }
                label = Some(given);
            }
            Some("files") => {
                if !verified {
                    return Err(WebError::Forged);
                }
                let Some(name) = field.file_name().map(clean_name).filter(|name| !name.is_empty()) else { continue };
                let bytes = field.bytes().await.map_err(|error| unreadable(&app, &error))?;
                let origin = Origin { label, batch: Some(batch), ..Origin::of(&collection) };
                let file = Incoming::new(name, bytes.to_vec());
                match app.stage.submit(&origin, file, &reader.actor(), reader.operation).await? {
                    Staged::Queued(..) => queued += 1,
                    Staged::Unchanged(_) | Staged::Duplicate(_) => unchanged += 1,
                }
            }
            _ => {}
        }
    }
    let said = match (queued, unchanged) {
        (0, 0) => return Err(WebError::Invalid("no file was chosen".to_owned())),
        (0, _) => "unchanged",
        _ => "uploaded",
    };
    Ok(Redirect::to(&format!("/collections/{}?said={said}", collection.id)).into_response())
}

/// The name without what some browsers put before it, and without what no name should have.
fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    last.chars().filter(|c| !c.is_control()).take(200).collect::<String>().trim().to_owned()
}

fn unreadable(app: &App, error: &axum::extract::multipart::MultipartError) -> WebError {
    if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        let largest = crate::show::size(app.stage.largest_file());
        return WebError::TooLarge(format!("the file is larger than the {largest} that are taken in"));
    }
    WebError::Invalid("the upload broke off; send it again".to_owned())
}
