//! Which of our crates may use which, and what each must not know.

use crate::{assert_none, root};
use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use std::collections::BTreeSet;

/// Crate, what it may use. Amended from the design: `storage` writes audit events in the transaction of the act, so it
/// knows their vocabulary.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("extract", &["domain"]),
    ("render", &["extract"]),
    ("confine", &["domain", "extract", "render"]),
    ("recognize", &["domain", "extract"]),
    ("index", &["domain"]),
    ("inference", &["domain"]),
    ("audit", &["domain"]),
    ("storage", &["domain", "audit"]),
    ("forward", &["audit", "storage"]),
    ("identity", &["domain", "storage", "audit"]),
    ("ingest", &["domain", "storage", "audit", "extract", "render", "confine", "index", "inference"]),
    ("listen", &["domain"]),
    ("models", &["domain", "storage", "audit", "inference"]),
    ("operations", &["domain", "storage", "audit", "inference", "listen"]),
    ("answer", &["domain", "storage", "audit", "index", "inference", "models"]),
    (
        "web",
        &[
            "domain",
            "storage",
            "audit",
            "identity",
            "extract",
            "index",
            "inference",
            "models",
            "ingest",
            "operations",
            "answer",
        ],
    ),
    ("carrel", ALL),
    ("testkit", ALL),
    ("xtask", &[]),
];

const ALL: &[&str] = &[
    "domain",
    "extract",
    "render",
    "confine",
    "recognize",
    "index",
    "inference",
    "listen",
    "models",
    "audit",
    "storage",
    "forward",
    "identity",
    "ingest",
    "operations",
    "answer",
    "web",
];

/// Crate, what must not be among its own dependencies.
const MUST_NOT_KNOW: &[(&str, &[&str])] = &[
    ("domain", &["tokio", "sqlx", "axum", "tracing", "futures-util"]),
    ("extract", &["tokio", "sqlx", "axum", "tantivy", "candle-core", "tokenizers"]),
    ("render", &["tokio", "sqlx", "axum", "tantivy", "candle-core", "tokenizers"]),
    ("confine", &["sqlx", "axum", "tantivy", "candle-core"]),
    ("recognize", &["tokio", "sqlx", "axum", "tantivy", "candle-core", "tokenizers"]),
    ("index", &["tokio", "sqlx", "axum", "candle-core", "tokenizers"]),
    ("inference", &["sqlx", "axum", "tantivy", "hnsw_rs"]),
    ("audit", &["tokio", "sqlx", "axum"]),
    ("listen", &["sqlx", "tantivy", "hnsw_rs", "candle-core"]),
    ("storage", &["axum", "tantivy", "hnsw_rs", "candle-core"]),
    ("forward", &["axum", "sqlx", "tantivy", "hnsw_rs", "candle-core"]),
    ("identity", &["axum", "tantivy", "hnsw_rs", "candle-core"]),
    ("ingest", &["axum", "sqlx", "tantivy", "hnsw_rs", "candle-core"]),
    ("models", &["axum", "sqlx", "tantivy", "hnsw_rs", "candle-core"]),
    ("operations", &["axum", "sqlx", "tantivy", "hnsw_rs", "candle-core"]),
    ("answer", &["axum", "sqlx", "tantivy", "hnsw_rs", "candle-core"]),
    ("web", &["sqlx", "tantivy", "hnsw_rs", "candle-core", "candle-nn", "candle-transformers", "tokenizers"]),
];

/// The packages of this workspace. `--no-deps` asks for nothing that is not in the repository.
fn packages() -> Vec<Package> {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).no_deps();
    command.exec().unwrap().packages
}

/// What the package uses to build and to run. Tests may use more: `testkit`, for one.
fn used(package: &Package) -> impl Iterator<Item = &str> {
    let kept = package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
    kept.map(|dependency| dependency.name.as_str())
}

fn row<'a>(table: &'a [(&str, &'a [&'a str])], name: &str) -> Option<&'a [&'a str]> {
    table.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, names)| *names)
}

#[test]
fn crates_use_only_what_the_arrows_allow() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut faults = Vec::new();
    for package in &packages {
        let Some(allowed) = row(ARROWS, &package.name) else {
            faults.push(format!("crate `{}` stands in no row of the table", package.name));
            continue;
        };
        for other in used(package).filter(|name| ours.contains(name) && !allowed.contains(name)) {
            faults.push(format!("`{}` must not use `{other}`", package.name));
        }
    }
    for (name, _) in ARROWS.iter().filter(|(name, _)| !ours.contains(name)) {
        faults.push(format!("crate `{name}` of the table does not exist"));
    }
    assert_none("forbidden arrows between crates", &faults);
}

#[test]
fn crates_do_not_know_what_is_not_theirs() {
    let mut faults = Vec::new();
    for package in packages() {
        let forbidden = row(MUST_NOT_KNOW, &package.name).unwrap_or_default();
        let known = used(&package).filter(|name| forbidden.contains(name));
        faults.extend(known.map(|name| format!("`{}` must not know {name}", package.name)));
    }
    assert_none("forbidden dependencies", &faults);
}

#[test]
fn the_server_does_not_carry_developer_crates() {
    let packages = packages();
    let shipped = packages.iter().filter(|package| !["testkit", "xtask"].contains(&package.name.as_str()));
    let faults: Vec<_> = shipped
        .filter(|package| used(package).any(|name| name == "testkit" || name == "xtask"))
        .map(|package| format!("`{}` uses a developer crate outside its tests", package.name))
        .collect();
    assert_none("developer crates in the server", &faults);
}
