//! Sweep: originals that nothing refers to any more, and what a crash left half-written, are removed.
//!
//! A file is stored before anything refers to it, perhaps by another process. So only what nobody stored for some hours
//! is looked at; storing the same bytes again makes them new. The references are read after the list of files is made,
//! and a file is taken out of its place before its age is asked for the last time.

use crate::content::ContentStore;
use domain::ContentHash;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use storage::{StorageError, Store};

/// What was stored within this time is left alone: longer than reading one file may take, for what lies in it is stored
/// as it is found.
const GUARD: SignedDuration = SignedDuration::from_hours(8);

/// What a sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Swept {
    /// Originals that nothing referred to.
    pub unused: u64,
    /// Files that were never finished.
    pub partial: u64,
    /// Bytes of both.
    pub bytes: u64,
}

/// Why a sweep ended early; the next one does the rest.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The database refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The disk refused.
    #[error("the content store cannot be swept: {0}")]
    Disk(#[from] io::Error),
}

/// Removes from `content` what `store` does not need.
///
/// # Errors
/// [`SweepError`].
pub async fn sweep(store: &Store, content: &ContentStore) -> Result<Swept, SweepError> {
    let before = store.environment().now().saturating_sub(GUARD).unwrap_or_default();
    let directory = content.directory().to_owned();
    let interrupted = |_| io::Error::other("sweeping was interrupted");
    let found = tokio::task::spawn_blocking(move || list(&directory, before)).await.map_err(interrupted)??;
    if found.is_empty() {
        return Ok(Swept::default());
    }
    let needed = store.contents_in_use().await?;
    Ok(tokio::task::spawn_blocking(move || remove(&found, &needed, before)).await.map_err(interrupted)??)
}

/// A file of the store, and the hash that its name stands for; none if it is not an original.
type Stored = (PathBuf, Option<ContentHash>);

fn list(directory: &Path, before: Timestamp) -> io::Result<Vec<Stored>> {
    let mut found = Vec::new();
    for folder in fs::read_dir(directory)? {
        let folder = folder?;
        if !folder.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder.path())? {
            let path = file?.path();
            if is_older(&path, before)? {
                let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
                let text = name(&folder.path()).zip(name(&path)).map(|(start, rest)| start + &rest);
                found.push((path, text.and_then(|text| text.parse().ok())));
            }
        }
    }
    Ok(found)
}

fn remove(found: &[Stored], needed: &HashSet<ContentHash>, before: Timestamp) -> io::Result<Swept> {
    let mut swept = Swept::default();
    for (path, hash) in found {
        let bytes = fs::metadata(path).map(|found| found.len()).unwrap_or_default();
        match hash {
            Some(hash) if needed.contains(hash) => continue,
            Some(_) => {
                let aside = path.with_extension("unused");
                fs::rename(path, &aside)?;
                if !is_older(&aside, before)? {
                    // Somebody stored these bytes a moment ago and will refer to them.
                    fs::rename(&aside, path)?;
                    continue;
                }
                fs::remove_file(&aside)?;
                swept.unused += 1;
            }
            None => {
                fs::remove_file(path)?;
                swept.partial += 1;
            }
        }
        swept.bytes += bytes;
    }
    Ok(swept)
}

/// Whether a file was written before that moment; not if it is gone.
fn is_older(path: &Path, before: Timestamp) -> io::Result<bool> {
    match fs::metadata(path).and_then(|found| found.modified()) {
        Ok(modified) => Ok(Timestamp::try_from(modified).is_ok_and(|modified| modified < before)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_or_needed_stays() {
        let directory = tempfile::tempdir().unwrap();
        let store = ContentStore::open(directory.path()).unwrap();
        let [needed, unused, stored_again] = [b"needed".as_slice(), b"unused", b"again"].map(|b| store.put(b).unwrap());
        let partial = store.path(&unused).with_extension("partial-1-1");
        fs::write(&partial, "half").unwrap();
        let past = Timestamp::from_second(1).unwrap();
        assert!(list(directory.path(), past).unwrap().is_empty(), "all of it is newer");
        let future = Timestamp::MAX;
        let found = list(directory.path(), future).unwrap();
        assert_eq!(found.len(), 4);
        assert_eq!(remove(&found, &HashSet::new(), past).unwrap(), Swept { partial: 1, bytes: 4, unused: 0 });
        assert_eq!(store.get(&unused).unwrap(), b"unused", "put back");

        let found = list(directory.path(), future).unwrap();
        let swept = remove(&found, &HashSet::from([needed, stored_again]), future).unwrap();
        assert_eq!(swept, Swept { unused: 1, partial: 0, bytes: 6 });
        assert!(store.get(&unused).is_err());
        assert_eq!(store.get(&needed).unwrap(), b"needed");
    }

    #[test]
    fn storing_again_makes_new() {
        let directory = tempfile::tempdir().unwrap();
        let store = ContentStore::open(directory.path()).unwrap();
        let hash = store.put(b"minutes").unwrap();
        let path = store.path(&hash);
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        fs::File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        let before = Timestamp::from_second(2_000_000).unwrap();
        assert!(is_older(&path, before).unwrap());
        store.put(b"minutes").unwrap();
        assert!(!is_older(&path, before).unwrap());
    }
}
