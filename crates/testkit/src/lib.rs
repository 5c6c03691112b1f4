//! What tests are written with: a whole product in a temporary directory, people who use it through HTTP, and the
//! small models.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by ending"
)]

mod api;
mod authenticator;
mod browser;
mod cross_encoder;
mod models;
mod provider;
mod slapd;
mod upstream;
mod world;

pub use api::{Program, Told};
pub use authenticator::{KeyAnswer, KeyKind, SecurityKey};
pub use browser::{Browser, Page};
pub use cross_encoder::write_cross_encoder;
pub use models::{embedder, generator, model_directory};
pub use provider::{PROVIDER_CLIENT, Provider, Signs};
pub use slapd::{DIRECTORY_ADMIN, DIRECTORY_PASSWORD, Slapd};
pub use upstream::{Behaviour, Received, Upstream};
pub use world::{PASSWORD, TestApp};
