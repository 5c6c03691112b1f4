//! Embed: passages that are found by their words get their vectors, in the background and out of the way.

use crate::publish::{PublishError, Publisher};
use crate::reserve::Reserve;
use domain::{DocumentId, PassageId};
use inference::Embedder;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use storage::{Store, Unembedded};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Passages taken from the database at a time: one transaction and one write to the index for all.
const ROUND: u32 = 256;
/// Passages embedded at a time. A question that comes meanwhile waits for so many.
const BATCH: usize = 16;
const IDLE: Duration = Duration::from_millis(500);

/// Makes vectors. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Vectors {
    store: Store,
    embedder: Arc<Embedder>,
    publisher: Publisher,
    /// Whether documents are being read: being found by words comes first.
    reading: Arc<AtomicBool>,
    woken: Arc<Notify>,
    reserve: Reserve,
}

impl Vectors {
    pub(crate) fn new(store: Store, embedder: Arc<Embedder>, publisher: Publisher) -> Self {
        Self { store, embedder, publisher, reading: Arc::default(), woken: Arc::default(), reserve: Reserve::none() }
    }

    /// The same, leaving so much room on the disk.
    pub(crate) fn with_reserve(self, reserve: Reserve) -> Self {
        Self { reserve, ..self }
    }

    /// Says whether documents are being read.
    pub(crate) fn give_way(&self, reading: bool) {
        self.reading.store(reading, Ordering::Relaxed);
    }

    /// Says that there are new passages.
    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    /// Works until `stop` is cancelled.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let begin = Instant::now();
            match self.round().await {
                Ok(0) => {
                    tokio::select! {
                        () = pause(stop, IDLE) => {}
                        () = self.woken.notified() => {}
                    }
                }
                // A quarter of the time while others read: their vectors must not fall behind without end.
                Ok(_) if self.reading.load(Ordering::Relaxed) => pause(stop, begin.elapsed() * 3).await,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "vectors cannot be made; trying again");
                    pause(stop, Duration::from_secs(5)).await;
                }
            }
        }
    }

    /// Embeds some passages, and gives how many; 0 if all have their vectors.
    pub(crate) async fn round(&self) -> Result<usize, PublishError> {
        if self.reserve.require(0).is_err() {
            return Ok(0);
        }
        let most = if self.reading.load(Ordering::Relaxed) { ROUND / 4 } else { ROUND };
        let mut waiting = self.store.unembedded(most).await?;
        if waiting.is_empty() {
            return Ok(0);
        }
        let mut documents: Vec<DocumentId> = waiting.iter().map(|passage| passage.document).collect();
        documents.dedup();
        // Texts of like length pad each other least.
        waiting.sort_by_key(|passage| passage.text.len());
        let mut vectors = Vec::with_capacity(waiting.len());
        let mut hopeless = Vec::new();
        for batch in waiting.chunks(BATCH) {
            match embed(&self.embedder, batch).await {
                Ok(made) => vectors.extend(batch.iter().map(|passage| passage.passage).zip(made)),
                // One of them is the reason; the others need not suffer.
                Err(_) => {
                    for passage in batch {
                        match embed(&self.embedder, std::slice::from_ref(passage)).await {
                            Ok(made) => vectors.extend(made.into_iter().map(|vector| (passage.passage, vector))),
                            Err(error) => hopeless.push((passage.document, error)),
                        }
                    }
                }
            }
        }
        self.write(&documents, &vectors, hopeless).await?;
        self.publisher.catch_up().await?;
        Ok(waiting.len())
    }

    async fn write(
        &self,
        documents: &[DocumentId],
        vectors: &[(PassageId, Vec<f32>)],
        hopeless: Vec<(DocumentId, PublishError)>,
    ) -> Result<(), PublishError> {
        let mut act = self.store.begin().await?;
        act.embed(documents, vectors).await?;
        for (document, error) in hopeless {
            tracing::warn!(%document, %error, "a passage cannot be embedded");
            if act.document(document).await?.is_some_and(|document| !document.embedded) {
                act.give_up_embedding(document, "some of it is found by its words only").await?;
            }
        }
        act.commit_housekeeping().await?;
        Ok(())
    }
}

/// The text whose vector stands for a passage: what it says, under what it is about.
fn embedded_text(passage: &Unembedded) -> String {
    let above: Vec<&str> =
        std::iter::once(passage.title.as_str()).chain(passage.heading_path.iter().map(String::as_str)).collect();
    format!("{}\n{}", above.join(" › "), passage.text)
}

/// Vectors of `passages`, on a blocking thread.
async fn embed(embedder: &Arc<Embedder>, passages: &[Unembedded]) -> Result<Vec<Vec<f32>>, PublishError> {
    let embedder = Arc::clone(embedder);
    let texts: Vec<String> = passages.iter().map(embedded_text).collect();
    let vectors = tokio::task::spawn_blocking(move || {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        embedder.embed_passages(&texts)
    })
    .await
    .map_err(|_| PublishError::Interrupted)??;
    Ok(vectors)
}

pub(crate) async fn pause(stop: &CancellationToken, time: Duration) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}
