//! Why a backup could not be made or read.

use std::io;
use std::path::{Path, PathBuf};

/// What went wrong, for the admin who wants the backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is not enough space for what has to be written. Nothing was.
    #[error("{} has {free_mb} MB free, and the backup needs {needed_mb} MB more; make space or take a larger disk", path.display())]
    NoSpace {
        /// The disk's folder.
        path: PathBuf,
        /// What is free there.
        free_mb: u64,
        /// What would be written.
        needed_mb: u64,
    },
    /// The folder is the backup of another appliance.
    #[error("{} holds the backups of another appliance; use another folder", .0.display())]
    Foreign(PathBuf),
    /// The folder holds no backups.
    #[error("there are no backups in {}", .0.display())]
    NotAVault(PathBuf),
    /// The vault was written by a later release.
    #[error("{} was written by a newer release; update first", .0.display())]
    Newer(PathBuf),
    /// Another process writes to the vault.
    #[error("another backup is being written to {}; wait for its end", .0.display())]
    InUse(PathBuf),
    /// There is no such snapshot.
    #[error("there is no backup '{0}' there; 'carrel backup list' shows them")]
    NoSuchSnapshot(String),
    /// The key file holds no key.
    #[error("{} holds no backup key; it begins with AGE-SECRET-KEY-1", .0.display())]
    NotAKey(PathBuf),
    /// Nobody has made a key yet.
    #[error(
        "there is no backup key yet; 'carrel backup key --output FILE' makes one, and FILE is to be kept away from this machine"
    )]
    NoKey,
    /// The data was encrypted for another key, or was altered.
    #[error("{} cannot be decrypted: the key is another one, or the file was altered ({reason})", path.display())]
    Sealed {
        /// The file in the vault.
        path: PathBuf,
        /// What the decryption said.
        reason: String,
    },
    /// A stored file is not what the snapshot says.
    #[error("'{file}' in the backup is damaged; take an earlier backup, or another copy of this one")]
    Damaged {
        /// The file's path in the data directory.
        file: String,
    },
    /// A snapshot names a place outside of the data directory.
    #[error("the backup names '{0}', which is no place in a data directory; it was not made by this product")]
    Outside(String),
    /// The data directory to restore into is not empty.
    #[error("{} is not empty; restore into a new folder, or with --replace in place of what is there", .0.display())]
    NotEmpty(PathBuf),
    /// The database in the backup is not sound.
    #[error("the database in the backup is not sound: {0}")]
    Unsound(String),
    /// The database could not be read.
    #[error(transparent)]
    Storage(#[from] storage::StorageError),
    /// The working thread was lost.
    #[error("the backup was interrupted")]
    Interrupted,
}

/// Puts the path beside what the system said.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    move |source| BackupError::File { path: path.to_owned(), source }
}
