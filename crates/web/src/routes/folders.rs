//! Watched folders: for admins, and for curators as far as they manage the collection that a folder fills.

use crate::app::App;
use crate::error::WebError;
use crate::session::{Posted, Reader};
use crate::show::{grouped, moment, page};
use crate::views::{ConfirmPage, FolderRow, FoldersPage, Nav};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use domain::{Collection, CollectionId, FolderId, Label, Permission, Role};
use storage::{Folder, Found, Removal};

const PAGE: &str = "/folders";

/// `GET /folders`
pub(crate) async fn get(State(app): State<App>, reader: Reader) -> Result<Response, WebError> {
    let managed = managed(&app, &reader).await?;
    let name = |id: CollectionId| managed.iter().find(|known| known.id == id).map(|known| known.name.clone());
    let folders = app.store.folders().await?.into_iter();
    let rows = folders.filter_map(|folder| {
        let collection = name(folder.collection)?;
        let looking = app.watcher.is_looking(folder.id);
        Some(row(folder, collection, looking))
    });
    let clearance = reader.who.principal.user.clearance;
    page(&FoldersPage {
        chrome: reader.chrome(&app, "Watched folders", Nav::Folders),
        folders: rows.collect(),
        collections: managed.iter().map(|known| (known.id.to_string(), known.name.clone())).collect(),
        labels: Label::ALL.into_iter().filter(|label| clearance.covers(*label)).collect(),
        places: app.site.watch_in.iter().map(|place| place.display().to_string()).collect(),
    })
}

/// `POST /folders`
pub(crate) async fn add(State(app): State<App>, posted: Posted) -> Result<Response, WebError> {
    let Posted { reader, fields } = posted;
    let managed = managed(&app, &reader).await?;
    let wanted: CollectionId = fields.parse("collection")?;
    let collection = managed.iter().find(|known| known.id == wanted).ok_or(WebError::NotFound)?;
    let label = match fields.get("label") {
        "" => None,
        _ => Some(fields.parse::<Label>("label")?),
    };
    let clearance = reader.who.principal.user.clearance;
    if label.is_some_and(|label| !clearance.covers(label)) {
        return Err(WebError::Invalid("this label is above your own clearance".to_owned()));
    }
    let places = Some(app.site.watch_in.as_slice());
    let place = ingest::place(fields.get("path"), places, &app.site.data).map_err(WebError::Invalid)?;
    let folder = Folder {
        id: FolderId::new(app.store.environment()),
        path: place.display().to_string(),
        collection: collection.id,
        label,
        removal: fields.parse::<Removal>("removal")?,
        quarantine: !fields.get("quarantine").is_empty(),
        every: fields.parse("every")?,
        paused: false,
        scanned_at: None,
        found: None,
        problem: None,
        created_at: app.store.environment().now(),
    };
    ingest::add_folder(&app.store, &folder, &reader.actor(), reader.operation).await?;
    Ok(Redirect::to("/folders?said=folder-added").into_response())
}

/// `POST /folders/{id}/pause`
pub(crate) async fn pause(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    set_paused(&app, &id, posted, true).await
}

/// `POST /folders/{id}/resume`
pub(crate) async fn resume(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    set_paused(&app, &id, posted, false).await
}

async fn set_paused(app: &App, id: &str, posted: Posted, paused: bool) -> Result<Response, WebError> {
    let reader = posted.reader;
    let folder = find(app, &reader, id).await?;
    let after = Folder { paused, ..folder.clone() };
    ingest::change_folder(&app.store, &folder, &after, &reader.actor(), reader.operation).await?;
    Ok(Redirect::to("/folders?said=saved").into_response())
}

/// `POST /folders/{id}/look`
pub(crate) async fn look(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Result<Response, WebError> {
    let folder = find(&app, &posted.reader, &id).await?;
    app.watcher.look_now(folder.id);
    Ok(Redirect::to("/folders?said=looking").into_response())
}

/// `GET /folders/{id}/remove`
pub(crate) async fn confirm_remove(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let folder = find(&app, &reader, &id).await?;
    page(&ConfirmPage {
        chrome: reader.chrome(&app, "Remove a watched folder", Nav::Folders),
        question: format!("Watch “{}” no longer?", folder.path),
        consequence: "Its files are left alone, and its documents stay and are found as before. Changes of the files \
                      are not noticed any more."
            .to_owned(),
        action: format!("{PAGE}/{id}/remove"),
        button: "Watch it no longer".to_owned(),
        cancel: PAGE.to_owned(),
        fields: Vec::new(),
        dangerous: false,
    })
}

/// `POST /folders/{id}/remove`
pub(crate) async fn remove(
    State(app): State<App>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, WebError> {
    let reader = posted.reader;
    let folder = find(&app, &reader, &id).await?;
    ingest::remove_folder(&app.store, &folder, &reader.actor(), reader.operation).await?;
    Ok(Redirect::to("/folders?said=folder-removed").into_response())
}

/// The collections whose folders this person may change: all for an admin, for a curator those that are managed.
async fn managed(app: &App, reader: &Reader) -> Result<Vec<Collection>, WebError> {
    reader.require(app, &[Role::Curator, Role::Admin], PAGE).await?;
    let all = app.store.collections().await?;
    if reader.role() == Role::Admin {
        return Ok(all);
    }
    let permissions = reader.permissions(app).await?;
    let manages = |collection: &Collection| permissions.get(&collection.id) >= Some(&Permission::Manage);
    Ok(all.into_iter().filter(manages).collect())
}

/// A folder that this person may change. Any other answers as if it were not there.
async fn find(app: &App, reader: &Reader, id: &str) -> Result<Folder, WebError> {
    let managed = managed(app, reader).await?;
    let id: FolderId = id.parse().map_err(|_| WebError::NotFound)?;
    let folder = app.store.folder(id).await?.ok_or(WebError::NotFound)?;
    if managed.iter().any(|known| known.id == folder.collection) { Ok(folder) } else { Err(WebError::NotFound) }
}

fn row(folder: Folder, collection: String, looking: bool) -> FolderRow {
    FolderRow {
        id: folder.id.to_string(),
        path: folder.path,
        collection,
        label: folder.label,
        removal: match folder.removal {
            Removal::Keep => "kept",
            Removal::Hide => "hidden",
            Removal::Delete => "deleted",
        },
        quarantine: folder.quarantine,
        every: every(folder.every),
        paused: folder.paused,
        looking,
        looked: folder.scanned_at.map(moment),
        found: folder.found.map(|found| counts(&found)),
        problem: folder.problem,
    }
}

fn every(seconds: u32) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds.is_multiple_of(*size)).unwrap_or((1, "second"));
    match seconds / size {
        1 => format!("every {unit}"),
        number => format!("every {number} {unit}s"),
    }
}

fn counts(found: &Found) -> String {
    let mut parts = vec![format!("{} {}", grouped(found.files), if found.files == 1 { "file" } else { "files" })];
    let more = [
        (found.changed, "new or changed"),
        (found.renamed, "renamed"),
        (found.gone, "gone"),
        (found.failed, "not taken in"),
    ];
    parts.extend(more.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", grouped(*n))));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_and_counts_read_well() {
        assert_eq!(
            [90, 300, 3_600, 172_800].map(every),
            ["every 90 seconds", "every 5 minutes", "every hour", "every 2 days"]
        );
        let found = Found { files: 1_204, changed: 3, gone: 1, ..Found::default() };
        assert_eq!(counts(&found), "1,204 files, 3 new or changed, 1 gone");
    }
}
