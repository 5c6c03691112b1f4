//! Retrieve: the passages nearest to a question, within a scope.

use crate::{Answering, AskError};
use domain::{AccessScope, Document, DocumentFilter, Passage};
use index::{Hit, Mode, Query, both_ends};
use inference::Embedder;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A passage found, with its document as it stands now.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The passage.
    pub passage: Passage,
    /// Its document.
    pub document: Document,
    /// How the index ranked it.
    pub hit: Hit,
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct Retrieved {
    /// Best first.
    pub candidates: Vec<Candidate>,
    /// Time for embedding the query, searching and reading the passages.
    pub took: Duration,
}

/// A question as an encoder can read it: one that is too long by both its ends, for what is asked may stand at either.
fn meant<'a>(embedder: &Embedder, question: &'a str) -> Cow<'a, str> {
    let (tokens, most) = (embedder.count_tokens(question), embedder.max_tokens());
    if tokens <= most {
        return Cow::Borrowed(question);
    }
    // A little less than its share, since tokens are not spread evenly.
    both_ends(question, question.len() * most / tokens * 9 / 10)
}

impl Answering {
    /// The `limit` passages nearest to `text` that `scope` allows, best first.
    ///
    /// # Errors
    /// A failing index, embedder or database.
    pub async fn retrieve(
        &self,
        text: &str,
        mode: Mode,
        limit: usize,
        scope: &AccessScope,
    ) -> Result<Retrieved, AskError> {
        self.retrieve_within(text, mode, limit, scope, &DocumentFilter::default()).await
    }

    /// As [`Answering::retrieve`], among the documents that `filter` lets through.
    ///
    /// # Errors
    /// A failing index, embedder or database.
    pub async fn retrieve_within(
        &self,
        text: &str,
        mode: Mode,
        limit: usize,
        scope: &AccessScope,
        filter: &DocumentFilter,
    ) -> Result<Retrieved, AskError> {
        let begin = Instant::now();
        let nothing = || Ok(Retrieved { candidates: Vec::new(), took: begin.elapsed() });
        if scope.is_empty() || text.trim().is_empty() {
            return nothing();
        }
        let documents = match filter.is_empty() {
            true => None,
            false => Some(self.store.documents_matching(filter, scope).await?),
        };
        if documents.as_ref().is_some_and(BTreeSet::is_empty) {
            return nothing();
        }
        let (index, embedder) = (Arc::clone(&self.index), Arc::clone(&self.embedder));
        let (query, within) = (text.to_owned(), scope.clone());
        let words = self.words_of(text);
        let hits = tokio::task::spawn_blocking(move || -> Result<Vec<Hit>, AskError> {
            let vector = match mode {
                Mode::Lexical => None,
                Mode::Dense | Mode::Hybrid => embedder.embed_queries(&[&*meant(&embedder, &query)])?.pop(),
            };
            let (vector, documents) = (vector.as_deref(), documents.as_ref());
            let query = Query { text: &words, vector, mode, within: documents, limit };
            Ok(index.search(&query, &within)?)
        })
        .await
        .map_err(|_| AskError::Interrupted)??;
        // The database applies the scope once more: a right withdrawn a moment ago holds even if the index lags.
        let ids: Vec<_> = hits.iter().map(|hit| hit.passage).collect();
        let mut hits: HashMap<_, _> = hits.into_iter().map(|hit| (hit.passage, hit)).collect();
        let found = self.store.passages_by_id(&ids, scope).await?;
        let candidates = found
            .into_iter()
            // Only current versions are found, even if the index lags behind one.
            .filter(|(passage, document)| passage.version == document.version)
            .filter_map(|(passage, document)| hits.remove(&passage.id).map(|hit| Candidate { passage, document, hit }))
            .collect();
        Ok(Retrieved { candidates, took: begin.elapsed() })
    }

    /// The question as it stands, and in the words of the site's glossary.
    pub(crate) fn wordings(&self, question: &str) -> Vec<String> {
        std::iter::once(question.to_owned()).chain(self.settings.glossary.variants(question)).collect()
    }

    /// The words that are searched for `text`: with what else the site's glossary calls things.
    #[must_use]
    pub fn words_of(&self, text: &str) -> String {
        self.settings.glossary.expand(text)
    }
}
