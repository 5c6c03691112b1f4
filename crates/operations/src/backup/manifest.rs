//! What a snapshot holds.

use super::error::BackupError;
use domain::ContentHash;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Component, Path, PathBuf};

/// The list of files of one moment; encrypted in the vault, like the files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The release that made it.
    pub release: String,
    /// When the database was copied.
    pub made_at: Timestamp,
    /// Events in the audit log at that moment, and the hash of the last: what the restored chain must end with.
    pub audit: Option<(u64, String)>,
    /// Originals that the database names and that were not there when it was made.
    pub missing: Vec<ContentHash>,
    /// The files.
    pub files: Vec<Entry>,
}

/// A file of the data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path in the data directory, with `/`.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// BLAKE3 of its bytes.
    pub hash: ContentHash,
    /// The object in the vault that holds it.
    pub object: String,
}

impl Entry {
    /// Where it belongs below `directory`.
    pub(super) fn place(&self, directory: &Path) -> Result<PathBuf, BackupError> {
        let inside = |component| matches!(component, Component::Normal(_));
        let path = Path::new(&self.path);
        if self.path.is_empty() || !path.components().all(inside) {
            return Err(BackupError::Outside(self.path.clone()));
        }
        Ok(directory.join(path))
    }
}

impl Manifest {
    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_belong_into_the_data_directory() {
        let place = |path: &str| {
            let hash = ContentHash::of(b"");
            Entry { path: path.to_owned(), size_bytes: 0, hash, object: String::new() }.place(Path::new("/data"))
        };
        assert_eq!(place("content/ab/cd").unwrap(), Path::new("/data/content/ab/cd"));
        for outside in ["", "/etc/passwd", "../x", "content/../../x", "."] {
            assert!(matches!(place(outside), Err(BackupError::Outside(_))), "{outside}");
        }
    }
}
