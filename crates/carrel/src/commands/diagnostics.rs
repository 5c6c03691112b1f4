//! `carrel diagnostics`: a file for whoever is to help, without contents, names and secrets.

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;
use crate::examination::cleaned;
use crate::site::{Failure, Site};
use ::audit::{Action, Actor, Event};
use domain::{ContentHash, Environment};
use operations::diagnostics::{Facts, write};
use operations::doctor::Depth;
use serde_json::json;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use storage::{Schema, Store};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let Arguments { output, json } = arguments;
    let facts = Facts {
        release: env!("CARGO_PKG_VERSION"),
        configuration: cleaned(configuration),
        findings: super::doctor::findings(configuration, Depth::Usual).await,
        indexed_passages: None,
    };
    let database = configuration.data.join("carrel.db");
    // A damaged database is when diagnostics are needed most: then without it.
    let store = match database.is_file() {
        true => Store::examine(&database, Environment::system()).await.ok(),
        false => None,
    };
    let bytes = write(store.as_ref(), facts, &configuration.data, Vec::new()).await?;
    let hash = ContentHash::of(&bytes).to_string();
    let unrecorded = record(store, configuration, &hash, bytes.len()).await.err();
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&output)
        .map_err(|error| format!("{}: {error}; name a file that is not there yet", output.display()))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|error| format!("{}: {error}", output.display()))?;
    if json {
        print_json(&json!({
            "file": output, "size_bytes": bytes.len(), "blake3": hash,
            "recorded": unrecorded.is_none(), "reason": unrecorded.as_ref().map(ToString::to_string),
        }));
    } else {
        println!(
            "wrote {} ({} kB): no contents, no names, no secrets; look into it before you send it",
            output.display(),
            bytes.len() / 1000
        );
        if let Some(reason) = unrecorded {
            println!("the audit log does not know of it: {reason}");
        }
    }
    Ok(())
}

/// Writes it down before the file is there. Opening a database for writing would bring an older one up to this release,
/// under a server that may still run: then it is not recorded, and that is said.
async fn record(store: Option<Store>, configuration: &Configuration, hash: &str, bytes: usize) -> Result<(), Failure> {
    let store = store.ok_or("the database cannot be read")?;
    let schema = store.schema().await?;
    store.close().await;
    if schema != Schema::Current {
        return Err("the database is of another release than this program".into());
    }
    let site = Site::open(configuration).await?;
    let event = Event::new(Action::DiagnosticsMade, &Actor::console(), site.operation());
    let mut act = site.store.begin().await?;
    act.record(event.detail(json!({ "blake3": hash, "size_bytes": bytes }))).await?;
    act.commit().await?;
    Ok(())
}
