//! `carrel bundle`: what reaches a machine without a network, signed, in one file (docs/operator/update.md).

mod adopt;
mod consent;
mod files;
mod models;
mod program;
mod record;
mod system;

use super::print_json;
use crate::Outcome;
use crate::config::{Bundles, Configuration};
use crate::lock::IndexLock;
use crate::progress::bytes_bar;
use crate::second_person::SecondPerson;
use crate::site::{Failure, Site};
use domain::Environment;
use operations::bundle::{InForce, KeyRing, Kind, Ledger, Package, Refusal, Switch};
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process;
use storage::Store;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Check a bundle to its last byte: signature, hashes, and whether it would be taken
    Verify(File),
    /// Put a bundle into force: a release, models, vocabulary, a list of revoked certificates, keys
    Apply {
        #[command(flatten)]
        file: File,
        /// Take models or vocabulary that are older than what was taken before
        #[arg(long)]
        allow_downgrade: bool,
        #[command(flatten)]
        second_person: SecondPerson,
    },
    /// Put back what the last bundle of a kind has replaced
    Rollback {
        /// program, system, models, lists, crl or passwords
        kind: String,
        /// Give up what was written since a release was taken; it is put aside, not thrown away
        #[arg(long)]
        discard_since: bool,
        #[command(flatten)]
        second_person: SecondPerson,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// List what is in force
    List(Told),
    /// List the keys whose bundles are taken
    Keys(Told),
    /// End an update that was cut short
    Resume,
    /// Bring a copy of the database up to this release; the release before runs it
    #[command(hide = true)]
    Adopt(adopt::Arguments),
    /// Bring the database up to this release on a copy, or put the one before back
    #[command(hide = true)]
    Migrate(adopt::Migration),
}

