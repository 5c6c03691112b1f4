//! Publish: the index follows the database, change by change, through the outbox that every write fills.

use audit::{Action, Actor, Event};
use domain::{Document, DocumentId, OperationId, Passage};
use index::{Change, DocumentEntry, Index, IndexError, PassageEntry};
use inference::ModelError;
use std::sync::Arc;
use storage::{StorageError, Store};
use tokio::sync::Mutex;

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

/// What the index took over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
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

/// Puts every document into the outbox, with an event that the index is made anew; gives how many there are. Comes before
/// the old index is touched or a new one begun: from then on whoever has the index makes it whole, however often that is
/// cut short. Without documents there is nothing to make anew.
///
/// # Errors
/// The database refused.
pub async fn order_rebuild(store: &Store, actor: &Actor, operation: OperationId) -> Result<u64, StorageError> {
    let mut act = store.begin().await?;
    let (documents, passages) = act.tell_index_of_all().await?;
    if documents == 0 {
        return Ok(0);
    }
    let detail = serde_json::json!({ "documents": documents, "passages": passages });
    act.record(Event::new(Action::IndexRebuilt, actor, operation).detail(detail)).await?;
    act.commit().await?;
    Ok(documents)
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
        self.follow(|_| {}).await.map(|_| ())
    }

    /// As [`Publisher::catch_up`]; tells after each step what was put so far, and in the end what was put in all.
    ///
    /// # Errors
    /// [`PublishError`]; what was not applied stays in the outbox.
    pub async fn follow(&self, mut progress: impl FnMut(Published)) -> Result<Published, PublishError> {
        let _turn = self.turn.lock().await;
        let mut published = Published { documents: 0, passages: 0 };
        loop {
            let changes = self.store.index_changes(0, BATCH).await?;
            let Some(&(last, _)) = changes.last() else { return Ok(published) };
            let mut documents: Vec<DocumentId> = changes.iter().map(|(_, document)| *document).collect();
            documents.sort_unstable();
            documents.dedup();
            let put = self.apply(&documents).await?;
            let mut act = self.store.begin().await?;
            act.forget_index_changes(last).await?;
            act.commit_housekeeping().await?;
            published = Published {
                documents: published.documents + put.documents,
                passages: published.passages + put.passages,
            };
            progress(published);
        }
    }

    /// Puts these documents as the database has them now.
    async fn apply(&self, documents: &[DocumentId]) -> Result<Published, PublishError> {
        let mut changes = Vec::with_capacity(documents.len());
        let mut published = Published { documents: 0, passages: 0 };
        for id in documents {
            changes.push(match self.store.indexed(*id).await? {
                Some(found) => {
                    published.documents += 1;
                    published.passages += found.passages.len() as u64;
                    put(found.document, found.passages)
                }
                None => Change::Remove(*id),
            });
        }
        let index = Arc::clone(&self.index);
        tokio::task::spawn_blocking(move || index.apply(&changes)).await.map_err(|_| PublishError::Interrupted)??;
        Ok(published)
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
