//! The generator: a handle to a model that lives on its own thread, or to an engine elsewhere in the enclave.
//!
//! Requests wait in a queue that is fair to users; the [scheduler](crate::scheduler) runs those it admits together.
//! Here they become tokens, and their tokens text.

mod answer;
mod answer_text;
mod state;
mod stop;
mod stream;
mod worker;

pub use state::GeneratorState;
pub use stream::{FinishReason, Progress, STATE_VERSION, TokenStream, Usage};

use crate::chat_template::ChatTemplate;
use crate::decoder;
use crate::decoder::model::DecoderModel;
use crate::device::{Device, Place, read_decoder};
use crate::gguf::GgufFile;
use crate::grammar::Grammars;
use crate::message::Message;
use crate::pack::ModelInfo;
use crate::remote::{Remote, RemoteOptions};
use crate::sampler::{MOST_LOGPROBS, Sampler, Sampling};
use crate::scheduler::{Limits, Request, Scheduler};
use crate::thinking::ThinkingTags;
use crate::tokenizer::TextTokenizer;
use crate::{ModelError, kernels, pack, remote};
use answer::Answer;
use answer_text::AnswerText;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Arc;
use worker::Worker;

/// How a model is loaded.
#[derive(Debug, Clone, Copy)]
pub struct GeneratorOptions {
    /// Where it computes.
    pub device: Device,
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
    /// Memory for the keys and values of passages that prompts quote.
    pub passage_memory_bytes: usize,
    /// Whether to guess tokens from what was read or written before and verify several in a step. Never changes the
    /// text.
    pub speculate: bool,
}

