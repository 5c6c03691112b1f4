//! The generator: a handle to a model that lives on its own thread, or to an engine elsewhere in the enclave.
//!
//! One sequence is decoded at a time, first come first served; the others wait and are told how many are ahead.
//! Batching of several sequences comes with the scheduler; this surface stays.

mod stop;
mod stream;
mod worker;

pub use stream::{FinishReason, Progress, TokenStream, Usage};

use crate::chat_template::ChatTemplate;
use crate::decoder::{self, Decoder};
use crate::gguf::GgufFile;
use crate::message::Message;
use crate::pack::ModelInfo;
use crate::remote::{Remote, RemoteOptions};
use crate::sampler::Sampling;
use crate::tokenizer::TextTokenizer;
use crate::{ModelError, pack, remote};
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Arc;
use worker::Worker;

/// How a model is loaded.
#[derive(Debug, Clone, Copy)]
pub struct GeneratorOptions {
    /// Threads for dense arithmetic; `None`: one a core. The pool is the process's, so the first model loaded decides.
    /// Products with quantised weights take their number from `CANDLE_NUM_THREADS` at the process's start instead.
    pub threads: Option<usize>,
    /// Requests that may wait behind the running one; one more is refused as overloaded.
    pub max_waiting: usize,
    /// The most tokens of prompt and answer together; the model's own trained length caps it.
    pub context_tokens: usize,
}

impl Default for GeneratorOptions {
    fn default() -> Self {
        Self { threads: None, max_waiting: 16, context_tokens: 8192 }
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
    /// The JSON schema that the text must obey.
    pub schema: Option<serde_json::Value>,
    /// Tells with the text how likely its tokens were, and this many alternatives to each, at most 20.
    pub logprobs: Option<usize>,
    /// Functions that the model may call, as OpenAI's interface describes them. It calls one by writing
    /// `<tool_call>{"name": …, "arguments": …}</tool_call>`. With a `schema` beside them a call is all that may come.
    pub tools: Vec<serde_json::Value>,
    /// Whose computed prefix may be used again. Time to the first word tells whether a prefix was seen before, so two
    /// requests share one only when their keys are equal; `None` shares with nobody.
    pub cache_key: Option<u64>,
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
}

impl Generator {
    /// Loads a GGUF file and starts its thread. Blocks for as long as reading the file and preparing its weights take.
    ///
    /// # Errors
    /// What [`pack::inspect`] refuses, and [`ModelError::Damaged`] for tensors that don't fit the model's shape.
    pub fn load(file: &Path, options: GeneratorOptions) -> Result<Self, ModelError> {
        if let Some(threads) = options.threads {
            // The pool is global and can be made only once; a later wish is too late and no error.
            let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        }
        let (text, decoder, info) = catch_unwind(|| read(file, options.context_tokens.max(1)))
            .map_err(|_| ModelError::damaged(file, "it contradicts itself"))??;
        let (text, context) = (Arc::new(text), decoder.context());
        let worker = Arc::new(Worker::start(decoder, Arc::clone(&text), options.max_waiting)?);
        Ok(Self { engine: Engine::Local { worker, text }, info: Arc::new(info), context })
    }

    /// A model of another engine in the enclave. Nothing is sent before the first request.
    ///
    /// # Errors
    /// [`ModelError::RemoteOptions`] for options that can't be used, [`ModelError::Unreadable`] for the key's file.
    pub fn remote(options: RemoteOptions) -> Result<Self, ModelError> {
        let (info, context) = (Arc::new(options.info()), options.context_tokens);
        Ok(Self { engine: Engine::Remote(Arc::new(Remote::start(options)?)), info, context })
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
            Engine::Local { text, .. } => Ok(text.template.encode(messages, &[], &text.tokenizer)?.len()),
            Engine::Remote(_) => Ok(remote::estimated_prompt_tokens(messages, &[])),
        }
    }

    /// Queues a request and returns at once; the stream tells how it goes.
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
        let (worker, text) = match &self.engine {
            Engine::Local { worker, text } => (worker, text),
            Engine::Remote(remote) => return remote.generate(request),
        };
        let prompt = text.template.encode(&request.messages, &request.tools, &text.tokenizer)?;
        if prompt.is_empty() || prompt.len() >= self.context {
            return Err(ModelError::PromptTooLong { tokens: prompt.len(), context: self.context });
        }
        let limit = request.max_new_tokens.min(self.context - prompt.len());
        worker.queue(prompt, limit, request)
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
