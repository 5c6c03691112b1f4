//! The library: the collections that a person may read.

use crate::app::App;
use crate::error::WebError;
use crate::session::{Acting, Reader, permissions_of, scope_of};
use crate::show::{day, page};
use crate::views::{CollectionCard, LibraryPage, Nav};
use axum::extract::State;
use axum::response::Response;
use domain::{Collection, Permission, Role};
use jiff::Timestamp;
use storage::Page;

/// A collection as one person sees it.
pub(crate) struct Shelf {
    pub(crate) collection: Collection,
    pub(crate) permission: Permission,
    /// Documents that the person may read, and how many of these are found by their words alone so far.
    pub(crate) documents: u64,
    pub(crate) unembedded: u64,
    /// When the newest of them came.
    pub(crate) updated: Option<Timestamp>,
}

/// `GET /library`
pub(crate) async fn get(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    let collections = shelves(&app, &reader).await?.into_iter().map(|shelf| CollectionCard {
        id: shelf.collection.id.to_string(),
        name: shelf.collection.name,
        description: shelf.collection.description,
        documents: shelf.documents,
        unembedded: shelf.unembedded,
        permission: shelf.permission,
        default_label: shelf.collection.default_label,
        updated: shelf.updated.map(day),
    });
    page(&LibraryPage {
        chrome: reader.chrome(&app, "Library", Nav::Library),
        collections: collections.collect(),
        may_create: reader.role() == Role::Admin,
    })
}

/// The collections that were granted to this person, by name.
pub(crate) async fn shelves(app: &App, caller: &impl Acting) -> Result<Vec<Shelf>, WebError> {
    let scope = scope_of(app, caller).await?;
    let permissions = permissions_of(app, caller).await?;
    let mut shelves = Vec::new();
    for collection in app.store.collections().await? {
        let Some(permission) = permissions.get(&collection.id).copied() else { continue };
        let newest = app.store.documents_newest(&scope, collection.id, Page { offset: 0, limit: 1 }).await?;
        shelves.push(Shelf {
            permission,
            documents: app.store.document_count(&scope, Some(collection.id)).await?,
            unembedded: app.store.unembedded_within(&scope, Some(collection.id)).await?,
            updated: newest.first().map(|document| document.updated_at),
            collection,
        });
    }
    Ok(shelves)
}
