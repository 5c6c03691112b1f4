//! Scan: a look at files on a disk, which takes in what changed since the last look and nothing else.
//!
//! A file whose size and time are those of the last look is not opened. One whose bytes are known under a path that is
//! gone was renamed. What becomes of documents whose files are gone is for the folder's [`Removal`] to say.

use crate::sidecar;
use crate::stage::{Incoming, Origin, Stage, StageError, Staged};
use audit::{Action, Actor, Event};
use domain::{ContentHash, OperationId};
use jiff::Timestamp;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::fs::Metadata as FileMetadata;
use std::io;
use std::path::{Path, PathBuf};
use storage::{Found, KnownSource, Removal};

/// Files taken in together, and their bytes in sum.
const GROUP: usize = 64;
const GROUP_BYTES: usize = 16 << 20;

/// A file on a disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileSeen {
    /// What it is called in its collection: its path from the folder on, with `/` between parts.
    pub source: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was last changed, to the millisecond.
    pub modified_at: Timestamp,
}

/// What a look did.
#[derive(Debug, Clone, Default)]
pub struct Scanned {
    /// Counts.
    pub found: Found,
    /// Source of each file that could not be taken in, and why.
    pub failed: Vec<(String, String)>,
}

/// All files under `roots`: a file stands for itself, a folder for everything in it. Hidden ones are passed over, and
/// so are links, which may lead out of the folder. In the order of their sources.
///
/// # Errors
/// A root that cannot be read. What cannot be read further down is reported with the files.
pub fn files(roots: &[PathBuf]) -> io::Result<(Vec<FileSeen>, Vec<(String, String)>)> {
    let (mut seen, mut failed) = (Vec::new(), Vec::new());
    for root in roots {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", root.display()));
        let kind = std::fs::metadata(root).map_err(named)?;
        if kind.is_dir() {
            std::fs::read_dir(root).map_err(named)?;
            walk(root, root, &mut seen, &mut failed);
        } else {
            let name =
                root.file_name().map_or_else(|| root.display().to_string(), |n| n.to_string_lossy().into_owned());
            seen.push(file_seen(name, root.clone(), &kind));
        }
    }
    seen.sort();
    Ok((seen, failed))
}

fn walk(root: &Path, folder: &Path, seen: &mut Vec<FileSeen>, failed: &mut Vec<(String, String)>) {
    let source = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return failed.push((source(folder), error.to_string())),
    };
    for entry in entries {
        let looked = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?, entry)));
        let (path, kind, entry) = match looked {
            Ok(looked) => looked,
            Err(error) => {
                failed.push((source(folder), error.to_string()));
                continue;
            }
        };
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || name.starts_with("~$") || matches!(&*name, "Thumbs.db" | "desktop.ini") {
            continue;
        }
        if kind.is_dir() {
            walk(root, &path, seen, failed);
        } else if kind.is_file() {
            match entry.metadata() {
                Ok(metadata) => seen.push(file_seen(source(&path), path, &metadata)),
                Err(error) => failed.push((source(&path), error.to_string())),
            }
        }
    }
}

fn file_seen(source: String, path: PathBuf, metadata: &FileMetadata) -> FileSeen {
    let modified_at = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok()).unwrap_or_default();
    // As the database keeps it.
    let modified_at = Timestamp::from_millisecond(modified_at.as_millisecond()).unwrap_or_default();
    FileSeen { source, path, size_bytes: metadata.len(), modified_at }
}

