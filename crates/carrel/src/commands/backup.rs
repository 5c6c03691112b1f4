//! `carrel backup` and `carrel restore`

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;
use crate::lock::IndexLock;
use crate::progress::bytes_bar;
use crate::second_person::{self, Permit, SecondPerson};
use crate::site::{Failure, Site};
use ::audit::{Action, Actor, Event, Outcome as Ended};
use identity::Wish;
use operations::backup::{self, BackupError, Made, Recipient, Restored, Secret, Vault};
use serde_json::{Value, json};
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
    /// Put it in place of what the data directory holds, which is moved aside; with approvals.restore somebody else has
    /// to agree
    #[arg(long)]
    replace: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    second_person: SecondPerson,
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
            // Its database may be large, and where temporary files go may be memory; another machine has no data directory.
            let scratch = Some(&configuration.data).filter(|data| data.is_dir()).cloned();
            let (bar, scratch) = (bytes_bar(), scratch.unwrap_or_else(std::env::temp_dir));
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
    let occupied = match backup::holds_something(&configuration.data) {
        true if !arguments.replace => return Err(BackupError::NotEmpty(configuration.data.clone()).into()),
        true => Some(Occupied::open(configuration, &vault, &name, &arguments.second_person).await?),
        false => None,
    };
    let bar = bytes_bar();
    let shown = bar.clone();
    let progress = move |done, total| {
        shown.set_length(total);
        shown.set_position(done);
    };
    let prepared = backup::prepare(vault, name, secret, &configuration.data, progress).await;
    bar.finish_and_clear();
    let prepared = prepared?;
    let replaced = match occupied {
        Some(occupied) => Some(occupied.leave().await?),
        None => None,
    };
    let (restored, aside) = prepared.put_in_place()?;
    // The chain goes on where the backup ended, and says so; and where the other chain ended that it takes the place of.
    let site = Site::open(configuration).await?;
    let mut detail = json!(restored);
    if let (Some((mut replaced, _lock)), Some(aside)) = (replaced, &aside) {
        replaced["moved_to"] = json!(aside);
        detail["replaced"] = replaced;
    }
    let event = Event::new(Action::BackupRestored, &Actor::console(), site.operation());
    let mut act = site.store.begin().await?;
    act.record(event.on("backup", &restored.snapshot, &restored.snapshot).detail(detail)).await?;
    act.commit().await?;
    say(&restored, arguments.json, "was restored");
    if !arguments.json {
        if let Some(aside) = aside {
            println!("what was there is in {}; delete it when you are sure", aside.display());
        }
        println!("the index is made anew when the server starts");
    }
    Ok(())
}

/// A data directory that a backup is to take the place of.
struct Occupied {
    site: Site,
    permit: Permit,
    /// No server may begin there meanwhile.
    lock: IndexLock,
}

impl Occupied {
    /// Whether this backup may take its place, and nobody works there now.
    async fn open(
        configuration: &Configuration,
        vault: &Vault,
        name: &str,
        second_person: &SecondPerson,
    ) -> Result<Self, Failure> {
        let data = &configuration.data;
        if !data.join("carrel.db").exists() {
            let what =
                "holds something that is no data directory of this product; look at it, and move it away by hand";
            return Err(format!("{} {what}", data.display()).into());
        }
        let site = Site::open(configuration).await.map_err(|error| {
            format!("what is in {} cannot be opened ({error}); move it away by hand and restore anew", data.display())
        })?;
        let wish = Wish::Restore { snapshot: name.to_owned(), digest: vault.digest(name)?.to_string() };
        let summary = format!("Restore the backup {name} in place of everything that is here now");
        let needed = site.identity.restore_needs_approval();
        let permit = second_person::permit(&site, needed, wish, &summary, second_person).await?;
        let running = "a server works in this data directory; stop it, and run this again";
        let lock = IndexLock::acquire(data)?.ok_or(running)?;
        Ok(Self { site, permit, lock })
    }

    /// Spends the agreement and closes the database. What the restored log says of the one that it takes the place of.
    async fn leave(self) -> Result<(Value, IndexLock), Failure> {
        let Self { site, permit, lock } = self;
        let approval = permit.take(&site).await?;
        let last = site.store.audit_last().await?.map(|(count, hash)| (count, hash.to_string()));
        let (events, hash) = last.unzip();
        site.store.close().await;
        Ok((json!({ "audit_events": events, "audit_hash": hash, "approval": approval }), lock))
    }
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
