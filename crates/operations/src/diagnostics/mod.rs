//! Diagnostics: what a supplier needs to help, in one file, and nothing of what the site keeps to itself.
//!
//! Nothing is taken out of texts afterwards: what goes in is made of numbers, of words that stand in this program, and
//! of names that are the operating system's. Text of documents, questions, names of files, collections, models and people
//! have no way in. A test plants marks in all of these and looks for them in the bundle.

mod configuration;
mod journal;
mod machine;

pub use configuration::without_secrets;

use crate::doctor::Finding;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::Path;
use storage::{StorageError, Store};

const README: &str = "\
Diagnostics of a Carrel appliance.

versions.json       release, schema, kernel, processor, memory
configuration.json  the settings: numbers and switches as they are; texts are only said to be set
doctor.json         what 'carrel doctor' found, without its sentences about this site: code, state, figures, advice
counts.json         rows of tables, jobs by state, acts in the last 30 days by kind
timings.json        milliseconds of the latest answers
models.json         kind, architecture, size and hash of models, without their names
disk.json           bytes by folder, free space
journal.txt         what systemd said of the units, and how often the program said something, by hour

Not in it: text of documents, questions and answers, names of people, groups, collections, files and models, keys,
passwords, addresses, the audit log. It can be read with tar and any text editor before it is sent.
";

/// How far back acts are counted.
const WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Answers that timings are of.
const ANSWERS: u32 = 500;

/// What whoever asks for diagnostics knows.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The release of this program.
    pub release: &'static str,
    /// The configuration, by [`without_secrets`].
    pub configuration: Value,
    /// What the doctor found.
    pub findings: Vec<Finding>,
    /// Passages in the index, if it is open.
    pub indexed_passages: Option<u64>,
}

/// Why there are no diagnostics.
#[derive(Debug, thiserror::Error)]
pub enum DiagnosticsError {
    /// The file could not be written.
    #[error("the bundle could not be written: {0}")]
    File(#[from] io::Error),
    /// The working thread was lost.
    #[error("it was interrupted; try again")]
    Interrupted,
}

/// Writes the bundle, a compressed tar archive, and gives the writer back. Without a database, or with one that cannot be
/// read, it holds what can be told without.
///
/// # Errors
/// [`DiagnosticsError`].
pub async fn write<W: Write + Send + 'static>(
    store: Option<&Store>,
    facts: Facts,
    data: &Path,
    to: W,
) -> Result<W, DiagnosticsError> {
    let mut members: Vec<(&'static str, Value)> = vec![("configuration.json", facts.configuration)];
    let found: Vec<Value> = facts.findings.iter().map(shared).collect();
    members.push(("doctor.json", Value::from(found)));
    let mut schema = Value::Null;
    if let Some(store) = store {
        // One part that cannot be read must not keep the others back: that is when they are needed.
        members.push(("counts.json", counts(store).await.unwrap_or_else(|error| unreadable(&error))));
        members.push(("timings.json", timings(store).await.unwrap_or_else(|error| unreadable(&error))));
        members.push(("models.json", models(store).await.unwrap_or_else(|error| unreadable(&error))));
        schema = store.schema_version().await.map_or(Value::Null, Value::from);
    }
    let data = data.to_owned();
    let (release, passages) = (facts.release, facts.indexed_passages);
    let made_at = store.map(|store| store.environment().now().as_second());
    let packed = tokio::task::spawn_blocking(move || {
        let mut versions = machine::versions();
        versions["release"] = release.into();
        versions["schema"] = schema;
        versions["indexed_passages"] = passages.into();
        members.push(("versions.json", versions));
        members.push(("disk.json", machine::disk(&data)));
        let time = u64::try_from(made_at.unwrap_or(0)).unwrap_or(0);
        let mut archive = tar::Builder::new(GzEncoder::new(to, Compression::default()));
        add(&mut archive, "README.txt", README.as_bytes(), time)?;
        for (name, value) in &members {
            add(&mut archive, name, format!("{value:#}\n").as_bytes(), time)?;
        }
        add(&mut archive, "journal.txt", journal::excerpt().as_bytes(), time)?;
        archive.into_inner()?.finish()
    });
    Ok(packed.await.map_err(|_| DiagnosticsError::Interrupted)??)
}

fn add<W: Write>(archive: &mut tar::Builder<W>, name: &str, bytes: &[u8], time: u64) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o600);
    header.set_mtime(time);
    archive.append_data(&mut header, format!("carrel-diagnostics/{name}"), bytes)
}

