//! Publish: the index follows the database, change by change, through the outbox that every write fills.

use domain::{Document, DocumentId, OperationId, Passage};
use index::{Change, DocumentEntry, Index, IndexError, PassageEntry};
use inference::ModelError;
use std::sync::Arc;
use storage::{StorageError, Store};
use tokio::sync::Mutex;

use audit::{Action, Actor, Event};

/// Documents per write to the index.
const BATCH: u32 = 64;

/// Brings the index up to the database. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    store: Store,
    index: Arc<Index>,
    /// One writer at a time; whoever waits finds the work done.
    turn: Arc<Mutex<()>>,
}

/// What a rebuild did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Rebuilt {
    /// Documents put into the index.
    pub documents: u64,
    /// Passages put into the index.
    pub passages: u64,
}

/// Why the index does not follow.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The index refused.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The database refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The embedder refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The writing thread was lost.
    #[error("writing the index was interrupted")]
    Interrupted,
}

impl Publisher {
    /// A publisher from `store` to `index`.
    #[must_use]
    pub fn new(store: Store, index: Arc<Index>) -> Self {
        Self { store, index, turn: Arc::default() }
    }

    /// Applies every change that the database has and the index lacks; on return a search sees them.
    ///
    /// # Errors
    /// [`PublishError`]; what was not applied stays in the outbox.
    pub async fn catch_up(&self) -> Result<(), PublishError> {
        let _turn = self.turn.lock().await;
        loop {
            let changes = self.store.index_changes(0, BATCH).await?;
            let Some(&(last, _)) = changes.last() else { return Ok(()) };
            let mut documents: Vec<DocumentId> = changes.iter().map(|(_, document)| *document).collect();
            documents.sort_unstable();
            documents.dedup();
            self.apply(&documents).await?;
            let mut act = self.store.begin().await?;
            act.forget_index_changes(last).await?;
            act.commit_housekeeping().await?;
        }
    }

    /// Makes the index anew from the database. Searches find less until it is done.
    ///
    /// # Errors
    /// [`PublishError`]; rebuilding again is always possible.
    pub async fn rebuild(
        &self,
        mut progress: impl FnMut(Rebuilt),
        actor: &Actor,
        operation: OperationId,
    ) -> Result<Rebuilt, PublishError> {
        let turn = self.turn.lock().await;
        let index = Arc::clone(&self.index);
        tokio::task::spawn_blocking(move || index.clear()).await.map_err(|_| PublishError::Interrupted)??;
        let mut rebuilt = Rebuilt { documents: 0, passages: 0 };
        let mut after = None;
        loop {
            let documents = self.store.documents_to_index(after, BATCH).await?;
            let Some(&last) = documents.last() else { break };
            rebuilt.passages += self.apply(&documents).await?;
            rebuilt.documents += documents.len() as u64;
            progress(rebuilt);
            after = Some(last);
        }
        drop(turn);
        self.catch_up().await?;
        let mut act = self.store.begin().await?;
        act.record(Event::new(Action::IndexRebuilt, actor, operation).detail(serde_json::json!(rebuilt))).await?;
        act.commit().await?;
        Ok(rebuilt)
    }

    /// Puts these documents as the database has them now; gives the number of their passages.
    async fn apply(&self, documents: &[DocumentId]) -> Result<u64, PublishError> {
        let mut changes = Vec::with_capacity(documents.len());
        let mut passages = 0;
        for id in documents {
            changes.push(match self.store.indexed(*id).await? {
                Some(found) => {
                    passages += found.passages.len() as u64;
                    put(found.document, found.passages)
                }
                None => Change::Remove(*id),
            });
        }
        let index = Arc::clone(&self.index);
        tokio::task::spawn_blocking(move || index.apply(&changes)).await.map_err(|_| PublishError::Interrupted)??;
        Ok(passages)
    }
}

fn put(document: Document, passages: Vec<(Passage, Option<Vec<f32>>)>) -> Change {
    let passages = passages
        .into_iter()
        .map(|(passage, vector)| PassageEntry {
            id: passage.id,
            heading: passage.heading_path.join(" › "),
            text: passage.text,
            vector,
        })
        .collect();
    let document = DocumentEntry {
        id: document.id,
        collection: document.collection,
        label: document.label,
        readers: document.readers,
        title: document.title,
        language: document.language,
    };
    Change::Put { document, passages }
}