impl Default for GeneratorOptions {
    fn default() -> Self {
        Self {
            device: Device::default(),
            threads: None,
            max_waiting: 16,
            context_tokens: 8192,
            max_running: 8,
            kv_memory_bytes: 1 << 30,
            passage_memory_bytes: 1 << 30,
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
    /// A JSON schema that the answer must obey; `{"type": "object"}` for any object. An answer that ends for its length
    /// is the beginning of one that does.
    pub schema: Option<serde_json::Value>,
    /// Tells with the text how likely its tokens were, and this many alternatives to each, at most 20.
    pub logprobs: Option<usize>,
    /// Tells with [`Progress::State`] what the middle of the model makes of the prompt, before it writes. An engine
    /// elsewhere doesn't.
    pub state: bool,
    /// Functions that the model may call, as OpenAI's interface describes them. It calls one by writing
    /// `<tool_call>{"name": …, "arguments": …}</tool_call>`. With a `schema` beside them a call is all that may come.
    pub tools: Vec<serde_json::Value>,
    /// A model that can think before it answers does so. Some always do.
    pub thinking: bool,
    /// Whose computed prefix may be used again. Time to the first word tells whether a prefix was seen before, so two
    /// requests share one only when their keys are equal; `None` shares with nobody.
    pub cache_key: Option<u64>,
    /// So many of the first messages are the same for everybody and hold nothing of anybody's: what is computed of them is
    /// used again whatever the key.
    pub common_messages: usize,
    /// Texts that stand in the messages word for word, in this order, and whose keys and values may be computed once
    /// for all prompts that quote them: passages of documents. Who may quote a text may know that it was read before.
    pub passages: Vec<String>,
    /// Who asks: users take turns, so that one's many requests don't delay another's first. Requests of nobody in
    /// particular count as one user's.
    pub user: Option<u64>,
}

/// A model to write with; clones share it. When the last clone is gone, what waits is finished, and a model of this
/// machine leaves memory.
#[derive(Clone)]
pub struct Generator {
    engine: Engine,
    info: Arc<ModelInfo>,
    context: usize,
    on_gpu: bool,
}

/// Where the model runs.
#[derive(Clone)]
enum Engine {
    Local { worker: Arc<Worker>, text: Arc<PromptText> },
    Remote(Arc<Remote>),
}

/// How a model reads and writes text.
struct PromptText {
    tokenizer: TextTokenizer,
    template: ChatTemplate,
    thinking: Option<ThinkingTags>,
    grammars: Grammars,
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
        options.device.load(|place| Self::load_to(place, file, options))
    }

    fn load_to(place: Place, file: &Path, options: GeneratorOptions) -> Result<Self, ModelError> {
        let (text, model, info) = catch_unwind(|| read(place, file, options.context_tokens.max(1)))
            .map_err(|_| ModelError::damaged(file, "it contradicts itself"))??;
        let context = model.context();
        let limits = Limits {
            kv_memory_bytes: options.kv_memory_bytes,
            max_running: options.max_running,
            passage_memory_bytes: options.passage_memory_bytes,
            speculate: options.speculate,
        };
        let worker = Arc::new(Worker::start(Scheduler::new(model, limits)?, options.max_waiting)?);
        let on_gpu = place == Place::Gpu;
        Ok(Self { engine: Engine::Local { worker, text: Arc::new(text) }, info: Arc::new(info), context, on_gpu })
    }

    /// A model of another engine in the enclave. Nothing is sent before the first request.
    ///
    /// # Errors
    /// [`ModelError::RemoteOptions`] for options that can't be used, [`ModelError::Unreadable`] for the key's file.
    pub fn remote(options: RemoteOptions) -> Result<Self, ModelError> {
        let (info, context) = (Arc::new(options.info()), options.context_tokens);
        Ok(Self { engine: Engine::Remote(Arc::new(Remote::start(options)?)), info, context, on_gpu: false })
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

    /// Whether it computes on this machine's GPU.
    #[must_use]
    pub fn on_gpu(&self) -> bool {
        self.on_gpu
    }

    /// Address of the engine elsewhere that writes; `None` for a model of this machine.
    #[must_use]
    pub fn remote_address(&self) -> Option<&str> {
        match &self.engine {
            Engine::Local { .. } => None,
            Engine::Remote(remote) => Some(remote.address()),
        }
    }

    /// What it is doing now, and what it did so far. Nothing is known of a remote engine.
    #[must_use]
    pub fn state(&self) -> GeneratorState {
        match &self.engine {
            Engine::Local { worker, .. } => worker.state(),
            Engine::Remote(_) => GeneratorState::default(),
        }
    }

    /// Tokens of `text` alone, without the template around it. 0 if it can't be tokenized. Of a remote model, whose
    /// tokenizer isn't here, an estimate that is rather too high than too low.
    #[must_use]
    pub fn count_tokens(&self, text: &str) -> usize {
        match &self.engine {
            Engine::Local { text: prompt, .. } => prompt.tokenizer.encode_text(text).map_or(0, |tokens| tokens.len()),
            Engine::Remote(_) => remote::estimated_tokens(text),
        }
    }

    /// Tokens of the whole prompt for `messages`; estimated as [`Self::count_tokens`] is.
    ///
    /// # Errors
    /// [`ModelError::Template`] when the model's template refuses the messages.
    pub fn count_prompt_tokens(&self, messages: &[Message]) -> Result<usize, ModelError> {
        match &self.engine {
            Engine::Local { text, .. } => Ok(text.template.encode(messages, &[], false, &text.tokenizer)?.len()),
            Engine::Remote(_) => Ok(remote::estimated_prompt_tokens(messages, &[])),
        }
    }

    /// Whether a request would be taken now. The next moment may be another: [`Self::generate`] decides.
    ///
    /// # Errors
    /// [`ModelError::Overloaded`].
    pub fn check_room(&self) -> Result<(), ModelError> {
        match &self.engine {
            Engine::Local { worker, .. } => worker.check_room(),
            Engine::Remote(remote) => remote.check_room(),
        }
    }

    /// Queues a request and returns at once; the stream tells how it goes. With a schema it takes as long as compiling
    /// it: milliseconds, the first time for a model some tenths of a second.
    ///
    /// # Errors
    /// [`ModelError::Overloaded`], [`ModelError::PromptTooLong`], [`ModelError::InvalidRequest`],
    /// [`ModelError::Template`], [`ModelError::Stopped`], of a remote engine [`ModelError::RemoteUnreachable`].
    pub fn generate(&self, request: GenerateRequest) -> Result<TokenStream, ModelError> {
        request.sampling.check()?;
        let invalid = |reason: &str| Err(ModelError::InvalidRequest { reason: reason.to_owned() });
        if request.messages.is_empty() {
            return invalid("there is no message to answer");
        }
        if request.max_new_tokens == 0 {
            return invalid("max_new_tokens must be 1 or more");
        }
        if request.logprobs.is_some_and(|count| count > MOST_LOGPROBS) {
            return invalid("logprobs can be at most 20");
        }
        let (worker, text) = match &self.engine {
            Engine::Local { worker, text } => (worker, text),
            Engine::Remote(remote) => return remote.generate(request),
        };
        let (prompt, passages) = text.template.encode_with_passages(
            &request.messages,
            &request.tools,
            &request.passages,
            request.thinking,
            &text.tokenizer,
        )?;
        if prompt.is_empty() || prompt.len() >= self.context {
            return Err(ModelError::PromptTooLong { tokens: prompt.len(), context: self.context });
        }
        let common = text.common_tokens(&request, &prompt)?;
        let limit = request.max_new_tokens.min(self.context - prompt.len());
        let sampler = text.sampler(&request, &prompt)?;
        let (user, cache_key, state) = (request.user, request.cache_key, request.state);
        let (sender, stream) = TokenStream::new();
        let answer = AnswerText::new(text, &prompt, request.stop);
        let writer = Box::new(Answer::new(sampler, answer, Arc::clone(text), sender));
        worker.queue(Request { prompt, limit, user, cache_key, common, passages, state, writer, told: None })?;
        Ok(stream)
    }
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generator").field("info", &self.info).finish_non_exhaustive()
    }
}

impl PromptText {
    /// How many tokens of `prompt` its common messages begin.
    fn common_tokens(&self, request: &GenerateRequest, prompt: &[u32]) -> Result<usize, ModelError> {
        let common = &request.messages[..request.common_messages.min(request.messages.len())];
        if common.is_empty() || !request.tools.is_empty() {
            return Ok(0);
        }
        // What follows a message in the template may depend on the next one; tokens that differ are nobody's but its own.
        let alone = self.template.encode(common, &[], request.thinking, &self.tokenizer)?;
        Ok(alone.iter().zip(prompt).take_while(|(a, b)| a == b).count())
    }

