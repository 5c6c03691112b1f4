//! What a server does about files on its own: the drop folder of the configuration, and keeping the content store tidy.

use crate::site::{Failure, Site};
use ::audit::Actor;
use domain::FolderId;
use ingest::{ContentStore, FolderError, Pages};
use std::time::Duration;
use storage::{Folder, Removal, Store};
use tokio_util::sync::CancellationToken;

/// Between two sweeps of the content store.
const SWEEP_EVERY: Duration = Duration::from_secs(6 * 60 * 60);
/// Between two looks for pictures of pages that nobody may want any more.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// Seconds between two looks into the drop folder.
const DROP_EVERY: u32 = 60;

/// Has the drop folder of the configuration watched. What is wrong with it is logged: a missing folder must not keep a
/// server from starting.
pub(crate) async fn watch_drop_folder(site: &Site) -> Result<(), Failure> {
    let sources = site.sources();
    let Some(path) = &sources.drop else { return Ok(()) };
    let place = match ingest::place(&path.to_string_lossy(), None, &site.data) {
        Ok(place) => place.display().to_string(),
        Err(reason) => {
            tracing::warn!(%reason, "the drop folder cannot be watched");
            return Ok(());
        }
    };
    let name = &sources.drop_collection;
    let Some(collection) = site.store.collection_by_name(name).await? else {
        let advice = "name a collection that is there as sources.drop_collection";
        tracing::warn!(collection = name, advice, "the drop folder is not watched: there is no such collection");
        return Ok(());
    };
    let same = |folder: &Folder| folder.path == place && folder.collection == collection.id;
    if site.store.folders().await?.iter().any(same) {
        return Ok(());
    }
    let folder = Folder {
        id: FolderId::new(site.store.environment()),
        path: place,
        collection: collection.id,
        label: None,
        // Media are taken away again: that says nothing of the documents.
        removal: Removal::Keep,
        quarantine: true,
        every: DROP_EVERY,
        paused: false,
        scanned_at: None,
        found: None,
        problem: None,
        created_at: site.store.environment().now(),
    };
    match ingest::add_folder(&site.store, &folder, &Actor::system(), site.operation()).await {
        Ok(()) => Ok(()),
        Err(FolderError::Refused(reason)) => {
            tracing::warn!(%reason, "the drop folder is not watched");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes what nothing needs from the content store, now and at intervals, until `stop` is cancelled.
pub(crate) async fn sweep(store: Store, content: ContentStore, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match ingest::sweep(&store, &content).await {
            Ok(swept) if swept.unused + swept.partial > 0 => {
                let (unused, partial, bytes) = (swept.unused, swept.partial, swept.bytes);
                tracing::info!(unused, partial, bytes, "originals that nothing needs were removed");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "originals that nothing needs were not removed"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
    }
}

/// Lets go of pictures of pages whose documents are gone, by whatever way they went, until `stop` is cancelled.
pub(crate) async fn tidy(pages: Pages, store: Store, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = pages.tidy(&store).await {
            tracing::warn!(%error, "pictures of pages were not tidied");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(TIDY_EVERY) => {}
        }
    }
}