impl Stage {
    /// Takes in what changed among `seen` since the last look, and does with the documents of `origin.folder` whose
    /// files are gone what `removal` says; without a folder nothing counts as gone. `progress` is told how many files
    /// have been dealt with.
    ///
    /// # Errors
    /// A failing disk or database; what was done until then stays done, and the next look does the rest.
    pub async fn take_in_changes(
        &self,
        origin: &Origin<'_>,
        seen: &[FileSeen],
        removal: Removal,
        actor: &Actor,
        operation: OperationId,
        mut progress: impl FnMut(usize),
    ) -> Result<Scanned, StageError> {
        let known = self.store().known_sources(origin.collection.id, None).await?;
        let known: HashMap<&str, &KnownSource> = known.iter().map(|known| (known.source.as_str(), known)).collect();
        let sidecars: HashMap<&str, &FileSeen> =
            seen.iter().filter_map(|file| Some((sidecar::described(&file.source)?, file))).collect();
        let there: HashSet<&str> = seen.iter().map(|file| file.source.as_str()).collect();
        let is_gone = |known: &KnownSource| {
            origin.folder.is_some() && known.folder == origin.folder && !there.contains(known.source.as_str())
        };
        let mut gone: HashMap<ContentHash, Vec<&KnownSource>> = HashMap::new();
        for known in known.values().filter(|known| is_gone(known)) {
            gone.entry(known.content).or_default().push(known);
        }

        let mut scanned = Scanned::default();
        let mut group = Vec::new();
        let mut group_bytes = 0;
        for (place, file) in seen.iter().enumerate() {
            if sidecar::described(&file.source).is_some_and(|described| there.contains(described)) {
                continue;
            }
            scanned.found.files += 1;
            let beside = sidecars.get(file.source.as_str());
            // The later of both, so that a changed sidecar is noticed.
            let modified_at = beside.map_or(file.modified_at, |beside| beside.modified_at.max(file.modified_at));
            let same = known.get(file.source.as_str()).is_some_and(|known| {
                known.in_use && known.seen == Some((file.size_bytes, modified_at)) && known.folder == origin.folder
            });
            if same {
                continue;
            }
            if file.size_bytes > self.largest_file() {
                let error = StageError::TooLarge { size: file.size_bytes, limit: self.largest_file() };
                scanned.failed.push((file.source.clone(), error.to_string()));
                continue;
            }
            let incoming = match read(file, beside.copied(), modified_at).await {
                Ok(incoming) => incoming,
                Err(error) => {
                    scanned.failed.push((file.source.clone(), error));
                    continue;
                }
            };
            if !known.contains_key(file.source.as_str())
                && !gone.is_empty()
                && let Some(from) = gone.get_mut(&ContentHash::of(&incoming.bytes)).and_then(Vec::pop)
            {
                self.rename(origin, from, &incoming, actor, operation).await?;
                scanned.found.renamed += 1;
                continue;
            }
            group_bytes += incoming.bytes.len();
            group.push(incoming);
            if group.len() >= GROUP || group_bytes >= GROUP_BYTES {
                self.take_in_group(origin, std::mem::take(&mut group), actor, operation, &mut scanned).await?;
                group_bytes = 0;
                progress(place + 1);
            }
        }
        self.take_in_group(origin, group, actor, operation, &mut scanned).await?;
        progress(seen.len());
        for known in gone.into_values().flatten() {
            scanned.found.gone += 1;
            self.remove(origin, known, removal, actor, operation).await?;
        }
        scanned.found.failed = scanned.failed.len() as u64;
        Ok(scanned)
    }

    async fn take_in_group(
        &self,
        origin: &Origin<'_>,
        group: Vec<Incoming>,
        actor: &Actor,
        operation: OperationId,
        scanned: &mut Scanned,
    ) -> Result<(), StageError> {
        if group.is_empty() {
            return Ok(());
        }
        let sources: Vec<String> = group.iter().map(|file| file.source.clone()).collect();
        for (source, staged) in sources.into_iter().zip(self.submit_all(origin, group, actor, operation).await?) {
            match staged {
                Ok(Staged::Queued(..) | Staged::Duplicate(_)) => scanned.found.changed += 1,
                Ok(Staged::Unchanged(_)) => {}
                Err(error) => scanned.failed.push((source, error.to_string())),
            }
        }
        Ok(())
    }

    async fn rename(
        &self,
        origin: &Origin<'_>,
        from: &KnownSource,
        to: &Incoming,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), StageError> {
        let collection = origin.collection.id;
        let mut act = self.store().begin().await?;
        act.rename_source(collection, &from.source, &to.source).await?;
        let modified_at = to.modified_at.unwrap_or_else(|| act.now());
        act.see_source(collection, &to.source, origin.folder, to.bytes.len() as u64, modified_at).await?;
        let detail = json!({ "from": from.source, "to": to.source });
        let event = Event::new(Action::DocumentMoved, actor, operation).on("document", from.document, &to.source);
        act.record(event.detail(detail)).await?;
        Ok(act.commit().await?)
    }

    /// Does with a document whose file is gone what the folder says.
    async fn remove(
        &self,
        origin: &Origin<'_>,
        gone: &KnownSource,
        removal: Removal,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<(), StageError> {
        if removal == Removal::Keep {
            return Ok(());
        }
        let mut act = self.store().begin().await?;
        let Some(document) = act.document(gone.document).await? else { return Ok(()) };
        let event = |action| Event::new(action, actor, operation).on("document", document.id, &document.title);
        let detail = json!({ "source": gone.source, "reason": "its file is gone" });
        if act.source_count(document.id).await? > 1 {
            act.drop_source(origin.collection.id, &gone.source).await?;
            act.record(event(Action::DocumentMoved).detail(detail)).await?;
        } else if removal == Removal::Delete {
            act.supersede(document.id).await?;
            act.delete_document(document.id).await?;
            act.record(event(Action::DocumentDeleted).detail(detail)).await?;
        } else if !document.hidden {
            act.hide(document.id, true).await?;
            act.record(event(Action::DocumentHidden).detail(detail)).await?;
        } else {
            return Ok(());
        }
        Ok(act.commit().await?)
    }
}

/// The bytes of a file, and what the one beside it says of it.
async fn read(file: &FileSeen, beside: Option<&FileSeen>, modified_at: Timestamp) -> Result<Incoming, String> {
    let bytes = tokio::fs::read(&file.path).await.map_err(|error| error.to_string())?;
    let sidecar = match beside {
        Some(beside) => {
            let text = tokio::fs::read(&beside.path).await.map_err(|error| format!("its sidecar file: {error}"))?;
            Some(sidecar::parse(&text)?)
        }
        None => None,
    };
    Ok(Incoming { source: file.source.clone(), bytes, modified_at: Some(modified_at), sidecar })
}
