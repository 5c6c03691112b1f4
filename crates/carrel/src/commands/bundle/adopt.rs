//! Adopt: a database, which nobody else has open, is brought up to this release, examined, and told why it is here. The
//! release that is to own it runs this, called by the one that hands it over.

use super::{alone, print_json};
use crate::Outcome;
use crate::config::Configuration;
use ::audit::{Action, Actor, Event};
use domain::{Environment, OperationId};
use operations::bundle::{Switch, require_space};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use storage::Store;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to write down
    #[arg(long, value_name = "FILE")]
    note: PathBuf,
}

#[derive(clap::Args)]
pub(crate) struct Migration {
    /// Where the database that is in use is put: a folder on the same disk that is not there yet
    #[arg(long, value_name = "DIR")]
    aside: PathBuf,
    /// Put this database in its place, instead of a copy that was brought up to this release
    #[arg(long, value_name = "DIR")]
    back: Option<PathBuf>,
}

/// Brings a copy of the database up to this release, examines it, and puts it in the place of the one in use, which stays
/// as it was; or puts such a one back. For the first start of another root of the appliance.
pub(super) async fn migrate(arguments: Migration, configuration: &Configuration) -> Outcome {
    let Migration { aside, back } = arguments;
    let data = &configuration.data;
    let _lock = alone(configuration)?;
    if aside.exists() {
        return Err(format!("{} is there already; name another folder", aside.display()).into());
    }
    let bundles = data.join("bundles");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&bundles)?;
    if let Some(from) = back {
        if !from.join("carrel.db").is_file() {
            return Err(format!("there is no database in {}", from.display()).into());
        }
        Switch { aside, from, program: None, drop_index: true }.run(data)?;
        return Ok(());
    }
    let trial = bundles.join("trial");
    if trial.exists() {
        std::fs::remove_dir_all(&trial)?;
    }
    std::fs::DirBuilder::new().mode(0o700).create(&trial)?;
    require_space(data, 2 * std::fs::metadata(data.join("carrel.db"))?.len())?;
    let live = Store::examine(&data.join("carrel.db"), Environment::system()).await?;
    let end = live.audit_last().await?;
    let copied = live.copy_to(&trial.join("carrel.db")).await;
    live.close().await;
    copied?;
    let copy = Store::open(&trial.join("carrel.db"), Environment::system()).await?;
    let sound = sound(&copy, end.map(|(count, hash)| (count, hash.to_string())).as_ref()).await;
    let schema = copy.schema_version().await;
    copy.close().await;
    sound?;
    Switch { aside: aside.clone(), from: trial, program: None, drop_index: false }.run(data)?;
    println!("the database is of schema {}, as it was it lies in {}", schema?, aside.display());
    Ok(())
}

/// What the database is to hold from then on, and what it must hold already.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Note {
    /// Sequence and hash of the last event.
    pub(super) end: Option<(u64, String)>,
    /// The act that is recorded.
    pub(super) action: Action,
    /// The bundle: its id and its name.
    pub(super) bundle: (String, String),
    /// The event's detail.
    pub(super) detail: Value,
    /// What is in force from then on.
    pub(super) ledger: operations::bundle::Ledger,
}

pub(super) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let note: Note = serde_json::from_slice(&std::fs::read(arguments.note)?)?;
    let store = Store::open(&configuration.data.join("carrel.db"), Environment::system()).await?;
    let examined = examine(&store, &note).await;
    let schema = match examined {
        Ok(()) => store.schema_version().await.map_err(|error| error.to_string()),
        Err(sentence) => Err(sentence),
    };
    let events = store.audit_last().await?.map_or(0, |(count, _)| count);
    // Closed, so that no journal is left beside it.
    store.close().await;
    print_json(&json!({ "events": events, "schema": schema? }));
    Ok(())
}

async fn sound(store: &Store, end: Option<&(u64, String)>) -> Result<(), String> {
    if let Some(problem) = store.problem().await.map_err(|error| error.to_string())? {
        return Err(format!("the database is not sound: {problem}"));
    }
    store.verify_audit().await.map_err(|error| error.to_string())?.map_err(|fault| fault.to_string())?;
    let found = store.audit_last().await.map_err(|error| error.to_string())?;
    let found = found.map(|(count, hash)| (count, hash.to_string()));
    if end.is_some() && found.as_ref() != end {
        return Err("the audit log does not end where it did before".to_owned());
    }
    Ok(())
}

async fn examine(store: &Store, note: &Note) -> Result<(), String> {
    sound(store, note.end.as_ref()).await?;
    let written = async {
        let mut act = store.begin().await?;
        note.ledger.write(&mut act).await?;
        let (id, name) = &note.bundle;
        let event = Event::new(note.action, &Actor::console(), OperationId::new(store.environment()));
        act.record(event.on("bundle", id, name).detail(note.detail.clone())).await?;
        act.commit().await
    };
    written.await.map_err(|error| error.to_string())
}