/// A finding without what it says of this site.
fn shared(finding: &Finding) -> Value {
    let Finding { code, state, why, advice, figures, .. } = finding;
    json!({ "code": code, "state": state, "why": why, "advice": advice, "figures": figures })
}

/// Which kind of fault; its sentence may name files.
fn unreadable(error: &StorageError) -> Value {
    let kind = match error {
        StorageError::Damaged { .. } => "damaged",
        StorageError::Busy => "busy",
        StorageError::Full => "full",
        StorageError::ReadOnly => "read-only",
        StorageError::Newer => "newer",
        _ => "other",
    };
    json!({ "unreadable": kind })
}

async fn counts(store: &Store) -> Result<Value, StorageError> {
    let now = store.environment().now();
    let since = now.checked_sub(WINDOW).unwrap_or(now);
    let rows: serde_json::Map<String, Value> =
        store.row_counts().await?.into_iter().map(|(table, rows)| (table.to_owned(), rows.into())).collect();
    let jobs: serde_json::Map<String, Value> = store
        .jobs_by_state()
        .await?
        .into_iter()
        .map(|(state, jobs)| (state.as_str().to_owned(), jobs.into()))
        .collect();
    let acts = store.audit_counts(since, now).await?;
    let acts: serde_json::Map<String, Value> =
        acts.into_iter().map(|act| (act.action.as_str().to_owned(), act.count.into())).collect();
    let waiting = store.index_changes(0, 10_000).await?.len();
    let (documents, passages) = store.unembedded_count().await?;
    let folders = store.folders().await?;
    let failing = folders.iter().filter(|folder| folder.problem.is_some()).count();
    Ok(json!({
        "rows": rows,
        "jobs": jobs,
        "acts_30_days": acts,
        "outbox": waiting,
        "without_vectors": { "documents": documents, "passages": passages },
        "watched_folders": { "all": folders.len(), "failing": failing },
    }))
}

async fn timings(store: &Store) -> Result<Value, StorageError> {
    let mut times = store.answer_times(ANSWERS).await?;
    times.sort_unstable();
    let at = |share: usize| times.get(times.len().saturating_sub(1) * share / 100).copied();
    Ok(json!({ "answers": times.len(), "ms": { "p50": at(50), "p95": at(95), "max": at(100) } }))
}

async fn models(store: &Store) -> Result<Value, StorageError> {
    let told = store.models().await?.into_iter().map(|model| {
        let info = |name: &str| model.info.get(name).filter(|value| value.is_number()).cloned();
        // Reading a pack accepts only architectures that this program knows by name.
        let architecture = model.info.get("architecture").and_then(Value::as_str).map(known_word);
        let quantisation = model.info.get("quantisation").and_then(Value::as_str).map(known_word);
        json!({
            "kind": model.kind,
            "state": model.state().as_str(),
            "architecture": architecture,
            "quantisation": quantisation,
            "size_bytes": info("size_bytes"),
            "context_tokens": info("context_tokens"),
            "dimension": info("dimension"),
            "sha256": model.sha256,
            "resident_bytes": model.resident_bytes,
            "problem": model.problem.is_some(),
        })
    });
    Ok(told.collect())
}

/// Short words of letters, digits and `_`, as architectures and quantisations are; anything else is not shown.
fn known_word(word: &str) -> &str {
    let plain = word.len() <= 16 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain { word } else { "other" }
}
