//! The library: the collections that a person may read.

use crate::app::App;
use crate::error::WebError;
use crate::session::Reader;
use crate::show::{day, page};
use crate::views::{CollectionCard, LibraryPage, Nav};
use axum::extract::State;
use axum::response::Response;
use domain::Role;
use storage::Page;

/// `GET /library`
pub(crate) async fn get(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    let scope = reader.scope(&app).await?;
    let permissions = reader.permissions(&app).await?;
    let mut collections = Vec::new();
    for collection in app.store.collections().await? {
        let Some(permission) = permissions.get(&collection.id) else { continue };
        let newest = app.store.documents_newest(&scope, collection.id, Page { offset: 0, limit: 1 }).await?;
        collections.push(CollectionCard {
            id: collection.id.to_string(),
            name: collection.name,
            description: collection.description,
            documents: app.store.document_count(&scope, Some(collection.id)).await?,
            unembedded: app.store.unembedded_within(&scope, Some(collection.id)).await?,
            permission: *permission,
            default_label: collection.default_label,
            updated: newest.first().map(|document| day(document.updated_at)),
        });
    }
    page(&LibraryPage {
        chrome: reader.chrome(&app, "Library", Nav::Library),
        collections,
        may_create: reader.role() == Role::Admin,
    })
}
