//! Scan: a look at files on a disk, which takes in what changed since the last look and nothing else.
//!
//! A file whose size and time are those of the last look is not opened. One whose bytes are known under a path that is
//! gone was renamed. What becomes of documents whose files are gone is for the folder's [`Removal`] to say.

use crate::files::{FileSeen, ReadFile, Tree, read_settled};
use crate::job::title_of;
use crate::sidecar;
use crate::stage::{Incoming, Origin, Stage, StageError, Staged};
use audit::{Action, Actor, Event};
use domain::{ContentHash, OperationId};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use storage::{Act, Batch, Found, KnownSource, Removal, StorageError};

/// Files taken in together, and their bytes in sum.
const GROUP: usize = 64;
const GROUP_BYTES: usize = 16 << 20;

/// What is to be taken in.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// What lies there.
    pub tree: Tree,
    /// Sources that are left for the next time, because they may not be whole yet.
    pub later: HashSet<String>,
    /// The batch of what is queued, added with its first job; with none, the origin's is taken to be there.
    pub batch: Option<Batch>,
    /// Look without touching anything.
    pub dry: bool,
}

/// What a look did.
#[derive(Debug, Clone, Default)]
pub struct Scanned {
    /// Counts.
    pub found: Found,
    /// Files that turned out to be one more place of a known document.
    pub duplicates: u64,
    /// Files whose documents are what they were.
    pub unchanged: u64,
    /// Sources that were, or of a dry run would be, taken in: new, changed or renamed.
    pub changed: Vec<String>,
    /// Source of each file that could not be taken in, and why.
    pub failed: Vec<(String, String)>,
    /// Sources that are being written to: the next look takes them in.
    pub changing: Vec<String>,
}

/// One scan under way.
struct Look<'a> {
    stage: &'a Stage,
    origin: &'a Origin<'a>,
    scan: &'a Scan,
    actor: &'a Actor,
    operation: OperationId,
    scanned: Scanned,
}

impl Stage {
    /// Takes in what changed in `scan` since the last look, and does with the documents of `origin.folder` whose files
    /// are gone what `removal` says; without a folder nothing counts as gone. `progress` is told how many files have
    /// been dealt with.
    ///
    /// Several may look at once: what one of them has taken in, the others find unchanged.
    ///
    /// # Errors
    /// A failing disk or database; what was done until then stays done, and the next look does the rest.
    pub async fn take_in_changes(
        &self,
        origin: &Origin<'_>,
        scan: &Scan,
        removal: Removal,
        actor: &Actor,
        operation: OperationId,
        mut progress: impl FnMut(usize),
    ) -> Result<Scanned, StageError> {
        let known = self.store().known_sources(origin.collection.id, None).await?;
        let known: HashMap<&str, &KnownSource> = known.iter().map(|known| (known.source.as_str(), known)).collect();
        let refused = match origin.folder {
            Some(_) => self.store().refused_sources(origin.collection.id).await?,
            None => HashSet::new(),
        };
        let files = &scan.tree.files;
        let sidecars: HashMap<&str, &FileSeen> =
            files.iter().filter_map(|file| Some((sidecar::described(&file.source)?, file))).collect();
        let mut gone = gone(origin, &scan.tree, known.values());

        let mut look = Look { stage: self, origin, scan, actor, operation, scanned: Scanned::default() };
        look.scanned.failed.clone_from(&scan.tree.unreadable);
        let (mut group, mut group_bytes) = (Vec::new(), 0);
        // Whether a file was passed over that may be one of those that seem to be gone, under its new name.
        let mut unsure = false;
        for (place, file) in files.iter().enumerate() {
            if sidecar::described(&file.source).is_some() {
                continue;
            }
            look.scanned.found.files += 1;
            let beside = sidecars.get(file.source.as_str()).copied();
            // The later time and the sum of sizes, so that a sidecar that comes, changes or goes is noticed.
            let modified_at = beside.map_or(file.modified_at, |beside| beside.modified_at.max(file.modified_at));
            let size_bytes = file.size_bytes + beside.map_or(0, |beside| beside.size_bytes);
            let before = known.get(file.source.as_str());
            if before.is_some_and(|known| known.seen == Some((size_bytes, modified_at)) && is_settled(origin, known)) {
                look.scanned.unchanged += 1;
                continue;
            }
            if scan.later.contains(&file.source) || beside.is_some_and(|beside| scan.later.contains(&beside.source)) {
                look.scanned.changing.push(file.source.clone());
                unsure |= before.is_none();
                continue;
            }
            if file.size_bytes > self.largest_file() {
                let error = StageError::TooLarge { size: file.size_bytes, limit: self.largest_file() };
                look.scanned.failed.push((file.source.clone(), error.to_string()));
                continue;
            }
            let Some(incoming) = look.read(file, beside).await? else {
                unsure |= before.is_none();
                continue;
            };
            if before.is_none() && (!gone.is_empty() || !refused.is_empty()) {
                let content = ContentHash::of(&incoming.bytes);
                if let Some(from) = gone.get_mut(&content).and_then(Vec::pop) {
                    if look.rename(from, &incoming).await? {
                        look.scanned.found.renamed += 1;
                        look.scanned.changed.push(file.source.clone());
                        if scan.dry {
                            continue;
                        }
                    }
                } else if refused.contains(&(file.source.clone(), content)) {
                    look.scanned.unchanged += 1;
                    continue;
                }
            }
            if scan.dry {
                if before.is_some_and(|known| known.in_use && known.content == ContentHash::of(&incoming.bytes)) {
                    look.scanned.unchanged += 1;
                } else {
                    look.scanned.changed.push(file.source.clone());
                }
                continue;
            }
            group_bytes += incoming.bytes.len();
            group.push(incoming);
            if group.len() >= GROUP || group_bytes >= GROUP_BYTES {
                look.take_in(std::mem::take(&mut group)).await?;
                group_bytes = 0;
                progress(place + 1);
            }
        }
        look.take_in(group).await?;
        progress(files.len());
        if unsure && removal == Removal::Delete {
            // With a document its versions, label and readers would go. The look that knows the file deletes what is gone.
            gone.clear();
        }
        for known in gone.into_values().flatten() {
            look.scanned.found.gone += 1;
            if !scan.dry && removal != Removal::Keep && !(known.hidden && removal == Removal::Hide) {
                look.remove(known, removal).await?;
            }
        }
        // A renamed file is taken in under its new name as well, and is what it was.
        look.scanned.unchanged = look.scanned.unchanged.saturating_sub(look.scanned.found.renamed);
        look.scanned.found.failed = look.scanned.failed.len() as u64;
        Ok(look.scanned)
    }
}

