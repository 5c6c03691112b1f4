//! One process at a time writes the index of a data directory.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// Held as long as it lives; the operating system releases it if the process dies.
pub(crate) struct IndexLock {
    _file: File,
}

impl IndexLock {
    /// The lock of `data`, or `None` if another process holds it.
    pub(crate) fn acquire(data: &Path) -> io::Result<Option<Self>> {
        std::fs::create_dir_all(data)?;
        let file = File::options().create(true).truncate(false).write(true).open(data.join("index.lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether another process holds the lock of `data`. Makes nothing.
    pub(crate) fn is_taken(data: &Path) -> bool {
        let file = File::options().read(true).write(true).open(data.join("index.lock"));
        file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_waits_its_turn() {
        let data = tempfile::tempdir().unwrap();
        assert!(!IndexLock::is_taken(data.path()));
        assert!(!data.path().join("index.lock").exists(), "looking makes nothing");
        let first = IndexLock::acquire(data.path()).unwrap();
        assert!(first.is_some());
        assert!(IndexLock::acquire(data.path()).unwrap().is_none());
        assert!(IndexLock::is_taken(data.path()));
        drop(first);
        assert!(IndexLock::acquire(data.path()).unwrap().is_some());
    }
}
