//! Stage: files' bytes are made durable, their documents and jobs are recorded, and the submitter may go.
//!
//! Files come in groups: one pass over the disk and one transaction for all of a group.

use crate::content::{ContentError, ContentStore};
use crate::names::{visible_source, would_lower};
use crate::reserve::{Reserve, Short};
use audit::{Action, Actor, Event};
use domain::{
    AccessScope, BatchId, Collection, ContentHash, Document, DocumentId, DocumentState, Environment, FolderId, JobId,
    Label, Metadata, OperationId,
};
use jiff::Timestamp;
use serde_json::json;
use storage::{Act, Batch, Job, JobState, StorageError, Store};

/// Takes files in.
#[derive(Clone)]
pub struct Stage {
    store: Store,
    content: ContentStore,
    largest_file: u64,
    reserve: Reserve,
}

/// Where files come from and where they go.
#[derive(Debug, Clone)]
pub struct Origin<'a> {
    /// Their collection.
    pub collection: &'a Collection,
    /// Label for new documents; the collection's default if `None`. A document that exists keeps its own.
    pub label: Option<Label>,
    /// Files handed in together.
    pub batch: Option<BatchId>,
    /// The watched folder that they lie in.
    pub folder: Option<FolderId>,
    /// Whether they wait for a curator's release.
    pub held: bool,
    /// What the submitter may read; everything if `None`, as at the console. A document that the submitter does not see
    /// is not touched: a file of its path gets another one.
    pub scope: Option<&'a AccessScope>,
}

impl<'a> Origin<'a> {
    /// Files for this collection, with nothing else said.
    #[must_use]
    pub const fn of(collection: &'a Collection) -> Self {
        Self { collection, label: None, batch: None, folder: None, held: false, scope: None }
    }
}

/// A file as it is handed in.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Path or file name, unique within the collection; a second file of the same source is a new version.
    pub source: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// When it was last changed, for files on a disk that are looked at again.
    pub modified_at: Option<Timestamp>,
    /// What its sidecar file says of it.
    pub sidecar: Option<Metadata>,
    /// Size of that sidecar file in bytes, so that a change of it is noticed.
    pub sidecar_bytes: u64,
}

impl Incoming {
    /// A file without anything beside it.
    #[must_use]
    pub fn new(source: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { source: source.into(), bytes, modified_at: None, sidecar: None, sidecar_bytes: 0 }
    }
}

/// What came of staging a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Staged {
    /// A job was queued for this document.
    Queued(JobId, DocumentId),
    /// The document has these very bytes already.
    Unchanged(DocumentId),
    /// Another file of the collection has these very bytes: its document got one more place.
    Duplicate(DocumentId),
}

/// Why a file was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// More than the configured limit.
    #[error("the file is too large ({size} bytes); the limit is {limit} bytes")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Another watched folder of the collection has a file of this name.
    #[error("another watched folder of this collection has a file of this name; give one of the two another name")]
    Taken,
    /// The label that was chosen would not hold: a document that exists keeps its own, which is lower.
    #[error(
        "the document of this name has a lower label than the one chosen; change its label first, or give the file \
         another name"
    )]
    LowerLabel,
    /// The disk is so full that nothing more is taken in.
    #[error(transparent)]
    NoRoom(#[from] Short),
    /// The content store refused.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The database refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A file whose bytes are in the content store.
pub(crate) struct Kept<'a> {
    pub(crate) source: &'a str,
    pub(crate) content: ContentHash,
    pub(crate) size_bytes: u64,
    /// Size and time by which a look at a disk knows it again.
    pub(crate) seen: Option<(u64, Timestamp)>,
    pub(crate) sidecar: Option<&'a Metadata>,
    /// The document that it was taken out of.
    pub(crate) parent: Option<DocumentId>,
    pub(crate) depth: u32,
}

impl Stage {
    /// Files up to `largest_file` bytes go into `content` and `store`.
    #[must_use]
    pub fn new(store: Store, content: ContentStore, largest_file: u64) -> Self {
        Self { store, content, largest_file, reserve: Reserve::none() }
    }

