//! Free space of a disk.

use super::error::{BackupError, at};
use std::path::Path;

/// What stays free for others.
const RESERVE: u64 = 64 << 20;

/// Refuses if the disk of `folder` has no room for `bytes` more.
pub(super) fn require(folder: &Path, bytes: u64) -> Result<(), BackupError> {
    let disk = rustix::fs::statvfs(folder).map_err(|error| at(folder)(error.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if bytes == 0 || free >= bytes.saturating_add(RESERVE) {
        return Ok(());
    }
    Err(BackupError::NoSpace { path: folder.to_owned(), free_mb: free >> 20, needed_mb: bytes.div_ceil(1 << 20) })
}
