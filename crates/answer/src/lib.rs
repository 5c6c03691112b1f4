//! From a question to an answer with its proof: rewrite → retrieve → judge → rerank → pack → prompt → generate → cite
//! → judge → escalate.
//!
//! Each stage is one module; [`Answering::ask`] is the straight line through them. What a person was shown is
//! recorded before it is shown. Knows nothing of the web: it reports [`Event`]s to whoever listens.

mod alike;
mod ask;
mod calls;
mod cite;
mod compare;
mod escalate;
mod generate;
mod glossary;
mod judge;
mod live;
mod pack;
mod prompt;
mod prove;
mod record;
pub mod replay;
mod rerank;
mod retrieve;
mod rewrite;
mod tally;
mod wishes;

pub use alike::Words;
pub use ask::{AskError, Event, Question, Status};
pub use cite::{FactKind, Sentence, Support, Unfounded};
pub use compare::Comparison;
pub use escalate::{BrokenOff, Doubt, First, SURE};
pub use glossary::{Glossary, GlossaryError};
pub use judge::{
    Calibration, CalibrationError, Features, Judgement, Logistic, Observation, Probe, Probing, Reading, Stages, fit,
};
pub use live::{Live, Subscription};
pub use models::NamedGenerator;
pub use pack::Source;
pub use prompt::messages;
pub use record::{Answer, Asked, Timings};
pub use rerank::RERANKED;
pub use retrieve::{Candidate, Retrieved};
pub use tally::Counts;
pub use wishes::Wishes;

use index::Index;
use inference::Embedder;
use models::Engines;
use rerank::Reranking;
use std::sync::Arc;
use storage::Store;
use tally::Tally;

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
    /// What a question and its answer are judged by.
    pub calibration: Calibration,
    /// Whether it is read from the model's hidden state if the passages answer at all.
    pub probing: Probing,
    /// What the site calls by several names.
    pub glossary: Glossary,
    /// An answer less likely right than this, 0 to 1, goes to the larger model if there is one.
    pub sure: f32,
    /// Whether the model reads a passage once for all prompts that quote it: less is computed before the first word, and
    /// passages don't see each other (docs/adr/0008).
    pub reuse_passages: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            candidates: 24,
            passages: 5,
            passage_tokens: 900,
            answer_tokens: 320,
            least_confidence: judge::LEAST_CONFIDENCE,
            calibration: Calibration::built_in(),
            probing: Probing::Calibrated,
            glossary: Glossary::default(),
            sure: SURE,
            reuse_passages: false,
        }
    }
}

/// The door to search and answers. Cheap to clone.
#[derive(Clone)]
pub struct Answering {
    store: Store,
    index: Arc<Index>,
    embedder: Arc<Embedder>,
    engines: Engines,
    settings: Arc<Settings>,
    reranking: Option<Reranking>,
    tally: Arc<Tally>,
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
        Self {
            store,
            index,
            embedder,
            engines: Engines::new(generator),
            settings: Arc::new(settings),
            reranking: None,
            tally: Arc::default(),
        }
    }

    /// The same, judged by another calibration, for measuring.
    #[must_use]
    pub fn judged_by(self, calibration: Calibration, probing: Probing) -> Self {
        Self { settings: Arc::new(Settings { calibration, probing, ..(*self.settings).clone() }), ..self }
    }

    /// The same with this model in use, for measuring beside what readers ask: nothing of theirs changes, nor is counted.
    #[must_use]
    pub fn with_model(&self, generator: NamedGenerator) -> Self {
        let engines = Engines::new(Some(generator));
        engines.escalate_to(self.engines.configured_larger());
        Self { engines, tally: Arc::default(), ..self.clone() }
    }

    /// The generation model in use.
    #[must_use]
    pub fn generator(&self) -> Option<NamedGenerator> {
        self.engines.stable()
    }

    /// The generation model in use and the one beside it; what is changed there holds for the next question.
    #[must_use]
    pub const fn engines(&self) -> &Engines {
        &self.engines
    }

    /// How many questions were taken since the start, and how their answers ended.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.tally.counts()
    }

    /// The embedding model in use.
    #[must_use]
    pub fn embedder(&self) -> &Arc<Embedder> {
        &self.embedder
    }
}
