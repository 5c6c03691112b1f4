//! A release on a host that is there already: laid beside the one in use; the database is copied, brought up and examined
//! by the new release, and then program and database change places together (docs/adr/0025).
//!
//! ```text
//! PROGRAM/releases/VERSION/   a release: carrel, doc, licences, …
//! PROGRAM/current             the link to the one in use
//! DATA/bundles/trial/         the copy while it is prepared
//! DATA/bundles/before/        the database as the release before left it, untouched
//! DATA/bundles/after-…/       what a rollback has put aside
//! ```

use super::adopt::Note;
use super::{Done, alone, described, owner, record};
use crate::config::Configuration;
use crate::site::{Failure, Site};
use ::audit::Action;
use domain::Environment;
use operations::bundle::{InForce, Kind, Ledger, Package, Refusal, Switch, require_space};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use storage::Store;

/// What a rollback needs to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Before {
    /// Where `current` led.
    release: PathBuf,
    /// The last event that both databases have, and one more: that of the bundle.
    events: u64,
}

fn program_folder(configuration: &Configuration) -> Result<PathBuf, Refusal> {
    let unset = "bundles.program names no folder, so that releases are not taken here; an appliance takes bundles of \
                 the kind 'system'";
    configuration.bundles.program.clone().ok_or_else(|| Refusal::Kind(unset.to_owned()))
}

/// Who can write to the ring decides what runs as root: nobody else may.
fn ring_is_ours(configuration: &Configuration) -> Result<(), Refusal> {
    let folder = configuration.bundles.ring(&configuration.data);
    let me = fs::metadata("/proc/self").map(|process| process.uid()).unwrap_or(u32::MAX);
    let ours = |found: fs::Metadata| found.uid() == me && found.mode() & 0o022 == 0;
    if !folder.exists() || fs::metadata(&folder).is_ok_and(ours) {
        return Ok(());
    }
    let sentence = "can be changed by others than whoever runs this; name a folder of root's as bundles.keys";
    Err(Refusal::Unsound(format!("{} {sentence}", folder.display())))
}

/// Runs a program of a release for the account that the data belong to.
fn output(binary: &Path, data: &Path, words: &[&str], account: (u32, u32)) -> Result<Output, Refusal> {
    let mut command = Command::new(binary);
    command.arg("--data").arg(data).args(words);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARREL_")) {
        command.env_remove(name);
    }
    let me = fs::metadata("/proc/self").map(|process| process.uid()).unwrap_or(u32::MAX);
    if me != account.0 {
        command.uid(account.0).gid(account.1);
    }
    command.output().map_err(|error| unfit(&format!("it does not run: {error}")))
}

fn unfit(sentence: &str) -> Refusal {
    Refusal::Unsound(format!("the release does not stand its test: {sentence}"))
}

