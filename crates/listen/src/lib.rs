//! The door of the server: sockets, TLS from the first start, and the certificates that people show.
//!
//! Knows nothing of routes or of people: it tells who is on the other end of a connection ([`Connection`]), and whoever
//! serves decides what that means.

mod client;
mod error;
mod identity;
mod listener;
mod own;
mod plain;
mod revoked;
mod secrets;
mod settings;
mod sockets;
mod watch;

pub use client::{ClientCertificate, NameField};
pub use error::TlsError;
pub use identity::{ServerIdentity, fingerprint};
pub use listener::{Connection, TlsListener};
pub use own::{Made, OwnCertificate};
pub use plain::redirect;
pub use revoked::revocation_ends;
pub use secrets::require_private;
pub use settings::{ClientCertificates, Files, TlsSettings};
pub use sockets::bind;
pub use watch::Reloading;
