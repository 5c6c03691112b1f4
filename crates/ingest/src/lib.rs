//! From bytes to searchable passages: stage → read → chunk → embed → write → publish, as jobs with leases.
//!
//! Each stage is one module. Staging is all that a request waits for; a [`Worker`] does the rest. The database is
//! the source of truth: publishing only makes the index follow it, and can be repeated at any time.

mod chunk;
mod content;
mod job;
mod publish;
mod read;
mod stage;
mod worker;

pub use chunk::{Chunk, Sizes, chunks};
pub use content::{ContentError, ContentStore};
pub use publish::{PublishError, Publisher, Rebuilt};
pub use stage::{Origin, Stage, StageError, Staged};
pub use worker::{Worker, WorkerError};
