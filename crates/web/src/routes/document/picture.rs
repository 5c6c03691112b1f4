//! A page of a document as it looks.

use super::Wanted;
use super::open::{Recorded, open};
use crate::app::App;
use crate::asked::Asked;
use crate::error::WebError;
use crate::session::Reader;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingest::Pages;

/// Browsers keep a picture, but ask each time whether the person may still see it.
const ASK_AGAIN: &str = "private, no-cache";

/// `GET /documents/{id}/pages/{page}.png?version=&width=`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Path((id, file)): Path<(String, String)>,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let page: u32 = file.strip_suffix(".png").and_then(|page| page.parse().ok()).ok_or(WebError::NotFound)?;
    let opened = open(&app, &reader, &id, &wanted, Recorded::OncePerView).await?;
    let version = opened.version.as_ref().ok_or(WebError::NotFound)?;
    let width = Pages::width_for(wanted.width.unwrap_or(Pages::WIDTHS[1]));
    // The same bytes, page and width give the same picture, as long as the same program draws it.
    let tag = format!("\"{}-{page}-{width}-{}\"", version.content, env!("CARGO_PKG_VERSION"));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let tags = [
        (header::CACHE_CONTROL, HeaderValue::from_static(ASK_AGAIN)),
        (header::ETAG, HeaderValue::from_str(&tag).map_err(WebError::internal)?),
    ];
    if known.is_some_and(|known| known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)) {
        return Ok((StatusCode::NOT_MODIFIED, tags).into_response());
    }
    let picture = app.pages.draw(version.content, &version.media_type, page, width).await?;
    Ok(([(header::CONTENT_TYPE, "image/png")], tags, picture.png.clone()).into_response())
}
