//! `carrel folder`

use super::{plain, print_json};
use crate::Outcome;
use crate::config::Configuration;
use crate::site::{Failure, Site};
use ::audit::Actor;
use domain::{FolderId, Label};
use ingest::{Fresh, Looked};
use serde_json::json;
use std::time::Duration;
use storage::{Folder, Removal};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the watched folders and what the last look at each found
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Watch a folder
    Add {
        /// The folder
        path: String,
        /// The collection that its files go into
        #[arg(long)]
        collection: String,
        /// Label of new documents [default: the collection's]
        #[arg(long)]
        label: Option<Label>,
        /// What becomes of a document whose file is gone: keep, hide or delete
        #[arg(long, default_value = "keep")]
        removal: Removal,
        /// Its files wait until a curator releases them
        #[arg(long)]
        quarantine: bool,
        /// Seconds between two looks, beside what the kernel reports
        #[arg(long, value_name = "SECONDS", default_value_t = 300)]
        every: u32,
    },
    /// Watch a folder no longer; its documents stay
    Remove(One),
    /// Do not look into a folder for now
    Pause(One),
    /// Look into a paused folder again
    Resume(One),
    /// Look into a folder now
    Scan {
        #[command(flatten)]
        folder: One,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// A watched folder.
#[derive(clap::Args)]
pub(crate) struct One {
    /// Its path, or its id
    #[arg(value_name = "FOLDER")]
    folder: String,
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    match command {
        Command::List { json } => list(&site, json).await,
        Command::Add { path, collection, label, removal, quarantine, every } => {
            let collection = site.collection(&collection).await?;
            let folder = Folder {
                id: FolderId::new(site.store.environment()),
                path: ingest::place(&path, None, &site.data)?.display().to_string(),
                collection: collection.id,
                label,
                removal,
                quarantine,
                every,
                paused: false,
                scanned_at: None,
                found: None,
                problem: None,
                created_at: site.store.environment().now(),
            };
            ingest::add_folder(&site.store, &folder, &Actor::console(), site.operation()).await?;
            let (path, name) = (plain(&folder.path), &collection.name);
            println!("{path} is watched for '{name}' while a server runs; 'carrel folder scan' looks into it now");
            Ok(())
        }
        Command::Remove(one) => {
            let folder = find(&site, &one).await?;
            ingest::remove_folder(&site.store, &folder, &Actor::console(), site.operation()).await?;
            println!("{} is no longer watched; its documents stay", plain(&folder.path));
            Ok(())
        }
        Command::Pause(one) => pause(&site, &one, true).await,
        Command::Resume(one) => pause(&site, &one, false).await,
        Command::Scan { folder, json } => scan(&site, &folder, json).await,
    }
}

/// The folder with this path or id. A path may be watched for several collections: then its id says which.
async fn find(site: &Site, one: &One) -> Result<Folder, Failure> {
    let real = std::fs::canonicalize(&one.folder).ok().map(|path| path.display().to_string());
    let known = |folder: &Folder| {
        folder.path == one.folder || Some(&folder.path) == real.as_ref() || folder.id.to_string() == one.folder
    };
    let mut found: Vec<Folder> = site.store.folders().await?.into_iter().filter(known).collect();
    match (found.pop(), found.is_empty()) {
        (Some(folder), true) => Ok(folder),
        (None, _) => Err(format!("'{}' is not watched; 'carrel folder list' shows what is", one.folder).into()),
        (Some(_), false) => {
            Err("this folder is watched for several collections; name it by its id from 'carrel folder list'".into())
        }
    }
}

async fn pause(site: &Site, one: &One, paused: bool) -> Outcome {
    let folder = find(site, one).await?;
    let after = Folder { paused, ..folder.clone() };
    ingest::change_folder(&site.store, &folder, &after, &Actor::console(), site.operation()).await?;
    println!("{} is {}", plain(&folder.path), if paused { "not looked into for now" } else { "looked into again" });
    Ok(())
}

async fn list(site: &Site, json: bool) -> Outcome {
    let folders = site.store.folders().await?;
    if json {
        print_json(&json!({ "folders": folders }));
        return Ok(());
    }
    for folder in folders {
        let collection = site.store.collection(folder.collection).await?;
        let name = collection.map(|collection| collection.name).unwrap_or_default();
        let mut facts = vec![format!("into '{name}'"), format!("{} when gone", folder.removal.as_str())];
        facts.extend(folder.label.map(|label| label.to_string()));
        facts.extend(folder.quarantine.then(|| "quarantine".to_owned()));
        facts.push(format!("every {} s", folder.every));
        facts.extend(folder.paused.then(|| "paused".to_owned()));
        println!("{}  {}  {}", folder.id, plain(&folder.path), facts.join(", "));
        match (folder.scanned_at, folder.found) {
            (Some(at), Some(found)) => println!("    looked into {at}: {} files, {} failed", found.files, found.failed),
            (Some(at), None) => println!("    looked into {at}"),
            (None, _) => println!("    not looked into yet"),
        }
        if let Some(problem) = folder.problem {
            println!("    ! {}", plain(&problem));
        }
    }
    Ok(())
}

async fn scan(site: &Site, one: &One, json: bool) -> Outcome {
    let folder = find(site, one).await?;
    let (stage, actor) = (site.stage()?, Actor::console());
    let mut fresh = Fresh::default();
    let Looked { mut scanned, .. } = ingest::look(&stage, &folder, &mut fresh, &actor, site.operation()).await?;
    if !scanned.changing.is_empty() {
        // What was written a moment ago is whole a moment later, unless it is still being written.
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        let again = ingest::look(&stage, &folder, &mut fresh, &actor, site.operation()).await?.scanned;
        scanned.found.changed += again.found.changed;
        scanned.found.renamed += again.found.renamed;
        scanned.found.gone += again.found.gone;
        (scanned.changing, scanned.failed) = (again.changing, again.failed);
    }
    let found = scanned.found;
    if json {
        let failed: Vec<_> =
            scanned.failed.iter().map(|(file, reason)| json!({ "file": file, "reason": reason })).collect();
        print_json(&json!({ "folder": folder.id, "found": found, "changing": scanned.changing, "failed": failed }));
    } else {
        let (files, changed, renamed, gone) = (found.files, found.changed, found.renamed, found.gone);
        println!(
            "{files} files: {changed} new or changed, {renamed} renamed, {gone} gone, {} failed",
            scanned.failed.len()
        );
        scanned.failed.iter().for_each(|(file, reason)| println!("  {}: {}", plain(file), plain(reason)));
        if !scanned.changing.is_empty() {
            println!("{} are being written; the next look takes them in", scanned.changing.len());
        }
        if found.changed > 0 {
            let next = if folder.quarantine {
                "'carrel job release latest' lets them be read"
            } else {
                "a running server reads them"
            };
            println!("{next}");
        }
    }
    Ok(())
}
