//! The audit log: what can happen, the hash chain over it, the signed head, exports and the offline verifier.
//!
//! Knows no SQL and no web. An [`Event`] says what happened; [`seal`] makes it an [`Entry`] that is bound to the one
//! before by SHA-256; a [`Head`] is the appliance's Ed25519 signature (RFC 8032) over the last entry; [`export`] writes
//! a file that [`verify`] checks with nothing but that file and the public key. A [`Checkpoint`] signs the root of a Merkle
//! tree over all events ([`merkle`], RFC 9162), from which [`proof`] makes proofs of single events.

mod action;
mod chain;
mod checkpoint;
mod digest;
mod event;
mod head;
mod hex;
mod key;
mod purge;
mod rotation;

pub mod canonical;
pub mod export;
pub mod merkle;
pub mod proof;
pub mod schema;
pub mod verify;

pub use action::{Action, UnknownAction};
pub use chain::{Entry, Purged, seal};
pub use checkpoint::{Checkpoint, Kept, NotKept};
pub use digest::{EventHash, ParseHashError, TreeHash};
pub use event::{Actor, ActorKind, Event, Object, Outcome};
pub use head::{Head, HeadError};
pub use key::{KeyError, PublicKey, SigningKey};
pub use purge::{Ranges, purge_detail, purged_by};
pub use rotation::{Lineage, Rotation};
