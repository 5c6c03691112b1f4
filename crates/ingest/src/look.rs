//! Look: one look into a watched folder.

use crate::files::{Tree, tree};
use crate::scan::{Scan, Scanned};
use crate::stage::{Origin, Stage, StageError};
use audit::Actor;
use domain::{BatchId, OperationId};
use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use storage::{Batch, Folder, Removal, StorageError};

/// A file must have been left alone for so long before it is taken: one that is still being copied is not whole.
pub(crate) const QUIET: SignedDuration = SignedDuration::from_secs(2);
/// Failures that a folder's list names; the others are counted.
const NAMED: usize = 3;

/// What a look found.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// What it did.
    pub scanned: Scanned,
    /// The folders in it.
    pub folders: Vec<PathBuf>,
}

/// Why a look did not work. Nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The folder cannot be read.
    #[error("the folder cannot be read, so nothing was changed; is its share mounted? ({0})")]
    Unreadable(std::io::Error),
    /// Its path leads elsewhere now.
    #[error("the folder's path is a link to another place now, so nothing was read; add that place itself")]
    Elsewhere,
    /// Nothing is in it where files were.
    #[error(
        "the folder is empty, where {0} files were known, so nothing was changed; is its share mounted? If the files \
         are meant to be gone, delete their documents"
    )]
    Empty(usize),
    /// The collection is gone.
    #[error("the folder's collection is gone")]
    NoCollection,
    /// The disk or the database refused.
    #[error(transparent)]
    Stage(#[from] StageError),
}

impl From<StorageError> for LookError {
    fn from(error: StorageError) -> Self {
        Self::Stage(error.into())
    }
}

/// Which files were seen too freshly changed to be taken, and since when they are as they are.
#[derive(Debug, Clone, Default)]
pub struct Fresh {
    since: HashMap<String, (u64, Timestamp, Timestamp)>,
}

impl Fresh {
    /// The sources of `tree` that are to be left for later. Those changed less than [`QUIET`] ago; where a clock is ahead
    /// of ours, as on a share, those that were not seen the same for as long.
    pub(crate) fn of(&mut self, tree: &Tree, now: Timestamp) -> HashSet<String> {
        let quiet_since = now.saturating_sub(QUIET).unwrap_or(now);
        let mut since = HashMap::new();
        for file in tree.files.iter().filter(|file| file.modified_at > quiet_since) {
            let before = self.since.get(&file.source);
            let same = before.filter(|(size, at, _)| (*size, *at) == (file.size_bytes, file.modified_at));
            let first = same.map_or(now, |(.., first)| *first);
            if first > quiet_since {
                since.insert(file.source.clone(), (file.size_bytes, file.modified_at, first));
            }
        }
        self.since = since;
        self.since.keys().cloned().collect()
    }
}

/// Looks into `folder` once, takes in what changed, and notes what was found or what was wrong. Files that are being
/// written are left for the next look with the same `fresh`.
///
/// # Errors
/// [`LookError`], which stands in the folder's list as well.
pub async fn look(
    stage: &Stage,
    folder: &Folder,
    fresh: &mut Fresh,
    actor: &Actor,
    operation: OperationId,
) -> Result<Looked, LookError> {
    let looked = scan(stage, folder, fresh, actor, operation).await;
    let mut act = stage.store().begin().await?;
    let noted = match &looked {
        Ok(looked) => {
            let noted = act.note_scan(folder.id, Ok(looked.scanned.found)).await;
            match (noted, failures(&looked.scanned.failed)) {
                (Ok(()), Some(sentence)) => act.note_scan(folder.id, Err(sentence)).await,
                (noted, _) => noted,
            }
        }
        Err(error) => act.note_scan(folder.id, Err(error.to_string())).await,
    };
    match noted {
        Ok(()) => act.commit_housekeeping().await?,
        // Removed meanwhile: there is nowhere to note it.
        Err(StorageError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    looked
}

async fn scan(
    stage: &Stage,
    folder: &Folder,
    fresh: &mut Fresh,
    actor: &Actor,
    operation: OperationId,
) -> Result<Looked, LookError> {
    let store = stage.store();
    let begun = store.environment().now();
    let path = PathBuf::from(&folder.path);
    let found = tokio::task::spawn_blocking(move || {
        let real = path.canonicalize().map_err(LookError::Unreadable)?;
        if real != path {
            return Err(LookError::Elsewhere);
        }
        tree(&[path]).map_err(LookError::Unreadable)
    });
    let tree = found.await.map_err(|error| LookError::Unreadable(std::io::Error::other(error)))??;
    let collection = store.collection(folder.collection).await?.ok_or(LookError::NoCollection)?;
    if tree.files.is_empty() && folder.removal != Removal::Keep {
        let known = store.known_sources(collection.id, Some(folder.id)).await?;
        let known = known.iter().filter(|known| !known.hidden).count();
        if known > 0 {
            return Err(LookError::Empty(known));
        }
    }
    let batch = Batch {
        id: BatchId::new(store.environment()),
        title: folder.path.clone(),
        collection: collection.id,
        unchanged: 0,
        submitted_by: actor.user,
        submitted_by_name: actor.name.clone(),
        created_at: begun,
    };
    let origin = Origin {
        collection: &collection,
        label: folder.label,
        batch: Some(batch.id),
        folder: Some(folder.id),
        held: folder.quarantine,
        scope: None,
    };
    let scan = Scan { later: fresh.of(&tree, begun), batch: Some(batch), dry: false, tree };
    let mut scanned = stage.take_in_changes(&origin, &scan, folder.removal, actor, operation, |_| {}).await?;
    let millis = store.environment().now().duration_since(begun).as_millis();
    scanned.found.millis = u64::try_from(millis).unwrap_or_default();
    Ok(Looked { scanned, folders: scan.tree.folders })
}

/// What could not be taken in, in one sentence.
fn failures(failed: &[(String, String)]) -> Option<String> {
    let named: Vec<String> = failed.iter().take(NAMED).map(|(source, reason)| format!("{source}: {reason}")).collect();
    let more = failed.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    (!failed.is_empty()).then(|| format!("not taken in: {}{more}", named.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::FileSeen;

    #[test]
    fn a_file_is_fresh_until_it_was_left_alone() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let tree = |size_bytes, second| Tree {
            files: vec![FileSeen {
                source: "a.txt".to_owned(),
                path: PathBuf::from("/a.txt"),
                size_bytes,
                modified_at: at(second),
            }],
            ..Tree::default()
        };
        let mut fresh = Fresh::default();
        assert_eq!(fresh.of(&tree(1, 100), at(101)).len(), 1);
        assert_eq!(fresh.of(&tree(2, 101), at(102)).len(), 1, "it grew");
        assert!(fresh.of(&tree(2, 101), at(103)).is_empty());
        assert_eq!(fresh.of(&tree(2, 500), at(104)).len(), 1, "a clock that is ahead");
        assert_eq!(fresh.of(&tree(3, 500), at(105)).len(), 1);
        assert_eq!(fresh.of(&tree(3, 500), at(106)).len(), 1);
        assert!(fresh.of(&tree(3, 500), at(107)).is_empty());
    }
}
