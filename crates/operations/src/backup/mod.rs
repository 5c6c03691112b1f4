//! Backup: everything of a data directory that cannot be made again, encrypted, in a folder on another disk.
//!
//! A vault holds *objects* (files, each encrypted on its own and stored once) and *snapshots* (lists of the files of one
//! moment). A second backup writes only what the vault lacks. Whoever makes backups needs no secret: objects are
//! encrypted for a public key, whose other half is kept away from the machine. The index is left out, since it is made
//! anew from the database.

mod error;
mod make;
mod manifest;
mod restore;
mod seal;
mod space;
mod vault;

pub use error::BackupError;
pub use make::{Made, make};
pub use manifest::{Entry, Manifest};
pub use restore::{Prepared, Restored, check, holds_something, prepare, restore};
pub use seal::{Recipient, Secret};
pub use vault::{SnapshotName, Vault};
