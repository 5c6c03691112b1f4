//! From bytes to searchable passages: stage → read → chunk → publish → embed, as jobs with leases. A document is found
//! by its words as soon as it is read; its vectors follow.
//!
//! Each stage is one module. Staging is all that a request waits for; a [`Worker`] does the rest. The database is
//! the source of truth: publishing only makes the index follow it, and can be repeated at any time.

mod chunk;
mod content;
mod embed;
mod job;
mod leases;
mod publish;
mod read;
mod scan;
pub mod sidecar;
mod stage;
mod worker;

pub use chunk::{Chunk, Sizes, chunks};
pub use content::{ContentError, ContentStore};
pub use publish::{PublishError, Publisher, Rebuilt};
pub use read::Reader;
pub use scan::{FileSeen, Scanned, files};
pub use stage::{Incoming, Origin, Stage, StageError, Staged};
pub use worker::{Worker, WorkerError};
