//! Doctor: what is wrong with a data directory and its machine, why that matters, and what to do.
//!
//! One place for all who ask: `carrel doctor`, `carrel selftest` (whose verdict decides on an appliance whether a new
//! version stays), the health page, and the diagnostics bundle. Nothing is made, migrated or mended here, and it does
//! not matter whether a server runs.

mod content;
mod database;
mod disks;
mod finding;
mod machine;
mod models;
mod place;
mod trail;

pub use finding::{Finding, State};
pub use machine::{failed_units, kernel};

use domain::Environment;
use std::path::{Path, PathBuf};
use storage::Store;

/// How closely is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// What costs nothing: for a page that somebody opens.
    Glance,
    /// What tells whether the machine can serve, without reading models: for the verdict after an update.
    Quick,
    /// All of it, and of the originals a sample.
    Usual,
    /// Every byte.
    Deep,
}

/// What is looked at, and what the site wants of it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The data directory.
    pub data: PathBuf,
    /// Clock and randomness.
    pub environment: Environment,
    /// Bytes that taking in leaves free on its disk.
    pub reserve_bytes: u64,
    /// Whether somebody has the index: a server, or a command that reads documents.
    pub server_running: bool,
    /// The server's certificate and whether the server itself makes it anew; `None` where no TLS is spoken.
    pub certificate: Option<(PathBuf, bool)>,
    /// The list of revoked certificates of people, if there is one.
    pub revoked: Option<PathBuf>,
    /// Hours from one backup to the next; `None` if the server makes none.
    pub backup_hours: Option<u32>,
    /// Minutes from one checkpoint of the audit log to the next.
    pub checkpoint_minutes: u32,
    /// Whether questions are answered here by a model of this machine.
    pub generates: bool,
}

impl Subject {
    /// The database of this data directory.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data.join("carrel.db")
    }
}

/// Looks at everything that a data directory tells, in the order in which it makes sense. The configuration, the index
/// and the readers of documents are looked at by whoever has them.
pub async fn examine(subject: &Subject, depth: Depth) -> Vec<Finding> {
    let mut space = place::space(subject);
    if depth == Depth::Quick && space.state == State::Failed {
        // A machine whose disk is full still serves; another version would not have more room.
        space.state = State::Warning;
    }
    let mut findings = vec![place::permissions(&subject.data), space];
    // Opening would make one elsewhere; here it would be an error that says little.
    if !subject.database().is_file() {
        findings.push(database::missing(&subject.data));
        return findings;
    }
    let store = match Store::examine(&subject.database(), subject.environment.clone()).await {
        Ok(store) => store,
        Err(error) => {
            findings.push(database::unreadable(&error));
            return findings;
        }
    };
    findings.extend(look(subject, &store, depth).await);
    store.close().await;
    findings
}

/// What a running server tells of itself at a glance, through the database that it has open.
pub async fn glance(subject: &Subject, store: &Store) -> Vec<Finding> {
    let mut findings = vec![place::permissions(&subject.data), place::space(subject)];
    findings.extend(look(subject, store, Depth::Glance).await);
    findings
}

async fn look(subject: &Subject, store: &Store, depth: Depth) -> Vec<Finding> {
    let mut findings = Vec::new();
    if depth >= Depth::Quick {
        let schema = database::schema(store).await;
        let readable = schema.state < State::Failed;
        findings.push(schema);
        if !readable {
            return findings;
        }
        findings.push(database::integrity(store, depth).await);
        findings.push(trail::chain(subject, store).await);
        findings.push(trail::key(&subject.data));
        findings.extend(models::models(subject, store, depth).await);
        findings.push(database::outbox(store).await);
    }
    if depth >= Depth::Usual {
        findings.push(content::originals(subject, store, depth).await);
        findings.push(database::queue(store).await);
    }
    if depth != Depth::Quick {
        findings.push(database::leases(subject, store).await);
        findings.push(trail::checkpoint(subject, store).await);
        findings.push(trail::backup(subject, store).await);
        findings.push(place::clock(subject, store).await);
        findings.extend(place::certificate(subject));
        findings.extend(place::revoked(subject));
    }
    findings.extend(machine::egress(Path::new(crate::egress::COUNTERS)));
    if depth != Depth::Quick {
        // No reason to leave a version: the other one lies on the same disk.
        findings.extend(disks::disks(Path::new(disks::ANSWERS), subject.environment.now()));
    }
    findings
}