    /// The same, leaving so much room on the disk.
    #[must_use]
    pub fn with_reserve(self, reserve: Reserve) -> Self {
        Self { reserve, ..self }
    }

    /// The room that it leaves on the disk.
    #[must_use]
    pub const fn reserve(&self) -> &Reserve {
        &self.reserve
    }

    /// Largest file taken in, in bytes.
    #[must_use]
    pub const fn largest_file(&self) -> u64 {
        self.largest_file
    }

    /// The database that documents and jobs go into.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Takes one file in.
    ///
    /// # Errors
    /// [`StageError`]; then no document and no job was made.
    pub async fn submit(
        &self,
        origin: &Origin<'_>,
        file: Incoming,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<Staged, StageError> {
        let mut staged = self.submit_all(origin, vec![file], actor, operation).await?;
        staged.pop().unwrap_or(Err(StageError::Empty))
    }

    /// Takes a group of files in: bytes first, then documents, jobs and events in one transaction. What is wrong with
    /// one file costs only that file.
    ///
    /// # Errors
    /// A failing disk or database; then nothing of the group was taken in.
    pub async fn submit_all(
        &self,
        origin: &Origin<'_>,
        files: Vec<Incoming>,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<Vec<Result<Staged, StageError>>, StageError> {
        self.submit_group(origin, files, None, actor, operation).await
    }

    /// As [`Stage::submit_all`]; `batch` is added together with its first job.
    pub(crate) async fn submit_group(
        &self,
        origin: &Origin<'_>,
        files: Vec<Incoming>,
        batch: Option<&Batch>,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<Vec<Result<Staged, StageError>>, StageError> {
        self.reserve.require(files.iter().map(|file| file.bytes.len() as u64).sum())?;
        let (store, largest) = (self.content.clone(), self.largest_file);
        let (files, hashes) = tokio::task::spawn_blocking(move || {
            let taken = |file: &&Incoming| !file.bytes.is_empty() && file.bytes.len() as u64 <= largest;
            let bytes: Vec<&[u8]> = files.iter().filter(taken).map(|file| file.bytes.as_slice()).collect();
            let hashes = store.put_all(&bytes);
            (files, hashes)
        })
        .await
        .map_err(|_| ContentError::Io(std::io::Error::other("writing was interrupted")))?;
        let mut hashes = hashes?.into_iter();

        let mut act = self.store.begin().await?;
        let mut staged = Vec::with_capacity(files.len());
        for file in &files {
            let size_bytes = file.bytes.len() as u64;
            if size_bytes == 0 {
                staged.push(Err(StageError::Empty));
                continue;
            }
            if size_bytes > largest {
                staged.push(Err(StageError::TooLarge { size: size_bytes, limit: largest }));
                continue;
            }
            let Some(content) = hashes.next() else { continue };
            let kept = Kept {
                source: &file.source,
                content,
                size_bytes,
                seen: file.modified_at.map(|at| (size_bytes + file.sidecar_bytes, at)),
                sidecar: file.sidecar.as_ref(),
                parent: None,
                depth: 0,
            };
            if origin.folder.is_some() {
                let folder = act.folder_of(origin.collection.id, &file.source).await?;
                if folder.is_some() && folder != origin.folder {
                    staged.push(Err(StageError::Taken));
                    continue;
                }
            }
            let source = match origin.scope {
                Some(scope) => visible_source(&mut act, origin, scope, &file.source).await?,
                None => file.source.clone(),
            };
            let kept = Kept { source: &source, ..kept };
            if would_lower(&mut act, origin, &kept).await? {
                staged.push(Err(StageError::LowerLabel));
                continue;
            }
            let done = take_in(&mut act, self.store.environment(), origin, &kept, actor, operation).await?;
            if let (Staged::Queued(..), Some(batch)) = (&done, batch) {
                act.ensure_batch(batch).await?;
            }
            staged.push(Ok(done));
        }
        // A file that did not change is no event; its time may have to be noted all the same.
        if act.has_recorded() {
            act.commit().await?;
        } else {
            act.commit_housekeeping().await?;
        }
        Ok(staged)
    }
}

/// Records one file whose bytes are stored: as a new document, a new version, one more place of a document, or nothing.
pub(crate) async fn take_in(
    act: &mut Act,
    environment: &Environment,
    origin: &Origin<'_>,
    file: &Kept<'_>,
    actor: &Actor,
    operation: OperationId,
) -> Result<Staged, StorageError> {
    let collection = origin.collection.id;
    let known = act.document_at(collection, file.source).await?;
    let staged = match known {
        // A file now stands where an archive was that a file of this path was taken out of.
        Some(child) if file.parent.is_none() && child.parent.is_some() => {
            act.supersede(child.id).await?;
            act.delete_document(child.id).await?;
            let event = Event::new(Action::DocumentDeleted, actor, operation).on("document", child.id, &child.title);
            let detail = json!({ "source": file.source, "reason": "a file of this path took its place" });
            act.record(event.detail(detail)).await?;
            added(act, environment, origin, file, None, actor, operation).await?
        }
        Some(known) => changed(act, environment, origin, file, known, actor, operation).await?,
        None => added(act, environment, origin, file, None, actor, operation).await?,
    };
    if let Some((size_bytes, modified_at)) = file.seen {
        act.see_source(collection, file.source, origin.folder, size_bytes, modified_at).await?;
    }
    Ok(staged)
}

/// A file from a source that is known.
async fn changed(
    act: &mut Act,
    environment: &Environment,
    origin: &Origin<'_>,
    file: &Kept<'_>,
    known: Document,
    actor: &Actor,
    operation: OperationId,
) -> Result<Staged, StorageError> {
    // What does not lie on a disk has nothing beside it, and says nothing of that.
    let says_the_same =
        file.sidecar.is_none() && file.seen.is_none() || act.sidecar(known.id).await?.as_ref() == file.sidecar;
    let last = act.last_job(known.id).await?;
    // Bytes in quarantine stay there, whoever says something else of them.
    let held = origin.held || last == Some((JobState::Held, file.content));
    let origin = &Origin { held, ..origin.clone() };
    if says_the_same && let Some((state, content)) = last {
        let open = matches!(state, JobState::Waiting | JobState::Running | JobState::Paused | JobState::Held);
        let given_up = matches!(state, JobState::Failed | JobState::Cancelled);
        // A second look must not send a file to the end of the queue again, nor try for ever what failed or was called
        // off: it is for a person to say so.
        if content == file.content && !known.hidden && (open || given_up && origin.folder.is_some()) {
            return Ok(Staged::Unchanged(known.id));
        }
        if content != file.content && known.content == file.content && known.state == DocumentState::Ready {
            // The file is again what it was: what it had become is not to be read, nor tried again if that failed.
            act.supersede_others(known.id, &file.content).await?;
        }
    }
    if known.content == file.content && known.state == DocumentState::Ready && says_the_same {
        let back = shown_again(act, file, &known, actor, operation).await?;
        return Ok(if back { Staged::Duplicate(known.id) } else { Staged::Unchanged(known.id) });
    }
    if (known.content != file.content || !says_the_same) && act.source_count(known.id).await? > 1 {
        // One of several equal files has become another: the others' document stays as it is.
        act.drop_source(origin.collection.id, file.source).await?;
        return added(act, environment, origin, file, Some(&known), actor, operation).await;
    }
    act.supersede(known.id).await?;
    if !says_the_same {
        act.set_sidecar(known.id, file.sidecar).await?;
    }
    shown_again(act, file, &known, actor, operation).await?;
    queue(act, environment, origin, file, known.id, actor, operation).await
}

/// Shows a hidden document again, since its file is there; not one that lies in a file which is hidden itself. Says
/// whether it did.
async fn shown_again(
    act: &mut Act,
    file: &Kept<'_>,
    known: &Document,
    actor: &Actor,
    operation: OperationId,
) -> Result<bool, StorageError> {
    let around = match file.parent {
        Some(parent) if known.hidden => act.document(parent).await?,
        _ => None,
    };
    if !known.hidden || around.is_some_and(|around| around.hidden) {
        return Ok(false);
    }
    act.hide(known.id, false).await?;
    let event = Event::new(Action::DocumentHidden, actor, operation).on("document", known.id, &known.title);
    act.record(event.detail(json!({ "hidden": false }))).await?;
    Ok(true)
}

/// A file from a new source; what was a place of the document `like` keeps its label and readers.
async fn added(
    act: &mut Act,
    environment: &Environment,
    origin: &Origin<'_>,
    file: &Kept<'_>,
    like: Option<&Document>,
    actor: &Actor,
    operation: OperationId,
) -> Result<Staged, StorageError> {
    let Origin { collection, label, .. } = *origin;
    let label = like.map(|like| like.label).or(label).unwrap_or(collection.default_label);
    let narrowed = like.is_some_and(|like| like.readers.is_some());
    if file.parent.is_none()
        && !narrowed
        && file.sidecar.is_none()
        && !origin.held
        && let Some(equal) = act.document_with(collection.id, &file.content, label).await?
    {
        act.add_source(collection.id, file.source, equal.id).await?;
        act.record(
            Event::new(Action::DocumentMoved, actor, operation)
                .on("document", equal.id, &equal.title)
                .detail(json!({ "also_at": file.source, "content": file.content })),
        )
        .await?;
        return Ok(Staged::Duplicate(equal.id));
    }
    let now = environment.now();
    let document = Document {
        id: DocumentId::new(environment),
        collection: collection.id,
        title: extract::shown_name(file_name(file.source)),
        source: file.source.to_owned(),
        media_type: "application/octet-stream".to_owned(),
        label,
        readers: None,
        version: 0,
        content: file.content,
        size_bytes: file.size_bytes,
        pages: None,
        language: None,
        state: DocumentState::Waiting,
        warnings: Vec::new(),
        metadata: Metadata::default(),
        parent: file.parent,
        passages: 0,
        embedded: true,
        hidden: false,
        created_at: now,
        updated_at: now,
    };
    act.insert_document(&document).await?;
    if let Some(like) = file.parent.or(like.map(|like| like.id)) {
        act.inherit_rights(document.id, like).await?;
    }
    if let Some(sidecar) = file.sidecar {
        act.set_sidecar(document.id, Some(sidecar)).await?;
    }
    queue(act, environment, origin, file, document.id, actor, operation).await
}

/// Puts a job for these bytes of a document into the queue.
async fn queue(
    act: &mut Act,
    environment: &Environment,
    origin: &Origin<'_>,
    file: &Kept<'_>,
    document: DocumentId,
    actor: &Actor,
    operation: OperationId,
) -> Result<Staged, StorageError> {
    let job = Job {
        id: JobId::new(environment),
        kind: "ingest".to_owned(),
        batch: origin.batch,
        collection: origin.collection.id,
        document,
        source: file.source.to_owned(),
        content: file.content,
        size_bytes: file.size_bytes,
        depth: file.depth,
        state: if origin.held { JobState::Held } else { JobState::Waiting },
        stage: String::new(),
        progress: 0.0,
        attempts: 0,
        reason: None,
        submitted_by: actor.user,
        submitted_by_name: actor.name.clone(),
        created_at: environment.now(),
        started_at: None,
        finished_at: None,
        lease_owner: None,
        leased_until: None,
    };
    act.enqueue(&job).await?;
    let detail = json!({
        "collection": origin.collection.name,
        "content": file.content,
        "size_bytes": file.size_bytes,
        "quarantine": origin.held,
        "label": act.document(document).await?.map(|document| document.label),
    });
    let event = Event::new(Action::DocumentUploaded, actor, operation).on("document", document, file.source);
    act.record(event.detail(detail)).await?;
    Ok(Staged::Queued(job.id, document))
}

/// The last part of a path, whichever way its separators lean.
pub(crate) fn file_name(source: &str) -> &str {
    source.rsplit(['/', '\\']).next().unwrap_or(source)
}
