//! One file a command.

pub(crate) mod ask;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod bundle;
pub(crate) mod collection;
pub(crate) mod console_egress;
pub(crate) mod console_shell;
pub(crate) mod demo;
pub(crate) mod diagnostics;
pub(crate) mod directory;
pub(crate) mod doctor;
pub(crate) mod eval;
mod evaluate;
mod failures;
pub(crate) mod folder;
pub(crate) mod group;
pub(crate) mod import;
pub(crate) mod index;
pub(crate) mod job;
pub(crate) mod manual;
pub(crate) mod model;
pub(crate) mod relay;
pub(crate) mod search;
pub(crate) mod selftest;
pub(crate) mod serve;
pub(crate) mod tls;
pub(crate) mod r#try;
pub(crate) mod user;

/// Prints one JSON object.
fn print_json(value: &serde_json::Value) {
    println!("{value:#}");
}
