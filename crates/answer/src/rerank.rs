//! Rerank: a cross-encoder reads the question with each of the best candidates and puts them in its own order. Off unless
//! the site names a model for it.

use crate::retrieve::Candidate;
use crate::{Answering, AskError};
use inference::Reranker;
use std::sync::Arc;

/// Candidates that a reranker reads unless the site says otherwise.
pub const RERANKED: usize = 30;

/// A reranker and how much it reads.
#[derive(Clone)]
pub(crate) struct Reranking {
    reranker: Arc<Reranker>,
    /// The best of so many are put into a new order; what is behind them stays behind.
    pub(crate) candidates: usize,
}

impl Answering {
    /// The same with a cross-encoder between search and prompt, which reads the best `candidates` passages.
    #[must_use]
    pub fn with_reranker(self, reranker: Arc<Reranker>, candidates: usize) -> Self {
        Self { reranking: Some(Reranking { reranker, candidates }), ..self }
    }

    /// Passages looked for before they are put into order.
    pub(crate) fn candidates(&self) -> usize {
        self.settings.candidates.max(self.reranking.as_ref().map_or(0, |reranking| reranking.candidates))
    }

    /// The candidates as the reranker orders them for `query`; as they came if there is none.
    pub(crate) async fn rerank(&self, query: &str, candidates: Vec<Candidate>) -> Result<Vec<Candidate>, AskError> {
        let Some(Reranking { reranker, candidates: count }) = self.reranking.clone() else { return Ok(candidates) };
        let query = query.to_owned();
        let ordered = tokio::task::spawn_blocking(move || {
            let mut candidates = candidates;
            let behind = candidates.split_off(count.min(candidates.len()));
            let texts: Vec<String> = candidates.iter().map(text).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let scores = reranker.rerank(&query, &texts)?;
            let mut scored: Vec<(f32, Candidate)> = scores.into_iter().zip(candidates).collect();
            // Stable: what scores alike stays in the order of the search.
            scored.sort_by(|a, b| b.0.total_cmp(&a.0));
            Ok::<_, AskError>(scored.into_iter().map(|(_, candidate)| candidate).chain(behind).collect())
        });
        ordered.await.map_err(|_| AskError::Interrupted)?
    }
}

/// A passage as the reranker reads it: what it says, under what it is about.
fn text(Candidate { passage, document, .. }: &Candidate) -> String {
    let above: Vec<&str> =
        std::iter::once(document.title.as_str()).chain(passage.heading_path.iter().map(String::as_str)).collect();
    format!("{}\n{}", above.join(" › "), passage.text)
}
