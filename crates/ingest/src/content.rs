//! The content store: original files by their BLAKE3 hash, so that equal bytes are stored once.

use domain::ContentHash;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// From so many files on, flushing the file system once is less work than flushing each of them.
const WORTH_A_PASS: usize = 6;

/// Originals on disk as `ab/cdef…`, each written whole or not at all.
#[derive(Debug, Clone)]
pub struct ContentStore {
    directory: PathBuf,
}

/// Why an original could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The disk is full.
    #[error("the disk is full; free some space, nothing was lost")]
    Full,
    /// The original is not in the store.
    #[error("the original file is missing from the content store; restore it from a backup or upload it again")]
    Missing,
    /// Its bytes are not the ones that were stored.
    #[error("the original file was changed on disk; restore it from a backup or upload it again")]
    Altered,
    /// Anything else.
    #[error("the content store cannot be used: {0}")]
    Io(io::Error),
}

impl From<io::Error> for ContentError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Io(error),
        }
    }
}

impl ContentStore {
    /// The store in `directory`, which is made if it is not there.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, ContentError> {
        let directory = directory.into();
        fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    /// Stores `bytes` durably and gives their hash. Storing the same bytes again changes nothing.
    ///
    /// # Errors
    /// A full or failing disk; then nothing is left behind under the hash.
    pub fn put(&self, bytes: &[u8]) -> Result<ContentHash, ContentError> {
        let hash = ContentHash::of(bytes);
        let path = self.path(&hash);
        if is_there(&path, bytes) {
            return Ok(hash);
        }
        let folder = path.parent().unwrap_or(&self.directory);
        fs::create_dir_all(folder)?;
        let partial = partial_of(&path);
        let written = write_durably(&partial, bytes).and_then(|()| fs::rename(&partial, &path));
        if let Err(error) = written {
            let _ = fs::remove_file(&partial);
            return Err(error.into());
        }
        File::open(folder)?.sync_all()?;
        Ok(hash)
    }

    /// As [`ContentStore::put`] for several files, with one pass over the disk for all of them.
    ///
    /// # Errors
    /// As for one; then some of them may be stored.
    pub fn put_all(&self, files: &[&[u8]]) -> Result<Vec<ContentHash>, ContentError> {
        if files.len() < WORTH_A_PASS {
            return files.iter().map(|bytes| self.put(bytes)).collect();
        }
        let mut partials: Vec<(PathBuf, PathBuf)> = Vec::new();
        let written = files.iter().map(|bytes| {
            let hash = ContentHash::of(bytes);
            let path = self.path(&hash);
            let partial = partial_of(&path);
            if !is_there(&path, bytes) && !partials.iter().any(|(_, known)| *known == path) {
                fs::create_dir_all(path.parent().unwrap_or(&self.directory))?;
                partials.push((partial.clone(), path));
                fs::write(&partial, bytes)?;
            }
            Ok(hash)
        });
        let hashes: Result<Vec<ContentHash>, io::Error> = written.collect();
        let stored = hashes.and_then(|hashes| {
            // Bytes before names: a name must never stand for bytes that a power cut can still take away.
            self.sync()?;
            partials.iter().try_for_each(|(partial, path)| fs::rename(partial, path))?;
            self.sync()?;
            Ok(hashes)
        });
        if stored.is_err() {
            for (partial, _) in &partials {
                let _ = fs::remove_file(partial);
            }
        }
        Ok(stored?)
    }

    /// Makes everything written to the store's file system durable.
    fn sync(&self) -> io::Result<()> {
        rustix::fs::syncfs(File::open(&self.directory)?)?;
        Ok(())
    }

    /// The bytes behind `hash`, checked.
    ///
    /// # Errors
    /// [`ContentError::Missing`] or [`ContentError::Altered`] when they are not what was stored.
    pub fn get(&self, hash: &ContentHash) -> Result<Vec<u8>, ContentError> {
        let bytes = fs::read(self.path(hash))?;
        if ContentHash::of(&bytes) == *hash { Ok(bytes) } else { Err(ContentError::Altered) }
    }

    /// Removes an original that no document refers to any more.
    ///
    /// # Errors
    /// A failing disk; a missing file is fine.
    pub fn remove(&self, hash: &ContentHash) -> Result<(), ContentError> {
        match fs::remove_file(self.path(hash)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn path(&self, hash: &ContentHash) -> PathBuf {
        let name = hash.to_string();
        self.directory.join(&name[..2]).join(&name[2..])
    }
}

/// Whether these bytes are stored already. Then they count as stored just now, so that a sweep that runs meanwhile
/// leaves them to whoever is about to refer to them.
fn is_there(path: &Path, bytes: &[u8]) -> bool {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, utimensat};
    let at = |tv_nsec| Timespec { tv_sec: 0, tv_nsec: tv_nsec as _ };
    let now = Timestamps { last_access: at(UTIME_OMIT), last_modification: at(UTIME_NOW) };
    holds(path, bytes).unwrap_or(false) && utimensat(CWD, path, &now, AtFlags::empty()).is_ok()
}

/// Whether the file holds exactly these bytes: what went bad on the disk is not there, and is written again.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() != bytes.len() as u64 {
        return Ok(false);
    }
    let mut block = [0; 16 << 10];
    for expected in bytes.chunks(block.len()) {
        let found = &mut block[..expected.len()];
        file.read_exact(found)?;
        if found != expected {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A name to write under until all bytes are there; no two writers share one, not even for equal bytes.
fn partial_of(path: &Path) -> PathBuf {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    path.with_extension(format!("partial-{}-{number}", std::process::id()))
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_stored_like_its_files_one_by_one() {
        let directory = tempfile::tempdir().unwrap();
        let store = ContentStore::open(directory.path()).unwrap();
        let texts: Vec<String> = (0..20).map(|number| format!("note {}", number % 15)).collect();
        let files: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        let hashes = store.put_all(&files).unwrap();
        for (bytes, hash) in files.iter().zip(&hashes) {
            assert_eq!(store.get(hash).unwrap(), *bytes);
            assert_eq!(store.put(bytes).unwrap(), *hash);
        }
        let left =
            fs::read_dir(directory.path()).unwrap().flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
        assert_eq!(left.count(), 15, "nothing half-written is left behind");
    }

    #[test]
    fn equal_bytes_are_stored_once_and_altered_ones_are_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let store = ContentStore::open(directory.path()).unwrap();
        let hash = store.put(b"minutes").unwrap();
        assert_eq!(store.put(b"minutes").unwrap(), hash);
        assert_eq!(store.get(&hash).unwrap(), b"minutes");

        fs::write(store.path(&hash), b"minuter").unwrap();
        assert!(matches!(store.get(&hash), Err(ContentError::Altered)));
        store.put(b"minutes").unwrap();
        assert_eq!(store.get(&hash).unwrap(), b"minutes", "the same file, brought again, repairs it");
        store.remove(&hash).unwrap();
        store.remove(&hash).unwrap();
        assert!(matches!(store.get(&hash), Err(ContentError::Missing)));
    }
}
