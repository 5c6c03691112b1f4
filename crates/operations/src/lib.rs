//! What keeps an appliance alive beside its daily work.
//!
//! [`backup`] writes a data directory into a [`backup::Vault`] on another disk while the server runs, and gives it back.
//! [`bundle`] is what comes in signed from outside.
//! [`doctor`] says what is wrong and what to do; [`diagnostics`] carries that and figures to whoever is to help.
//! [`egress`] is what an appliance's firewall counted.

pub mod backup;
pub mod bundle;
pub mod diagnostics;
pub mod doctor;
pub mod egress;
