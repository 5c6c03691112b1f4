//! Bundles: what reaches a machine without a network, signed, in one file.
//!
//! The format is that of docs/appliance/update-format.md: a tar archive whose first two members are a manifest and its
//! Ed25519 signature; the manifest's hashes stand for everything else. Here is what all kinds have in common: whom is
//! trusted ([`KeyRing`]), what is refused and why ([`Refusal`]), what is in force ([`Ledger`]), and unpacking that can be cut
//! short at any byte ([`Package::unpack`]). What a kind means is known by whoever puts it into force.

mod keyring;
mod ledger;
mod manifest;
mod package;
mod refusal;
mod switch;

pub use keyring::{KeyRing, TrustedKey};
pub use ledger::{InForce, Ledger};
pub use manifest::{Kind, Manifest, Member, Rotation};
pub use package::{Package, require_space};
pub use refusal::Refusal;
pub use switch::Switch;
