//! From bytes to searchable passages: stage → read → chunk → publish → embed, as jobs with leases. A document is found
//! by its words as soon as it is read; its vectors follow.
//!
//! Each stage is one module. Staging is all that a request waits for; a [`Worker`] does the rest. The database is
//! the source of truth: publishing only makes the index follow it, and can be repeated at any time.

mod chunk;
mod content;
mod embed;
mod events;
mod files;
mod folders;
mod job;
mod leases;
mod look;
mod members;
mod names;
mod pages;
mod publish;
mod read;
mod reserve;
mod scan;
pub mod sidecar;
mod stage;
mod sweep;
mod watch;
mod worker;

pub use chunk::{Chunk, Sizes, chunks};
pub use content::{ContentError, ContentStore};
pub use files::{FileSeen, Tree, tree};
pub use folders::{FolderError, add_folder, change_folder, place, remove_folder};
pub use look::{Fresh, LookError, Looked, look};
pub use pages::{PageError, Pages};
pub use publish::{PublishError, Published, Publisher, order_rebuild};
pub use read::Reader;
pub use reserve::{Reserve, Short};
pub use scan::{Scan, Scanned};
pub use stage::{Incoming, Origin, Stage, StageError, Staged};
pub use sweep::{SweepError, Swept, sweep};
pub use watch::Watcher;
pub use worker::{Worker, WorkerError};
