//! From a question to an answer with its proof: rewrite → retrieve → judge → pack → prompt → generate → cite.
//!
//! Each stage is one module; [`Answering::ask`] is the straight line through them. What a person was shown is
//! recorded before it is shown. Knows nothing of the web: it reports [`Event`]s to whoever listens.

mod ask;
mod calls;
mod cite;
mod generate;
mod judge;
mod live;
mod pack;
mod prompt;
mod record;
mod retrieve;
mod rewrite;
mod wishes;

pub use ask::{AskError, Event, Question, Status};
pub use cite::{Sentence, Support};
pub use live::{Live, Subscription};
pub use pack::Source;
pub use record::{Answer, Asked, Timings};
pub use retrieve::{Candidate, Retrieved};
pub use wishes::Wishes;

use index::Index;
use inference::{Embedder, Generator};
use std::sync::{Arc, PoisonError, RwLock};
use storage::Store;

/// What an answer may cost.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Passages looked at for one question.
    pub candidates: usize,
    /// Passages put into the prompt at most.
    pub passages: usize,
    /// Tokens of passages put into the prompt at most: on two cores a thousand tokens cost about ten seconds.
    pub passage_tokens: usize,
    /// Tokens of an answer at most.
    pub answer_tokens: usize,
    /// Retrieval below this confidence (0 to 1) is not shown to the model at all.
    pub least_confidence: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            candidates: 24,
            passages: 5,
            passage_tokens: 900,
            answer_tokens: 320,
            least_confidence: judge::LEAST_CONFIDENCE,
        }
    }
}

/// The generation model in use and the name that the site gave it.
#[derive(Clone)]
pub struct NamedGenerator {
    /// Name in the list of models.
    pub name: String,
    /// The model.
    pub generator: Generator,
}

/// The door to search and answers. Cheap to clone.
#[derive(Clone)]
pub struct Answering {
    store: Store,
    index: Arc<Index>,
    embedder: Arc<Embedder>,
    generator: Arc<RwLock<Option<NamedGenerator>>>,
    settings: Arc<Settings>,
}

impl Answering {
    /// Answers from `store` and `index`. Without a generator only search works.
    #[must_use]
    pub fn new(
        store: Store,
        index: Arc<Index>,
        embedder: Arc<Embedder>,
        generator: Option<NamedGenerator>,
        settings: Settings,
    ) -> Self {
        Self { store, index, embedder, generator: Arc::new(RwLock::new(generator)), settings: Arc::new(settings) }
    }

    /// The generation model in use.
    #[must_use]
    pub fn generator(&self) -> Option<NamedGenerator> {
        self.generator.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The embedding model in use.
    #[must_use]
    pub fn embedder(&self) -> &Arc<Embedder> {
        &self.embedder
    }

    /// Takes another generation model into use; answers being written are finished by the one before.
    pub fn promote(&self, generator: NamedGenerator) {
        *self.generator.write().unwrap_or_else(PoisonError::into_inner) = Some(generator);
    }
}
