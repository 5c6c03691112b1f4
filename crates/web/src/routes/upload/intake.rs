//! The way of an upload's files into the collection, whichever way they came.

use super::source::{clean, file_name, passed_over};
use crate::app::App;
use crate::error::WebError;
use crate::views::FileOutcome;
use ::audit::Actor;
use axum::extract::multipart::{Field, MultipartError};
use domain::{AccessScope, BatchId, Collection, DocumentId, Label, Metadata, OperationId};
use ingest::{Incoming, Origin, Staged, sidecar};
use std::collections::HashMap;
use storage::Batch;

/// Files taken in together, and their bytes in sum.
const GROUP: usize = 64;
const GROUP_BYTES: usize = 16 << 20;
/// Most files in one request.
const MOST_FILES: usize = 20_000;
/// Largest sidecar file in bytes.
const SIDECAR_BYTES: u64 = 256 << 10;
/// Longest title of a batch, in characters.
const TITLE: usize = 120;
/// Files whose other name is looked up.
const NAMED: u64 = 200;

/// An upload while it comes in. What it holds in memory is one group of files, however many there are.
pub(crate) struct Intake<'a> {
    app: &'a App,
    collection: &'a Collection,
    /// What the submitter may read: says whose names may be told.
    scope: AccessScope,
    actor: Actor,
    operation: OperationId,
    label: Option<Label>,
    title: Option<String>,
    batch: Option<BatchId>,
    /// Whether the batch is of this request.
    began: bool,
    /// Files that are whole but not taken in yet, with their place among `received.files`.
    group: Vec<(usize, Incoming)>,
    group_bytes: usize,
    /// What sidecar files say of files that did not come yet: by the file's path, with the sidecar's own place.
    sidecars: HashMap<String, (usize, Metadata)>,
    /// Documents of the files that were taken in, by path.
    taken: HashMap<String, DocumentId>,
    received: Received,
}

/// What came of an upload.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// The batch that the files are in, if any was taken in.
    pub(crate) batch: Option<BatchId>,
    /// Files that wait to be read.
    pub(crate) queued: u64,
    /// Files that had not changed.
    pub(crate) unchanged: u64,
    /// Files whose bytes are known under another name.
    pub(crate) known: u64,
    /// Files that were not taken in.
    pub(crate) failed: u64,
    /// Every file with what became of it, in the order in which they came; sidecar files that found theirs are not
    /// among them.
    pub(crate) files: Vec<(String, FileOutcome)>,
}

impl<'a> Intake<'a> {
    pub(crate) fn new(
        app: &'a App,
        collection: &'a Collection,
        scope: AccessScope,
        actor: Actor,
        operation: OperationId,
    ) -> Self {
        Self {
            app,
            collection,
            scope,
            actor,
            operation,
            label: None,
            title: None,
            batch: None,
            began: false,
            group: Vec::new(),
            group_bytes: 0,
            sidecars: HashMap::new(),
            taken: HashMap::new(),
            received: Received::default(),
        }
    }

    /// The label of new documents from here on.
    pub(crate) const fn set_label(&mut self, label: Label) {
        self.label = Some(label);
    }

    /// What the batch is called. Without it, it is called by its file, or by how many there are.
    pub(crate) fn set_title(&mut self, title: &str) {
        let title: String = title.chars().filter(|c| !c.is_control()).take(TITLE).collect();
        self.title = Some(title.trim().to_owned()).filter(|title| !title.is_empty());
    }

    /// Goes on only if the disk has room for what is to come: a refusal before a file was read tells sooner.
    ///
    /// # Errors
    /// [`WebError::NoRoom`].
    pub(crate) fn require_room(&self) -> Result<(), WebError> {
        self.app.stage.reserve().require(self.group_bytes as u64).map_err(WebError::NoRoom)
    }

    /// Puts the files into a batch that an earlier request of the same person began.
    ///
    /// # Errors
    /// There is no such batch for this person in this collection.
    pub(crate) async fn go_on_with(&mut self, batch: &str) -> Result<(), WebError> {
        let id: BatchId = batch.parse().map_err(|_| WebError::NotFound)?;
        let batch = self.app.store.batch(id).await?.ok_or(WebError::NotFound)?;
        if batch.collection != self.collection.id || batch.submitted_by != self.actor.user {
            return Err(WebError::NotFound);
        }
        self.batch = Some(id);
        Ok(())
    }

