//! What keeps an appliance alive beside its daily work: backup and restore.
//!
//! [`backup`] writes a data directory into a [`backup::Vault`] on another disk while the server runs, and gives it back.

pub mod backup;
