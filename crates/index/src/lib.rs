//! The hybrid index: words (BM25 in tantivy) and vectors (cosine) behind one
//! [`Index::search`] that an [`AccessScope`](domain::AccessScope) filters before anything is ranked.
//!
//! Knows no SQL, no users and no models. Everything in it can be rebuilt from the database; it keeps neither texts
//! nor titles, only their terms.
//!
//! # On disk
//! `version` says how texts became terms, `terms/` is the tantivy directory, `vectors/` has the vectors and their codes. tantivy's commit is the moment at which a change
//! holds: vectors are on disk before it, and vectors that no commit names are dead. So a process may be killed at any
//! moment; what cannot be explained that way is [`IndexError::Damaged`].
//!
//! # Limits
//! - Of more than [`VectorOptions::probe`] visible vectors, those in the clusters nearest to the question are compared:
//!   recall is then measured, not certain (docs/adr/0018).
//! - What BM25 counts is counted anew for each search of a scope that does not see everything: frequencies and lengths are those
//!   of an index without what is hidden, and each common word of the question costs some time (docs/adr/0018). For a scope that
//!   sees everything, passages that were removed count until their segment is merged.

mod analysis;
mod catalogue;
mod dense;
mod entry;
mod error;
mod fusion;
mod index;
mod lexical;
pub mod metrics;
mod state;
mod statistics;
mod vectors;

pub use analysis::{Marks, both_ends, is_unspaced};
pub use entry::{Change, DocumentEntry, Hit, Mode, PassageEntry, Query};
pub use error::IndexError;
pub use index::Index;
pub use vectors::VectorOptions;