    /// Reads one file to its end; the group it completes is taken in. What is wrong with it costs only itself.
    ///
    /// # Errors
    /// A failing disk or database; inside, that the connection broke.
    pub(crate) async fn take(&mut self, field: Field<'_>) -> Result<Result<(), MultipartError>, WebError> {
        let given = field.file_name().unwrap_or_default().to_owned();
        if given.is_empty() {
            // A form whose chooser was left empty has one file without a name.
            return Ok(Ok(()));
        }
        let cleaned = clean(&given);
        let source = cleaned.clone().unwrap_or_else(|| given.chars().filter(|c| !c.is_control()).take(200).collect());
        let described = sidecar::described(&source).map(str::to_owned);
        let largest = if described.is_some() { SIDECAR_BYTES } else { self.app.stage.largest_file() };
        let (bytes, size) = match read(field, largest).await {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        if passed_over(&source) {
            return Ok(Ok(()));
        }
        let wrong = if cleaned.is_none() {
            Some("its name cannot be used; give it a shorter one".to_owned())
        } else if self.received.files.len() >= MOST_FILES {
            Some(format!("an upload has at most {MOST_FILES} files; send the others in another one"))
        } else if size == 0 {
            Some("the file is empty".to_owned())
        } else if size > largest {
            let (size, largest) = (crate::show::size(size), crate::show::size(largest));
            Some(format!("the file is too large ({size}); at most {largest} are taken in"))
        } else {
            None
        };
        let at = self.received.files.len();
        if let Some(reason) = wrong {
            self.received.files.push((source, FileOutcome::Failed(reason)));
        } else if let Some(described) = described {
            match sidecar::parse(&bytes) {
                Ok(metadata) => self.describe(source, described, metadata).await?,
                Err(reason) => self.received.files.push((source, FileOutcome::Failed(reason))),
            }
        } else {
            let sidecar = self.sidecars.remove(&source).map(|(_, metadata)| metadata);
            // Until it is taken in, it stands there as what it will be.
            self.received.files.push((source.clone(), FileOutcome::Queued));
            self.push(at, Incoming { sidecar, ..Incoming::new(source, bytes) });
        }
        if self.group.len() >= GROUP || self.group_bytes >= GROUP_BYTES {
            self.take_in().await?;
        }
        Ok(Ok(()))
    }

    fn push(&mut self, at: usize, file: Incoming) {
        self.group_bytes += file.bytes.len();
        self.group.push((at, file));
    }

    /// Gives what a sidecar file says to its file, which may have come before it or is still to come.
    async fn describe(&mut self, source: String, described: String, metadata: Metadata) -> Result<(), WebError> {
        if let Some((_, file)) = self.group.iter_mut().find(|(_, file)| file.source == described) {
            file.sidecar = Some(metadata);
        } else if let Some(document) = self.taken.get(&described).copied() {
            self.read_again(described, document, metadata).await?;
        } else {
            let at = self.received.files.len();
            self.received.files.push((source, FileOutcome::Queued));
            self.sidecars.insert(described, (at, metadata));
        }
        Ok(())
    }

    /// Hands a file that is here already in again, with what is known of it now.
    async fn read_again(&mut self, source: String, id: DocumentId, metadata: Metadata) -> Result<bool, WebError> {
        let Some(document) = self.app.store.document_for_ingest(id).await? else { return Ok(false) };
        // While its job is open, the bytes that were handed in last are the job's.
        let content = self.app.store.open_content(id).await?.unwrap_or(document.content);
        let store = self.app.content.clone();
        let read = tokio::task::spawn_blocking(move || store.get(&content)).await.map_err(WebError::internal)?;
        let at = self.received.files.iter().position(|(known, _)| *known == source);
        let at = at.unwrap_or_else(|| {
            self.received.files.push((source.clone(), FileOutcome::Queued));
            self.received.files.len() - 1
        });
        self.push(at, Incoming { sidecar: Some(metadata), ..Incoming::new(source, read?) });
        Ok(true)
    }

    /// Takes the group in that has come so far.
    async fn take_in(&mut self) -> Result<(), WebError> {
        if self.group.is_empty() {
            return Ok(());
        }
        let batch = self.batch().await?;
        let (places, files): (Vec<usize>, Vec<Incoming>) = std::mem::take(&mut self.group).into_iter().unzip();
        self.group_bytes = 0;
        let scope = Some(&self.scope);
        let origin = Origin { label: self.label, batch: Some(batch), scope, ..Origin::of(self.collection) };
        let sources: Vec<String> = files.iter().map(|file| file.source.clone()).collect();
        let staged = self.app.stage.submit_all(&origin, files, &self.actor, self.operation).await?;
        for ((at, source), staged) in places.into_iter().zip(sources).zip(staged) {
            let outcome = match staged {
                Ok(Staged::Queued(_, document)) => {
                    self.taken.insert(source, document);
                    FileOutcome::Queued
                }
                Ok(Staged::Unchanged(document)) => {
                    self.taken.insert(source, document);
                    FileOutcome::Unchanged
                }
                Ok(Staged::Duplicate(document)) => {
                    let outcome = self.known_as(&source, document).await?;
                    self.taken.insert(source, document);
                    outcome
                }
                Err(error) => FileOutcome::Failed(error.to_string()),
            };
            if let Some(file) = self.received.files.get_mut(at) {
                file.1 = outcome;
            }
        }
        Ok(())
    }

    /// Another file has these bytes: under which name, if the submitter may know that.
    async fn known_as(&mut self, source: &str, document: DocumentId) -> Result<FileOutcome, WebError> {
        self.received.known += 1;
        if self.received.known > NAMED {
            return Ok(FileOutcome::Known(None));
        }
        let known = self.app.store.document(document, &self.scope).await?.map(|document| document.source);
        Ok(FileOutcome::Known(known.filter(|known| known != source)))
    }

    /// The batch, made when the first file is to go into it.
    async fn batch(&mut self) -> Result<BatchId, WebError> {
        if let Some(batch) = self.batch {
            return Ok(batch);
        }
        let environment = self.app.store.environment();
        let first = self.group.first().map_or("", |(_, file)| file_name(&file.source));
        let batch = Batch {
            id: BatchId::new(environment),
            title: self.title.clone().unwrap_or_else(|| first.to_owned()),
            collection: self.collection.id,
            unchanged: 0,
            submitted_by: self.actor.user,
            submitted_by_name: self.actor.name.clone(),
            created_at: environment.now(),
        };
        // Each of its files has an event of its own.
        let mut act = self.app.store.begin().await?;
        act.insert_batch(&batch).await?;
        act.commit_housekeeping().await?;
        self.began = true;
        Ok(*self.batch.insert(batch.id))
    }

    /// Takes in what is left.
    ///
    /// # Errors
    /// A failing disk or database.
    pub(crate) async fn finish(mut self) -> Result<Received, WebError> {
        self.take_in().await?;
        for (described, (at, metadata)) in std::mem::take(&mut self.sidecars) {
            self.describe_known(described, at, metadata).await?;
            if self.group.len() >= GROUP || self.group_bytes >= GROUP_BYTES {
                self.take_in().await?;
            }
        }
        self.take_in().await?;
        let count = |wanted: fn(&FileOutcome) -> bool| {
            self.received.files.iter().filter(|(_, outcome)| wanted(outcome)).count() as u64
        };
        let queued = count(|outcome| *outcome == FileOutcome::Queued);
        let unchanged = count(|outcome| *outcome == FileOutcome::Unchanged);
        let known = count(|outcome| matches!(outcome, FileOutcome::Known(_)));
        let failed = count(|outcome| matches!(outcome, FileOutcome::Failed(_)));
        if let Some(batch) = self.batch {
            let files = self.received.files.len();
            let name = (self.began && self.title.is_none() && files > 1).then(|| format!("{files} files"));
            if name.is_some() || unchanged > 0 {
                let mut act = self.app.store.begin().await?;
                if let Some(name) = name {
                    act.name_batch(batch, &name).await?;
                }
                act.add_unchanged(batch, unchanged).await?;
                act.commit_housekeeping().await?;
            }
        }
        Ok(Received { batch: self.batch, queued, unchanged, known, failed, files: self.received.files })
    }

    /// A sidecar file that came without its file: the collection may have that.
    async fn describe_known(&mut self, described: String, at: usize, metadata: Metadata) -> Result<(), WebError> {
        let document = self.app.store.document_by_source(self.collection.id, &described).await?;
        let visible = match document {
            Some(document) => self.app.store.document(document.id, &self.scope).await?,
            None => None,
        };
        let Some(document) = visible else {
            let reason = format!("there is no file '{described}' that it could describe");
            if let Some(file) = self.received.files.get_mut(at) {
                file.1 = FileOutcome::Failed(reason);
            }
            return Ok(());
        };
        // Its own line stands for the file from now on.
        if let Some(file) = self.received.files.get_mut(at) {
            file.0.clone_from(&described);
        }
        self.read_again(described, document.id, metadata).await?;
        Ok(())
    }
}

/// A file's bytes and its size. Of one that is larger than `largest` the rest is read and forgotten.
async fn read(mut field: Field<'_>, largest: u64) -> Result<(Vec<u8>, u64), MultipartError> {
    let (mut bytes, mut size) = (Vec::new(), 0_u64);
    while let Some(chunk) = field.chunk().await? {
        size += chunk.len() as u64;
        if size > largest {
            bytes = Vec::new();
        } else {
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok((bytes, size))
}
