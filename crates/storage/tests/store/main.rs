//! The aggregates through their public doors, on databases in temporary folders.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod acts;
mod answers;
mod checkpoints;
mod directory;
mod documents;
mod jobs;
mod models;
mod retention;
mod scopes;
mod second_factors;
mod tokens;
mod trail;
mod world;
