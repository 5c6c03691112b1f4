//! Stage: a file's bytes are made durable, its document and job are recorded, and the submitter may go.

use crate::content::{ContentError, ContentStore};
use audit::{Action, Actor, Event};
use domain::{Collection, Document, DocumentId, DocumentState, JobId, Label, OperationId};
use serde_json::json;
use storage::{Job, JobState, StorageError, Store};

/// Takes files in.
#[derive(Clone)]
pub struct Stage {
    store: Store,
    content: ContentStore,
    largest_file: u64,
}

/// Where a file comes from and where it goes.
#[derive(Debug, Clone)]
pub struct Origin<'a> {
    /// Its collection.
    pub collection: &'a Collection,
    /// Path or file name, unique within the collection; a second file of the same source is a new version.
    pub source: &'a str,
    /// Label for a new document; the collection's default if `None`. A document that exists keeps its own.
    pub label: Option<Label>,
    /// Files handed in together.
    pub batch: Option<JobId>,
}

/// What came of staging a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Staged {
    /// A job was queued for this document.
    Queued(JobId, DocumentId),
    /// The document has these very bytes already.
    Unchanged(DocumentId),
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
    /// The content store refused.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The database refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Stage {
    /// Files up to `largest_file` bytes go into `content` and `store`.
    #[must_use]
    pub fn new(store: Store, content: ContentStore, largest_file: u64) -> Self {
        Self { store, content, largest_file }
    }

    /// Largest file taken in, in bytes.
    #[must_use]
    pub const fn largest_file(&self) -> u64 {
        self.largest_file
    }

    /// Takes one file in: bytes first, then document, job and event in one transaction.
    ///
    /// # Errors
    /// [`StageError`]; then no document and no job was made.
    pub async fn submit(
        &self,
        origin: Origin<'_>,
        bytes: Vec<u8>,
        actor: &Actor,
        operation: OperationId,
    ) -> Result<Staged, StageError> {
        let size_bytes = bytes.len() as u64;
        if bytes.is_empty() {
            return Err(StageError::Empty);
        }
        if size_bytes > self.largest_file {
            return Err(StageError::TooLarge { size: size_bytes, limit: self.largest_file });
        }
        let store = self.content.clone();
        let content = tokio::task::spawn_blocking(move || store.put(&bytes))
            .await
            .map_err(|_| ContentError::Io(std::io::Error::other("writing was interrupted")))??;

        let environment = self.store.environment();
        let known = self.store.document_by_source(origin.collection.id, origin.source).await?;
        if let Some(document) = &known
            && document.content == content
            && document.state == DocumentState::Ready
        {
            return Ok(Staged::Unchanged(document.id));
        }

        let now = environment.now();
        let mut act = self.store.begin().await?;
        let document = match known {
            Some(document) => document.id,
            None => {
                let document = Document {
                    id: DocumentId::new(environment),
                    collection: origin.collection.id,
                    title: file_name(origin.source).to_owned(),
                    source: origin.source.to_owned(),
                    media_type: "application/octet-stream".to_owned(),
                    label: origin.label.unwrap_or(origin.collection.default_label),
                    readers: None,
                    version: 0,
                    content,
                    size_bytes,
                    pages: None,
                    language: None,
                    state: DocumentState::Waiting,
                    warnings: Vec::new(),
                    created_at: now,
                    updated_at: now,
                };
                act.insert_document(&document).await?;
                document.id
            }
        };
        let job = Job {
            id: JobId::new(environment),
            kind: "ingest".to_owned(),
            batch: origin.batch,
            collection: origin.collection.id,
            document,
            source: origin.source.to_owned(),
            content,
            size_bytes,
            state: JobState::Waiting,
            stage: "waiting".to_owned(),
            progress: 0.0,
            attempts: 0,
            reason: None,
            submitted_by: actor.user,
            submitted_by_name: actor.name.clone(),
            created_at: now,
            finished_at: None,
            lease_owner: None,
            leased_until: None,
        };
        act.enqueue(&job).await?;
        act.record(
            Event::new(Action::DocumentUploaded, actor, operation)
                .on("document", document, origin.source)
                .detail(json!({ "collection": origin.collection.name, "content": content, "size_bytes": size_bytes })),
        )
        .await?;
        act.commit().await?;
        Ok(Staged::Queued(job.id, document))
    }
}

/// The last part of a path, whichever way its separators lean.
pub(crate) fn file_name(source: &str) -> &str {
    source.rsplit(['/', '\\']).next().unwrap_or(source)
}
