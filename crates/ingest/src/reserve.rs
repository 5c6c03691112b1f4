//! Reserve: room on the disk that taking in leaves to what must go on: the audit log, sessions, answers, backups.
//!
//! Whoever takes in stops first, and goes on by itself when there is room again. What was taken away, hidden or
//! narrowed still reaches the index meanwhile: that makes nothing larger, and rights must not wait for a disk.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So many bytes stay free on the disk of a folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reserve {
    folder: Arc<Path>,
    bytes: u64,
}

/// There is less room than is to stay free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Short {
    /// Free bytes.
    pub free: u64,
    /// Bytes that are to stay free.
    pub reserve: u64,
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: u64| bytes / 1_000_000;
        write!(
            f,
            "the disk has {} MB free, and {} MB are kept for reading, asking and the audit log: nothing more is taken \
             in, and nothing was lost; an admin has to make room, then it goes on by itself",
            megabytes(self.free),
            megabytes(self.reserve)
        )
    }
}

impl Reserve {
    /// `bytes` on the disk that `folder` is on.
    #[must_use]
    pub fn new(folder: PathBuf, bytes: u64) -> Self {
        Self { folder: folder.into(), bytes }
    }

    /// Nothing is kept free.
    #[must_use]
    pub fn none() -> Self {
        Self::new(PathBuf::new(), 0)
    }

    /// Bytes that are to stay free.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Goes on only if the reserve stays whole when `more` bytes are written. A disk that does not say how much is free
    /// says so itself when it is full.
    ///
    /// # Errors
    /// [`Short`].
    pub fn require(&self, more: u64) -> Result<(), Short> {
        if self.bytes == 0 {
            return Ok(());
        }
        let Ok(disk) = rustix::fs::statvfs(&*self.folder) else { return Ok(()) };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        match free < self.bytes.saturating_add(more) {
            true => Err(Short { free, reserve: self.bytes }),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_any_disk_has_is_short_and_nothing_never_is() {
        let folder = tempfile::tempdir().unwrap();
        let all = Reserve::new(folder.path().to_owned(), u64::MAX);
        let short = all.require(0).unwrap_err();
        assert!(short.to_string().contains("goes on by itself"), "{short}");
        assert_eq!(Reserve::new(folder.path().to_owned(), 1).require(0), Ok(()));
        assert!(Reserve::new(folder.path().to_owned(), 1).require(u64::MAX).is_err(), "what is to come counts");
        assert_eq!(Reserve::none().require(u64::MAX), Ok(()));
    }
}
