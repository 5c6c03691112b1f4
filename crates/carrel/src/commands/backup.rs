//! `carrel backup` and `carrel restore`

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;
use crate::progress::bytes_bar;
use crate::site::{Failure, Site};
use ::audit::{Action, Actor, Event, Outcome as Ended};
use operations::backup::{self, Made, Recipient, Restored, Secret, Vault};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make the key that backups are encrypted for; its secret half goes into a file that you keep away from here
    Key {
        /// The file, which must not be there yet
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
        /// Make a new key although there is one: backups made so far still need the old one
        #[arg(long)]
        replace: bool,
    },
    /// Make a backup now; beside a running server too
    Run(Place),
    /// List the backups
    List(Place),
    /// Read a backup to its last byte and open its database, as a restore would
    Verify {
        #[command(flatten)]
        place: Place,
        /// The backup [default: the latest]
        #[arg(long)]
        name: Option<String>,
        /// The file with the secret key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}

#[derive(clap::Args)]
pub(crate) struct Place {
    /// The folder of the backups, on another disk [default: backup.to of the configuration]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct Restore {
    /// The folder of the backups
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The backup [default: the latest]
    #[arg(long)]
    name: Option<String>,
    /// The file with the secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Place {
    fn folder(&self, configuration: &Configuration) -> Result<PathBuf, Failure> {
        let unknown = "say where with --to DIR, or with backup.to in the configuration";
        Ok(self.to.clone().or_else(|| configuration.backup.to.clone()).ok_or(unknown)?)
    }
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    match command {
        Command::Key { output, replace } => key(configuration, &output, replace).await,
        Command::Run(place) => {
            let site = Site::open(configuration).await?;
            // Made if it is not there yet: a log that goes on elsewhere must be signed by the same key.
            site.signing_key()?;
            let bar = bytes_bar();
            let shown = bar.clone();
            let progress = move |done, total| {
                shown.set_length(total);
                shown.set_position(done);
            };
            let made =
                make(&site, &place.folder(configuration)?, configuration.backup.keep, &Actor::console(), progress)
                    .await;
            bar.finish_and_clear();
            let made = made?;
            if place.json {
                print_json(&json!(made));
            } else {
                println!("{}: {} files, {}", made.snapshot, made.files, megabytes(made.bytes));
                println!("{} files were new; {} written", made.new_files, megabytes(made.written_bytes));
            }
            match made.missing.len() {
                0 => Ok(()),
                some => Err(format!("{some} originals are missing from the content store; the rest is kept").into()),
            }
        }
        Command::List(place) => {
            let vault = Vault::for_reading(&place.folder(configuration)?)?;
            let names = vault.snapshots()?;
            if place.json {
                print_json(&json!({ "backups": names }));
            } else {
                names.iter().for_each(|name| println!("{name}"));
            }
            Ok(())
        }
        Command::Verify { place, name, key } => {
            let vault = Vault::for_reading(&place.folder(configuration)?)?;
            let (name, secret) = (vault.find(name.as_deref())?, Secret::read(&key)?);
            let (bar, scratch) = (bytes_bar(), std::env::temp_dir());
            let shown = bar.clone();
            let progress = move |done, total| {
                shown.set_length(total);
                shown.set_position(done);
            };
            let checked = backup::check(vault, name, secret, &scratch, progress).await;
            bar.finish_and_clear();
            say(&checked?, place.json, "is whole");
            Ok(())
        }
    }
}

pub(crate) async fn restore(arguments: Restore, configuration: &Configuration) -> Outcome {
    let vault = Vault::for_reading(&arguments.from)?;
    let (name, secret) = (vault.find(arguments.name.as_deref())?, Secret::read(&arguments.key)?);
    let bar = bytes_bar();
    let shown = bar.clone();
    let progress = move |done, total| {
        shown.set_length(total);
        shown.set_position(done);
    };
    let restored = backup::restore(vault, name, secret, &configuration.data, progress).await;
    bar.finish_and_clear();
    let restored = restored?;
    // The chain goes on where the backup ended, and says so.
    let site = Site::open(configuration).await?;
    let event = Event::new(Action::BackupRestored, &Actor::console(), site.operation());
    let mut act = site.store.begin().await?;
    act.record(event.on("backup", &restored.snapshot, &restored.snapshot).detail(json!(restored))).await?;
    act.commit().await?;
    say(&restored, arguments.json, "was restored");
    if !arguments.json {
        println!("the index is made anew when the server starts");
    }
    Ok(())
}

/// Makes a backup together with its event, whether it worked or not.
pub(crate) async fn make(
    site: &Site,
    folder: &Path,
    keep: usize,
    actor: &Actor,
    progress: impl Fn(u64, u64) + Send + 'static,
) -> Result<Made, Failure> {
    let made = backup::make(&site.store, &site.data, folder, env!("CARGO_PKG_VERSION"), keep, progress).await;
    let event = Event::new(Action::BackupMade, actor, site.operation());
    let place = folder.display().to_string();
    let event = match &made {
        Ok(made) => {
            let missing = made.missing.len();
            let detail = json!({
                "to": place, "files": made.files, "bytes": made.bytes, "new_files": made.new_files,
                "written_bytes": made.written_bytes, "pruned": made.pruned, "missing": missing,
            });
            event.on("backup", &made.snapshot, &made.snapshot).detail(detail)
        }
        Err(error) => event.outcome(Ended::Failed).detail(json!({ "to": place, "reason": error.to_string() })),
    };
    let mut act = site.store.begin().await?;
    act.record(event).await?;
    act.commit().await?;
    Ok(made?)
}

async fn key(configuration: &Configuration, output: &Path, replace: bool) -> Outcome {
    let site = Site::open(configuration).await?;
    if Recipient::is_installed(&site.data) && !replace {
        return Err("there is a backup key already; with --replace a new one holds for backups from now on".into());
    }
    let secret = Secret::generate();
    secret.write_new(output)?;
    let recipient = secret.recipient();
    let event = Event::new(Action::BackupKeyMade, &Actor::console(), site.operation());
    let mut act = site.store.begin().await?;
    act.record(event.detail(json!({ "public_key": recipient.to_string(), "replaced": replace }))).await?;
    recipient.install(&site.data)?;
    act.commit().await?;
    println!("wrote {}", output.display());
    println!("it opens every backup: keep it on paper or in a safe, not on this machine and not beside the backups");
    Ok(())
}

fn say(restored: &Restored, json: bool, what: &str) {
    if json {
        print_json(&json!(restored));
    } else {
        let Restored { snapshot, files, bytes, audit_events } = restored;
        println!("{snapshot} {what}: {files} files, {}, {audit_events} audit events", megabytes(*bytes));
    }
}

fn megabytes(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    let megabytes = bytes as f64 / 1e6;
    format!("{megabytes:.1} MB")
}
