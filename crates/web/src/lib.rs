//! The web: pages rendered on the server, an event stream for answers, and nothing that needs a script.
//!
//! A handler reads as one straight line: who asks, what may they, do it, show it. Everything a route needs arrives
//! by extractors ([`session::Reader`], [`session::Posted`]); everything that goes wrong leaves as one [`WebError`],
//! which one layer renders.

mod answered;
mod app;
mod asked;
mod assets;
mod door;
mod error;
mod finding;
mod guard;
mod manual;
mod metrics;
mod names;
mod network;
mod openings;
mod programs;
mod routes;
mod run;
mod session;
mod setup;
mod show;
pub mod views;

pub use app::{App, Site};
pub use error::WebError;
pub use manual::Page as ManualText;
pub use metrics::Metrics;
pub use names::{LabelWords, Names, Words};
pub use network::Network;
pub use openings::Openings;
pub use routes::{Exports, router};
pub use setup::Setup;
