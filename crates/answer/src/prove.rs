//! Prove: the check of [`crate::cite`] as a step of the line: vectors of the passages from the database, the embedder on
//! a thread of its own.

use crate::cite::{Checked, Ground, Passage, cite};
use crate::pack::Source;
use crate::{Answering, AskError};
use std::sync::Arc;

impl Answering {
    /// The sentences of `text`, each tied to what it rests on of `sources`.
    ///
    /// # Errors
    /// A failing embedder or database.
    pub(crate) async fn prove(&self, question: &str, text: &str, sources: &[Source]) -> Result<Vec<Checked>, AskError> {
        let ids: Vec<_> = sources.iter().map(|source| source.passage.id).collect();
        let mut vectors = self.store.vectors(&ids).await?;
        let vectors: Vec<Option<Vec<f32>>> = ids.iter().map(|id| vectors.remove(id)).collect();
        let (index, embedder) = (Arc::clone(&self.index), Arc::clone(&self.embedder));
        let (question, text, sources) = (question.to_owned(), text.to_owned(), sources.to_vec());
        let checked = tokio::task::spawn_blocking(move || {
            let passages = sources.iter().zip(&vectors).map(|(source, vector)| Passage::of(source, vector.as_deref()));
            let passages = passages.collect();
            cite(&text, &Ground { index: &index, embedder: Some(&embedder), question: &question, passages })
        });
        Ok(checked.await.map_err(|_| AskError::Interrupted)??)
    }
}
