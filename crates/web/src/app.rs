//! What every handler may use.

use crate::metrics::Metrics;
use crate::names::Names;
use crate::network::Network;
use crate::openings::Openings;
use crate::routes::Exports;
use crate::setup::Setup;
use answer::{Answering, Live};
use audit::SigningKey;
use identity::Identity;
use index::Index;
use ingest::{ContentStore, Pages, Publisher, Stage, Watcher};
use models::Models;
use std::path::PathBuf;
use std::sync::Arc;
use storage::Store;

/// The running product. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Rows.
    pub store: Store,
    /// People and rights.
    pub identity: Identity,
    /// Search and answers.
    pub answering: Answering,
    /// Answers in the making.
    pub live: Live,
    /// Takes files in.
    pub stage: Stage,
    /// Originals.
    pub content: ContentStore,
    /// Pages of originals as they look.
    pub pages: Pages,
    /// Which documents people have open.
    pub openings: Openings,
    /// Brings the index up to the database.
    pub publisher: Publisher,
    /// The index, for counts on the health page.
    pub index: Arc<Index>,
    /// Model packs, and which of them run.
    pub models: Models,
    /// What is counted of requests.
    pub metrics: Metrics,
    /// Looks into watched folders.
    pub watcher: Watcher,
    /// Exports of the audit log that are being written, or wait to be fetched.
    pub exports: Exports,
    /// Signs the head of the audit log.
    pub signing_key: Arc<SigningKey>,
    /// Whether the site waits for its first people.
    pub setup: Setup,
    /// What the site configured.
    pub site: Arc<Site>,
}

/// What a site configures of its pages.
#[derive(Debug, Clone)]
pub struct Site {
    /// What the organisation and its labels are called.
    pub names: Names,
    /// Whether cookies are sent over TLS only. Off only for an address on the loopback interface.
    pub secure_cookies: bool,
    /// The data directory, whose disk the health page watches.
    pub data: PathBuf,
    /// What the doctor is to look at.
    pub subject: operations::doctor::Subject,
    /// The configuration as it may leave the machine.
    pub configuration: serde_json::Value,
    /// Addresses from which `/metrics` may be read without a token.
    pub metrics_allow: Vec<Network>,
    /// Questions offered to those who have asked nothing yet: name of a collection and a question.
    pub examples: Vec<(String, String)>,
    /// Whether questions are answered here. Without it searching is all there is, and the first page.
    pub answers: bool,
    /// Folders in which the pages may have folders watched.
    pub watch_in: Vec<PathBuf>,
}

impl Site {
    /// Name of the organisation, as of now.
    #[must_use]
    pub fn organisation(&self) -> String {
        self.names.get().organisation.clone()
    }
}
