//! The audit log: what can happen, the hash chain over it, the signed head, exports and the offline verifier.
//!
//! Knows no SQL and no web. An [`Event`] says what happened; [`seal`] makes it an [`Entry`] that is bound to the one
//! before by SHA-256; a [`Head`] is the appliance's Ed25519 signature (RFC 8032) over the last entry; [`export`] writes
//! a file that [`verify`] checks with nothing but that file and the public key.

mod action;
mod chain;
mod event;
mod head;
mod hex;
mod key;

pub mod canonical;
pub mod export;
pub mod verify;

pub use action::{Action, UnknownAction};
pub use chain::{Entry, EventHash, ParseEventHashError, seal};
pub use event::{Actor, ActorKind, Event, Object, Outcome};
pub use head::{Head, HeadError};
pub use key::{KeyError, PublicKey, SigningKey};
