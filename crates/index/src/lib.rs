//! The hybrid index: words (BM25 in tantivy) and vectors (cosine, exact or by HNSW) behind one
//! [`Index::search`] that an [`AccessScope`](domain::AccessScope) filters before anything is ranked.
//!
//! Knows no SQL, no users and no models. Everything in it can be rebuilt from the database; it keeps neither texts
//! nor titles, only their terms.
//!
//! # On disk
//! `terms/` is the tantivy directory, `vectors` the vector file. tantivy's commit is the moment at which a change
//! holds: vectors are on disk before it, and vectors that no commit names are dead. So a process may be killed at any
//! moment; what cannot be explained that way is [`IndexError::Damaged`].
//!
//! # Limits
//! - The vector graph is not kept on disk and is built anew after a start; until then large indexes are scanned.
//! - All vectors are in memory as 32-bit floats, twice once there is a graph.
//! - Inverse document frequencies count all passages, those outside the scope as well: a score tells nothing that
//!   can be read, but the order of two hits may depend on documents that are not shown.

mod analysis;
mod catalogue;
mod dense;
mod entry;
mod error;
mod fusion;
mod graph;
mod index;
mod lexical;
pub mod metrics;
mod state;
mod vectors;

pub use entry::{Change, DocumentEntry, Hit, Mode, PassageEntry, Query};
pub use error::IndexError;
pub use index::Index;