    /// The sampler of a request whose prompt is `prompt`.
    fn sampler(&self, request: &GenerateRequest, prompt: &[u32]) -> Result<Sampler, ModelError> {
        let grammar = match &request.schema {
            Some(schema) => {
                let inside = self.thinking.is_some_and(|tags| tags.opened_by(prompt));
                let thinking = self.thinking.as_ref().filter(|_| request.thinking || inside);
                Some(self.grammars.compile(schema, &self.tokenizer)?.start(thinking, inside))
            }
            None => None,
        };
        Ok(Sampler::new(&request.sampling, grammar, prompt, request.logprobs))
    }
}

fn read(
    place: Place,
    file: &Path,
    context: usize,
) -> Result<(PromptText, Box<dyn DecoderModel>, ModelInfo), ModelError> {
    let mut gguf = GgufFile::open(file)?;
    decoder::family(&gguf)?;
    let tokenizer = TextTokenizer::read(&gguf)?;
    let template = ChatTemplate::read(&gguf, &tokenizer)?;
    let decoder = read_decoder(&mut gguf, context, place)?;
    let info = pack::describe_gguf(&gguf)?;
    let thinking = ThinkingTags::find(&tokenizer);
    Ok((PromptText { tokenizer, template, thinking, grammars: Grammars::default() }, decoder, info))
}
