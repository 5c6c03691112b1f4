//! The generator: a handle to a model that lives on its own thread.
//!
//! Requests wait in a queue that is fair to users; the [scheduler](crate::scheduler) runs those it admits together.
//! Here they become tokens, and their tokens text.

mod answer;
mod state;
mod stop;
mod stream;
mod worker;

pub use state::GeneratorState;
pub use stream::{FinishReason, Progress, TokenStream, Usage};

use crate::chat_template::{ChatTemplate, Message};
use crate::decoder::model::DecoderModel;
use crate::decoder::{self, Decoder};
use crate::gguf::GgufFile;
use crate::pack::ModelInfo;
use crate::sampler::Sampling;
use crate::scheduler::{Limits, Request, Scheduler};
use crate::tokenizer::TextTokenizer;
use crate::{ModelError, kernels, pack};
use answer::Answer;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Arc;
use worker::Worker;

/// How a model is loaded.
#[derive(Debug, Clone, Copy)]
pub struct GeneratorOptions {
    /// Threads for arithmetic; `None`: one a core. They are the process's, so the first model loaded decides.
    pub threads: Option<usize>,
    /// Requests that may wait behind the running ones; one more is refused as overloaded.
    pub max_waiting: usize,
    /// The most tokens of prompt and answer together; the model's own trained length caps it.
    pub context_tokens: usize,
    /// Answers written at the same time, at least 1.
    pub max_running: usize,
    /// Memory for keys and values, of running answers and of what is kept of earlier ones. One sequence of
    /// `context_tokens` fits in any case.
    pub kv_memory_bytes: usize,
    /// Whether to guess tokens from what was read or written before and verify several in a step. Never changes the
    /// text.
    pub speculate: bool,
}

impl Default for GeneratorOptions {
    fn default() -> Self {
        Self {
            threads: None,
            max_waiting: 16,
            context_tokens: 8192,
            max_running: 8,
            kv_memory_bytes: 1 << 30,
            speculate: true,
        }
    }
}

/// One answer to make.
#[derive(Debug, Clone, Default)]
pub struct GenerateRequest {
    /// The conversation; the model writes the next assistant message.
    pub messages: Vec<Message>,
    /// The most tokens to write; the context may end the answer sooner.
    pub max_new_tokens: usize,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Texts that end the answer; they aren't part of it.
    pub stop: Vec<String>,
    /// Whose computed prefix may be used again. Time to the first word tells whether a prefix was seen before, so two
    /// requests share one only when their keys are equal; `None` shares with nobody.
    pub cache_key: Option<u64>,
    /// Who asks: users take turns, so that one's many requests don't delay another's first. Requests of nobody in
    /// particular count as one user's.
    pub user: Option<u64>,
}

/// A loaded model; clones share it. When the last clone is gone, the model finishes what waits and leaves memory.
#[derive(Clone)]
pub struct Generator {
    worker: Arc<Worker>,
    text: Arc<PromptText>,
    info: Arc<ModelInfo>,
    context: usize,
}

/// How a model reads and writes text.
struct PromptText {
    tokenizer: TextTokenizer,
    template: ChatTemplate,
}

impl Generator {
    /// Loads a GGUF file and starts its thread. Blocks for as long as reading the file and preparing its weights take.
    ///
    /// # Errors
    /// What [`pack::inspect`] refuses, and [`ModelError::Damaged`] for tensors that don't fit the model's shape.
    pub fn load(file: &Path, options: GeneratorOptions) -> Result<Self, ModelError> {
        if let Some(threads) = options.threads {
            kernels::set_threads(threads);
        }
        let (text, decoder, info) = catch_unwind(|| read(file, options.context_tokens.max(1)))
            .map_err(|_| ModelError::damaged(file, "it contradicts itself"))??;
        Self::start(text, Box::new(decoder), info, options)
    }

    fn start(
        text: PromptText,
        model: Box<dyn DecoderModel>,
        info: ModelInfo,
        options: GeneratorOptions,
    ) -> Result<Self, ModelError> {
        let context = model.context();
        let limits = Limits {
            kv_memory_bytes: options.kv_memory_bytes,
            max_running: options.max_running,
            speculate: options.speculate,
        };
        let worker = Arc::new(Worker::start(Scheduler::new(model, limits)?, options.max_waiting)?);
        Ok(Self { worker, text: Arc::new(text), info: Arc::new(info), context })
    }

    /// What was loaded.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Tokens of prompt and answer together.
    #[must_use]
    pub fn context_tokens(&self) -> usize {
        self.context
    }

    /// What it is doing now, and what it did so far.
    #[must_use]
    pub fn state(&self) -> GeneratorState {
        self.worker.state()
    }

    /// Tokens of `text` alone, without the template around it. 0 if it can't be tokenized.
    #[must_use]
    pub fn count_tokens(&self, text: &str) -> usize {
        self.text.tokenizer.encode_text(text).map_or(0, |tokens| tokens.len())
    }

    /// Tokens of the whole prompt for `messages`.
    ///
    /// # Errors
    /// [`ModelError::Template`] when the model's template refuses the messages.
    pub fn count_prompt_tokens(&self, messages: &[Message]) -> Result<usize, ModelError> {
        Ok(self.text.template.encode(messages, &self.text.tokenizer)?.len())
    }

    /// Queues a request and returns at once; the stream tells how it goes.
    ///
    /// # Errors
    /// [`ModelError::Overloaded`], [`ModelError::PromptTooLong`], [`ModelError::InvalidRequest`],
    /// [`ModelError::Template`], [`ModelError::Stopped`].
    pub fn generate(&self, request: GenerateRequest) -> Result<TokenStream, ModelError> {
        request.sampling.check()?;
        let invalid = |reason: &str| Err(ModelError::InvalidRequest { reason: reason.to_owned() });
        if request.messages.is_empty() {
            return invalid("there is no message to answer");
        }
        if request.max_new_tokens == 0 {
            return invalid("max_new_tokens must be 1 or more");
        }
        let prompt = self.text.template.encode(&request.messages, &self.text.tokenizer)?;
        if prompt.is_empty() || prompt.len() >= self.context {
            return Err(ModelError::PromptTooLong { tokens: prompt.len(), context: self.context });
        }
        let limit = request.max_new_tokens.min(self.context - prompt.len());
        let (user, cache_key) = (request.user, request.cache_key);
        let (sender, stream) = TokenStream::new();
        let writer = Box::new(Answer::new(request, Arc::clone(&self.text), sender));
        self.worker.queue(Request { prompt, limit, user, cache_key, writer, told: None })?;
        Ok(stream)
    }
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generator").field("info", &self.info).finish_non_exhaustive()
    }
}

fn read(file: &Path, context: usize) -> Result<(PromptText, Decoder, ModelInfo), ModelError> {
    let mut gguf = GgufFile::open(file)?;
    decoder::family(&gguf)?;
    let tokenizer = TextTokenizer::read(&gguf)?;
    let template = ChatTemplate::read(&gguf, &tokenizer)?;
    let decoder = Decoder::read(&mut gguf, context)?;
    let info = pack::describe_gguf(&gguf)?;
    Ok((PromptText { tokenizer, template }, decoder, info))
}
