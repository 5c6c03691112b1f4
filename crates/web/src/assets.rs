//! Stylesheet, script and icons, embedded in the binary.

use crate::WebError;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../static"]
struct Static;

/// `GET /static/{name}`
pub(crate) async fn get(Path(name): Path<String>) -> Result<Response, WebError> {
    asset(&name)
}

/// `GET /favicon.ico`: browsers ask for it whatever the page says.
pub(crate) async fn favicon() -> Result<Response, WebError> {
    asset("favicon.svg")
}

fn asset(name: &str) -> Result<Response, WebError> {
    let file = Static::get(name).ok_or(WebError::NotFound)?;
    let kind = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    // Names do not change with their contents, so browsers ask again after a while.
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=300")];
    Ok((headers, file.data.into_owned()).into_response())
}