#[derive(clap::Args)]
pub(crate) struct File {
    /// The bundle, a file *.carrel
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct Told {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What an act did: for programs, and in a sentence.
struct Done {
    value: Value,
    sentence: String,
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    match command {
        Command::Verify(File { file, json }) => {
            let package = taken(configuration, &file, false, true).await?;
            let manifest = &package.manifest;
            let (kind, version) = (manifest.kind, &manifest.version);
            let sentence = format!("{kind} {version} is whole, signed by a trusted key, and would be taken");
            tell(&Done { value: described(&package), sentence }, json)
        }
        Command::Apply { file: File { file, json }, allow_downgrade, second_person } => {
            finish_switch(configuration)?;
            let package = taken(configuration, &file, allow_downgrade, false).await?;
            tell(&apply(configuration, &package, &file, &second_person).await?, json)
        }
        Command::Rollback { kind, discard_since, second_person, json } => {
            finish_switch(configuration)?;
            let kind: Kind = serde_json::from_value(kind.clone().into()).map_err(|_| {
                format!("'{kind}' is no kind of bundle; program, system, models, lists, crl or passwords")
            })?;
            tell(&rollback(configuration, kind, discard_since, &second_person).await?, json)
        }
        Command::List(Told { json }) => list(configuration, json).await,
        Command::Keys(Told { json }) => keys(configuration, json),
        Command::Resume => match finish_switch(configuration)? {
            true => {
                tell(&Done { value: json!({ "resumed": true }), sentence: "the update is complete".to_owned() }, false)
            }
            false => Err("no update was cut short here".into()),
        },
        Command::Adopt(arguments) => adopt::run(arguments, configuration).await,
        Command::Migrate(arguments) => {
            finish_switch(configuration)?;
            adopt::migrate(arguments, configuration).await
        }
    }
}

fn tell(done: &Done, json: bool) -> Outcome {
    if json {
        print_json(&done.value);
    } else {
        println!("{}", done.sentence);
    }
    Ok(())
}

fn described(package: &Package) -> Value {
    let manifest = &package.manifest;
    json!({
        "kind": manifest.kind, "version": manifest.version, "sequence": manifest.sequence, "key": manifest.key,
        "id": package.id, "bytes": manifest.bytes(), "files": manifest.members.len(),
    })
}

fn ring(configuration: &Configuration) -> Result<KeyRing, Refusal> {
    KeyRing::open(&configuration.bundles.ring(&configuration.data), &Bundles::built_in())
}

/// Opens a bundle and checks it to its last byte, before anything is written but the audit log, which hears of either end.
async fn taken(
    configuration: &Configuration,
    file: &Path,
    allow_downgrade: bool,
    recorded: bool,
) -> Result<Package, Failure> {
    let site = Site::open(configuration).await?;
    let ledger = Ledger::read(&site.store).await?;
    let opened = ring(configuration).and_then(|ring| Package::open(file, &ring));
    let opened = match opened {
        Ok(package) => ledger.accepts(&package, allow_downgrade).map(|()| package),
        Err(refusal) => Err(refusal),
    };
    let checked = match opened {
        Ok(package) => {
            let bar = bytes_bar();
            let checked = package.check(&|done, total| {
                bar.set_length(total);
                bar.set_position(done);
            });
            bar.finish_and_clear();
            checked.map(|()| package)
        }
        Err(refusal) => Err(refusal),
    };
    match checked {
        Ok(package) => {
            if recorded {
                record::verified(&site, &package).await?;
            }
            Ok(package)
        }
        Err(refusal) => {
            record::refused(&site, file, None, &refusal).await?;
            Err(format!("refused: {refusal}").into())
        }
    }
}

/// Puts a checked bundle into force. A refusal on the way is recorded; what was in force still is.
async fn apply(
    configuration: &Configuration,
    package: &Package,
    file: &Path,
    second_person: &SecondPerson,
) -> Result<Done, Failure> {
    let site = Site::open(configuration).await?;
    consent::to_apply(&site, package, second_person).await?;
    let applied = match package.manifest.kind {
        Kind::Program => program::apply(configuration, site.clone(), package).await,
        Kind::System => system::apply(&site, configuration, package, file).await,
        Kind::Models => models::apply(&site, package).await,
        Kind::Lists | Kind::Crl | Kind::Passwords => files::apply(&site, configuration, package).await,
        Kind::Keys => keys_alone(&site, package).await,
    };
    match applied {
        Ok(done) => {
            ring(configuration)?.rotate(&package.manifest.keys)?;
            Ok(done)
        }
        Err(failure) => {
            // The database may have been closed on the way, or even exchanged and put back.
            let site = Site::open(configuration).await?;
            let sentence = failure.to_string();
            let refusal = match failure.downcast::<Refusal>() {
                Ok(refusal) => *refusal,
                Err(_) => Refusal::Unsound(sentence.clone()),
            };
            record::refused(&site, file, Some(package), &refusal).await?;
            Err(format!("refused: {sentence}").into())
        }
    }
}

/// A bundle that brings nothing but keys.
async fn keys_alone(site: &Site, package: &Package) -> Result<Done, Failure> {
    record::applied(site, package, Value::Null).await?;
    let rotation = &package.manifest.keys;
    let sentence = format!("{} keys came, {} are no longer trusted", rotation.add.len(), rotation.remove.len());
    Ok(Done { value: described(package), sentence })
}

async fn rollback(
    configuration: &Configuration,
    kind: Kind,
    discard_since: bool,
    second_person: &SecondPerson,
) -> Result<Done, Failure> {
    // A newer release may have written the database: it is only looked at here.
    let store = Store::examine(&configuration.data.join("carrel.db"), Environment::system()).await?;
    let ledger = Ledger::read(&store).await?;
    store.close().await;
    let entry = ledger.get(kind).filter(|entry| !entry.rolled_back).cloned();
    let entry =
        entry.ok_or_else(|| format!("no bundle of the kind '{kind}' is in force; 'carrel bundle list' shows them"))?;
    consent::to_roll_back(configuration, kind, &entry, second_person).await?;
    match kind {
        Kind::Program => program::rollback(configuration, &entry, discard_since).await,
        Kind::System => system::rollback(&Site::open(configuration).await?, &entry).await,
        Kind::Models => models::rollback(&Site::open(configuration).await?, &entry).await,
        Kind::Lists | Kind::Crl | Kind::Passwords => {
            files::rollback(&Site::open(configuration).await?, configuration, kind, &entry).await
        }
        Kind::Keys => Err("keys are not rolled back; a bundle signed by a trusted key brings others".into()),
    }
}

async fn list(configuration: &Configuration, json: bool) -> Outcome {
    let store = Store::examine(&configuration.data.join("carrel.db"), Environment::system()).await?;
    let ledger = Ledger::read(&store).await?;
    store.close().await;
    let row = |(kind, entry): (Kind, &InForce)| {
        json!({
            "kind": kind, "version": entry.version, "sequence": entry.sequence, "applied_at": entry.applied_at,
            "id": entry.id, "rolled_back": entry.rolled_back,
        })
    };
    if json {
        print_json(&json!({ "bundles": ledger.iter().map(row).collect::<Vec<_>>() }));
    } else {
        println!("{:10} {:24} {:>9}  {:25} state", "kind", "version", "sequence", "taken");
        for (kind, entry) in ledger.iter() {
            let state = if entry.rolled_back { "rolled back" } else { "in force" };
            let InForce { version, sequence, applied_at, .. } = entry;
            println!("{kind:10} {version:24} {sequence:>9}  {:25} {state}", format!("{applied_at:.0}"));
        }
    }
    Ok(())
}

fn keys(configuration: &Configuration, json: bool) -> Outcome {
    let ring = ring(configuration)?;
    if json {
        let keys: Vec<Value> = ring.keys().iter().map(|key| json!({ "id": key.id, "file": key.file })).collect();
        print_json(&json!({ "keys": keys }));
    } else if ring.keys().is_empty() {
        println!("{}", Refusal::NoKeys(configuration.bundles.ring(&configuration.data)));
    } else {
        ring.keys().iter().for_each(|key| println!("{}  {}", key.id, key.file.display()));
    }
    Ok(())
}

/// Ends a switch that was cut short; whether there was one.
fn finish_switch(configuration: &Configuration) -> Result<bool, Failure> {
    let Some(switch) = Switch::unfinished(&configuration.data)? else { return Ok(false) };
    let _lock = alone(configuration)?;
    switch.finish(&configuration.data)?;
    Ok(true)
}

/// The data directory to oneself: no server, no import.
fn alone(configuration: &Configuration) -> Result<IndexLock, Failure> {
    let busy = "a server runs on this data directory: stop it first ('systemctl stop carrel.service'); people are told \
                to come back, and nothing is lost";
    let lock = IndexLock::acquire(&configuration.data)?.ok_or(busy)?;
    // Made by root it would keep the service from starting.
    let (user, group) = owner(&configuration.data)?;
    let file = configuration.data.join("index.lock");
    if std::fs::metadata(&file)?.uid() != user {
        std::os::unix::fs::chown(&file, Some(user), Some(group))?;
    }
    Ok(lock)
}

/// The account that the data directory belongs to.
fn owner(data: &Path) -> std::io::Result<(u32, u32)> {
    let found = std::fs::metadata(data)?;
    Ok((found.uid(), found.gid()))
}

/// What the service is to read later must belong to its account: root, as which the console works, goes on as that.
fn as_the_service(data: &Path) -> Result<(), Failure> {
    let (user, group) = owner(data)?;
    let me = std::fs::metadata("/proc/self")?.uid();
    if user == me {
        return Ok(());
    }
    if me == 0 {
        let mut again = process::Command::new(std::env::current_exe()?);
        return Err(again.args(std::env::args_os().skip(1)).uid(user).gid(group).exec().into());
    }
    Err(format!(
        "run this as the account that the data belong to: setpriv --reuid={user} --regid={user} --clear-groups carrel …"
    )
    .into())
}