/// What lay in the watched folder and does not any more, by its bytes. What lies in a part of it that cannot be read is
/// not gone.
fn gone<'a>(
    origin: &Origin<'_>,
    tree: &Tree,
    known: impl Iterator<Item = &'a &'a KnownSource>,
) -> HashMap<ContentHash, Vec<&'a KnownSource>> {
    let there: HashSet<&str> = tree.files.iter().map(|file| file.source.as_str()).collect();
    let unreadable = |source: &str| {
        tree.unreadable.iter().any(|(part, _)| {
            part.is_empty() || source.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let mut gone: HashMap<ContentHash, Vec<&KnownSource>> = HashMap::new();
    for known in known {
        let ours = origin.folder.is_some() && known.folder == origin.folder;
        if ours && !there.contains(known.source.as_str()) && !unreadable(&known.source) {
            gone.entry(known.content).or_default().push(known);
        }
    }
    gone
}

/// Whether a file that did not change needs no other look: its document is found or in work. In a watched folder, what
/// failed or was called off waits for a person, too; an import is one who tries again.
fn is_settled(origin: &Origin<'_>, known: &KnownSource) -> bool {
    match origin.folder {
        Some(_) => !known.hidden && known.folder == origin.folder,
        None => known.in_use || known.in_work && !known.hidden,
    }
}

impl Look<'_> {
    /// A file and what the one beside it says; none if that is not to be had now.
    async fn read(&mut self, file: &FileSeen, beside: Option<&FileSeen>) -> Result<Option<Incoming>, StageError> {
        let (seen, seen_beside) = (file.clone(), beside.cloned());
        let read = tokio::task::spawn_blocking(move || {
            let beside = seen_beside.map(|beside| (read_sidecar(&beside), beside));
            let modified_at = beside.as_ref().map_or(seen.modified_at, |(_, b)| b.modified_at.max(seen.modified_at));
            let sidecar_bytes = beside.as_ref().map_or(0, |(_, beside)| beside.size_bytes);
            let sidecar = match beside {
                Some((read, _)) => Some(read?),
                None => None,
            };
            let bytes = read_settled(&seen).map_err(|error| match error {
                ReadFile::Changing => None,
                ReadFile::Failed(error) => Some(error.to_string()),
            })?;
            let modified_at = Some(modified_at);
            Ok(Incoming { source: seen.source, bytes, modified_at, sidecar, sidecar_bytes })
        });
        match read.await {
            Ok(Ok(incoming)) => return Ok(Some(incoming)),
            Ok(Err(None)) => self.scanned.changing.push(file.source.clone()),
            Ok(Err(Some(reason))) => self.scanned.failed.push((file.source.clone(), reason)),
            Err(_) => self.scanned.failed.push((file.source.clone(), "reading it was interrupted".to_owned())),
        }
        Ok(None)
    }

    async fn take_in(&mut self, group: Vec<Incoming>) -> Result<(), StageError> {
        if group.is_empty() {
            return Ok(());
        }
        let sources: Vec<String> = group.iter().map(|file| file.source.clone()).collect();
        let batch = self.scan.batch.as_ref();
        let staged = self.stage.submit_group(self.origin, group, batch, self.actor, self.operation).await?;
        for (source, staged) in sources.into_iter().zip(staged) {
            match staged {
                Ok(Staged::Queued(..)) => {
                    self.scanned.found.changed += 1;
                    self.scanned.changed.push(source);
                }
                Ok(Staged::Duplicate(_)) => {
                    self.scanned.found.changed += 1;
                    self.scanned.duplicates += 1;
                }
                Ok(Staged::Unchanged(_)) => self.scanned.unchanged += 1,
                Err(error) => self.scanned.failed.push((source, error.to_string())),
            }
        }
        Ok(())
    }

    /// Gives a document that was at `from` its new path; `false` if somebody else did something with it meanwhile.
    /// What else is new of the file, its sidecar, is for [`Look::take_in`].
    async fn rename(&mut self, from: &KnownSource, to: &Incoming) -> Result<bool, StageError> {
        if self.scan.dry {
            return Ok(true);
        }
        let mut act = self.stage.store().begin().await?;
        match act.rename_source(self.origin.collection.id, from.document, &from.source, &to.source).await {
            Ok(true) => {}
            // A path of a file in it is taken: then it is a new document, and the old one is gone.
            Ok(false) | Err(StorageError::Conflict { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        act.retitle(from.document, &title_of(&from.source), &title_of(&to.source)).await?;
        let detail = json!({ "from": from.source, "to": to.source });
        let event =
            Event::new(Action::DocumentMoved, self.actor, self.operation).on("document", from.document, &to.source);
        act.record(event.detail(detail)).await?;
        act.commit().await?;
        Ok(true)
    }

    /// Does with a document whose file is gone what the folder says.
    async fn remove(&mut self, gone: &KnownSource, removal: Removal) -> Result<(), StageError> {
        let mut act = self.stage.store().begin().await?;
        // Somebody else may have dealt with it since this look began.
        let Some(document) = act.document_at(self.origin.collection.id, &gone.source).await? else { return Ok(()) };
        if document.id != gone.document {
            return Ok(());
        }
        let event =
            |action| Event::new(action, self.actor, self.operation).on("document", document.id, &document.title);
        let detail = json!({ "source": gone.source, "reason": "its file is gone" });
        if act.source_count(document.id).await? > 1 {
            act.drop_source(self.origin.collection.id, &gone.source).await?;
            act.record(event(Action::DocumentMoved).detail(detail)).await?;
        } else if removal == Removal::Delete {
            delete(&mut act, &document).await?;
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

async fn delete(act: &mut Act, document: &domain::Document) -> Result<(), StorageError> {
    act.supersede(document.id).await?;
    act.delete_document(document.id).await
}

/// What a sidecar file says, or why that cannot be known; no reason if it is being changed.
fn read_sidecar(seen: &FileSeen) -> Result<domain::Metadata, Option<String>> {
    if seen.size_bytes > sidecar::LARGEST {
        return Err(Some(format!("its sidecar file is larger than {} bytes", sidecar::LARGEST)));
    }
    match read_settled(seen) {
        Ok(text) => sidecar::parse(&text).map_err(Some),
        Err(ReadFile::Changing) => Err(None),
        Err(ReadFile::Failed(error)) => Err(Some(format!("its sidecar file: {error}"))),
    }
}