/// The same, of a program that has to end well; what it printed.
fn release(binary: &Path, data: &Path, words: &[&str], account: (u32, u32)) -> Result<String, Refusal> {
    let output = output(binary, data, words, account)?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(unfit(String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// The checks that fail in the self-test of a release.
fn failing(binary: &Path, data: &Path, account: (u32, u32)) -> Result<BTreeSet<String>, Refusal> {
    let output = output(binary, data, &["selftest", "--quick", "--json"], account)?;
    if output.status.success() {
        return Ok(BTreeSet::new());
    }
    let report: Value =
        serde_json::from_slice(&output.stdout).map_err(|_| unfit(String::from_utf8_lossy(&output.stderr).trim()))?;
    let checks = report["checks"].as_array().into_iter().flatten();
    let failed = checks.filter(|check| check["state"] == "failed").filter_map(|check| check["check"].as_str());
    Ok(failed.map(str::to_owned).collect())
}

pub(super) async fn apply(configuration: &Configuration, site: Site, package: &Package) -> Result<Done, Failure> {
    let (program, data) = (program_folder(configuration)?, configuration.data.clone());
    ring_is_ours(configuration)?;
    let manifest = &package.manifest;
    let account = owner(&data)?;
    let link = program.join("current");
    let before = fs::read_link(&link).map_err(|_| {
        Refusal::Kind(format!("{} is no installation of ours: there is no link 'current'", program.display()))
    })?;
    let _lock = alone(configuration)?;
    // Room for the release, and for the copy that grows while it is brought up, before the first byte.
    require_space(&data, 2 * fs::metadata(data.join("carrel.db"))?.len())?;
    let home = PathBuf::from("releases").join(format!("{}-{}", manifest.version, &package.id[..12]));
    let bar = crate::progress::bytes_bar();
    let unpacked = package.unpack(&program.join(&home), &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    unpacked?;
    readable(&program.join(&home))?;
    let binary = program.join(&home).join("carrel");
    let said = release(&binary, &data, &["--version"], account)?;
    if said.split_whitespace().last() != Some(manifest.version.as_str()) {
        return Err(
            Refusal::Unsound(format!("it says '{}', and the manifest '{}'", said.trim(), manifest.version)).into()
        );
    }

    let known = failing(&program.join(&before).join("carrel"), &data, account).unwrap_or_default();
    let trial = fresh(&data.join("bundles/trial"), account)?;
    site.store.copy_to(&trial.join("carrel.db")).await?;
    chown(trial.join("carrel.db"), Some(account.0), Some(account.1))?;
    fs::set_permissions(trial.join("carrel.db"), fs::Permissions::from_mode(0o600))?;
    let end = site.store.audit_last().await?.map(|(count, hash)| (count, hash.to_string()));
    let events = end.as_ref().map_or(0, |(count, _)| *count) + 1;
    let kept = json!(Before { release: before.clone(), events });
    let note = Note {
        end,
        action: Action::BundleApplied,
        bundle: (package.id.clone(), format!("program {}", manifest.version)),
        detail: record::detail(package),
        ledger: record::ledger_with(&site, package, kept).await?,
    };
    let adopted = adopt(&binary, &trial, &note, account);
    site.store.close().await;
    let adopted = adopted?;

    let aside = fresh(&data.join("bundles/before"), account)?;
    let switch = Switch { aside, from: trial, program: Some((link.clone(), home)), drop_index: false };
    switch.run(&data)?;
    // What was wrong before, such as that no model is here yet, is not the release's fault.
    let tested = failing(&binary, &data, account).and_then(|failing| {
        let new: Vec<&str> = failing.difference(&known).map(String::as_str).collect();
        if new.is_empty() { Ok(()) } else { Err(unfit(&format!("{} failed, and did not before", new.join(", ")))) }
    });
    if let Err(refusal) = tested {
        // Nobody has seen it yet: back to what was, at once.
        let aside = fresh(&data.join("bundles").join(format!("failed-{}", manifest.version)), account)?;
        let back =
            Switch { aside, from: data.join("bundles/before"), program: Some((link, before)), drop_index: false };
        back.run(&data)?;
        return Err(refusal.into());
    }
    let mut value = described(package);
    value["schema"] = adopted["schema"].clone();
    let sentence = format!(
        "release {} is in force, with the database brought up on a copy; start it with 'systemctl start carrel.service'.\n\
         'carrel bundle rollback program' goes back to {} and to the database as it was",
        manifest.version,
        before.display()
    );
    Ok(Done { value, sentence })
}

/// An empty folder that only the service's account looks into.
fn fresh(folder: &Path, account: (u32, u32)) -> Result<PathBuf, Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for place in [folder.parent().unwrap_or(folder), folder] {
        chown(place, Some(account.0), Some(account.1))?;
        fs::set_permissions(place, fs::Permissions::from_mode(0o700))?;
    }
    Ok(folder.to_owned())
}

/// A release may be read and run by everybody, like any program.
fn readable(folder: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            readable(&path)?;
        } else {
            let runs = matches!(path.extension().and_then(|end| end.to_str()), None | Some("sh"));
            fs::set_permissions(&path, fs::Permissions::from_mode(if runs { 0o755 } else { 0o644 }))?;
        }
    }
    Ok(fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?)
}

fn adopt(binary: &Path, folder: &Path, note: &Note, account: (u32, u32)) -> Result<Value, Failure> {
    let file = folder.join("note.json");
    fs::write(&file, serde_json::to_vec(note)?)?;
    chown(&file, Some(account.0), Some(account.1))?;
    let words = ["bundle", "adopt", "--note", &file.to_string_lossy()];
    let said = release(binary, folder, &words, account);
    let _ = fs::remove_file(&file);
    Ok(serde_json::from_str(&said?)?)
}

pub(super) async fn rollback(configuration: &Configuration, entry: &InForce, discard: bool) -> Result<Done, Failure> {
    let (program, data) = (program_folder(configuration)?, configuration.data.clone());
    let _lock = alone(configuration)?;
    let account = owner(&data)?;
    let before: Before = serde_json::from_value(entry.before.clone())?;
    let binary = program.join(&before.release).join("carrel");
    let kept = data.join("bundles/before");
    if !binary.is_file() || !kept.join("carrel.db").is_file() {
        return Err(
            "the release before, or its database, is no longer there; restore a backup made before the update".into()
        );
    }
    let store = Store::examine(&data.join("carrel.db"), Environment::system()).await?;
    let end = store.audit_last().await?;
    let (events, head) = end.map_or((0, String::new()), |(count, hash)| (count, hash.to_string()));
    let since = events.saturating_sub(before.events);
    let lost = lost(&store, entry).await?;
    store.close().await;
    if since > 0 && !discard {
        return Err(format!(
            "{since} events were written since release {} was taken ({lost}): going back gives them up. With \
             --discard-since it is done, and the database is put aside, not thrown away",
            entry.version
        )
        .into());
    }
    let stamp = Environment::system().now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let aside = data.join("bundles").join(format!("after-{}-{stamp}", entry.version));
    let old = Store::examine(&kept.join("carrel.db"), Environment::system()).await?;
    let mut ledger = Ledger::read(&old).await?;
    old.close().await;
    ledger.set(Kind::Program, InForce { rolled_back: true, ..entry.clone() });
    // The log that is given up is named by its end in the one that goes on: it cannot be denied later that it was there.
    let detail = json!({
        "kind": "program", "version": entry.version, "sequence": entry.sequence, "discarded_events": since,
        "discarded_head": head, "discarded_events_all": events, "kept_in": aside,
    });
    let bundle = (entry.id.clone(), format!("program {}", entry.version));
    let note = Note { end: None, action: Action::BundleRolledBack, bundle, detail, ledger };
    adopt(&binary, &kept, &note, account)?;
    let aside = fresh(&aside, account)?;
    let link = program.join("current");
    let switch = Switch {
        aside: aside.clone(),
        from: kept,
        program: Some((link, before.release.clone())),
        drop_index: since > 0,
    };
    switch.run(&data)?;
    let sentence = format!(
        "{} is in force again, with its database; {since} events written since are put aside in {}.\n\
         Start it with 'systemctl start carrel.service'{}",
        before.release.display(),
        aside.display(),
        if since > 0 { "; the index is made anew, and watched folders are looked at again" } else { "" }
    );
    let value = json!({ "kind": "program", "rolled_back": entry.version, "discarded_events": since, "kept_in": aside });
    Ok(Done { value, sentence })
}

/// What people would miss, in a few words.
async fn lost(store: &Store, entry: &InForce) -> Result<String, Failure> {
    let counts = store.audit_counts(entry.applied_at, store.environment().now()).await?;
    let of = |action: Action| counts.iter().find(|count| count.action == action).map_or(0, |count| count.count);
    Ok(format!(
        "{} documents taken in, {} deleted, {} questions, {} accounts made or changed",
        of(Action::DocumentUploaded),
        of(Action::DocumentDeleted),
        of(Action::QuestionAsked),
        of(Action::UserCreated) + of(Action::UserChanged)
    ))
}
