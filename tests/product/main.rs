//! The product, tested in its own language: through HTTP, through its command line, and in a real browser.
//!
//! One binary, so that it links once. A test can be run alone by its name, such as
//! `cargo test -p carrel --test product browser`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, missing_docs)]

mod access;
mod active_directory;
mod api;
mod approvals;
mod batches;
mod browser;
mod browser_keys;
mod bundles;
mod bundles_protect;
mod calibration;
mod cli;
mod console_approvals;
mod diagnostics;
mod directory;
mod directory_fake;
mod disk_full;
mod doctor;
mod documents;
mod escalation;
mod evaluation;
mod every_route;
mod facets;
mod filters;
mod injection;
mod inside;
mod killed;
mod manual;
mod metrics;
mod models;
mod oidc;
mod openai;
mod openai_client;
mod passwords;
mod refusal;
mod relay;
mod remote;
mod rerank;
mod retrieval;
mod revoked;
mod routes;
mod seal;
mod second_factor;
mod security_keys;
mod setup;
mod sign_in;
mod sources;
mod story;
mod supplier;
mod tls;
mod tokens;
mod trail;
mod trespass;
mod uploads;
mod versions;
mod viewer;
mod watched;
mod worlds;

use domain::{Collection, Permission};
use testkit::TestApp;

const HANDBOOK: &str = "# Employee Handbook\n\n## Annual leave\n\nIn the first year of service every employee receives \
24 days of annual leave. Leave accrues at two days for each completed month. Leave that is not taken lapses on 31 March \
of the following year.\n\n## Working hours\n\nThe working day has eight hours. Core time is from nine to three.\n";

/// A product with the handbook in a collection that `ada` may read and `clara` manages; `ben` has no grant.
async fn with_handbook() -> (TestApp, Collection) {
    let world = TestApp::new().await;
    let handbook = world.collection("Handbook").await;
    world.grant(&handbook, "ada", Some(Permission::Read)).await;
    world.grant(&handbook, "clara", Some(Permission::Manage)).await;
    world.submit(&handbook, "handbook.md", HANDBOOK.as_bytes(), None).await;
    world.ingest().await;
    (world, handbook)
}
