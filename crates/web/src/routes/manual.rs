//! The manual of the appliance, for those who run it and those who audit it.

use crate::app::App;
use crate::error::WebError;
use crate::manual::Page;
use crate::session::Reader;
use crate::show::page;
use crate::views::{ManualLink, ManualPage, Nav};
use axum::extract::{Path, State};
use axum::response::Response;
use domain::Role;

const ROLES: [Role; 2] = [Role::Admin, Role::Auditor];

/// `GET /manual`
pub(crate) async fn index(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    reader.require(&app, &ROLES, "/manual").await?;
    shown(&app, &reader, Page::index())
}

/// `GET /manual/{name}`
pub(crate) async fn get(
    State(app): State<App>,
    reader: Reader,
    Path(name): Path<String>,
) -> Result<Response, WebError> {
    reader.require(&app, &ROLES, "/manual").await?;
    shown(&app, &reader, Page::named(&name).ok_or(WebError::NotFound)?)
}

fn shown(app: &App, reader: &Reader, read: Page) -> Result<Response, WebError> {
    let rendered = read.rendered();
    let pages = Page::all();
    let at = pages.iter().position(|page| *page == read);
    let link = |page: &Page| ManualLink { href: page.address(), text: page.title(), current: *page == read };
    // After the index comes the first page.
    let next = pages.get(at.map_or(0, |at| at + 1));
    page(&ManualPage {
        chrome: reader.chrome(app, read.title(), Nav::None),
        title: read.title(),
        is_index: at.is_none(),
        body: rendered.html,
        parts: rendered.parts,
        pages: pages.iter().map(link).collect(),
        previous: at.and_then(|at| at.checked_sub(1)).and_then(|at| pages.get(at)).map(link),
        next: next.map(link),
    })
}
