//! An engine elsewhere in the enclave: any server with OpenAI's chat completions (llama-server, vLLM, Ollama).
//!
//! The only module of the server that opens connections, and only to the one address that the site configured: no
//! proxy, no redirect, no other host. Off unless configured. Requests are served on a thread with a runtime of its
//! own, each over its own connection, so that leaving one closes it; the engine behind it schedules and batches.

mod address;
mod breaker;
mod connection;
mod events;
mod exchange;
mod refusal;
mod reply;
mod request;
#[cfg(test)]
mod tests;

pub(crate) use request::{estimated_prompt_tokens, estimated_tokens};

use crate::generator::{GenerateRequest, Progress, TokenStream};
use crate::{ModelError, ModelInfo, ModelKind};
use address::Address;
use breaker::Breaker;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// When to try again if too many wait: how long its answers take is not known here.
const BUSY: Duration = Duration::from_secs(5);

/// Where the engine is and how long to wait for it.
#[derive(Debug, Clone)]
pub struct RemoteOptions {
    /// `http://host:port`, with what stands before `/v1/chat/completions`, if anything.
    pub address: String,
    /// The model's name there.
    pub model: String,
    /// File whose first line is sent as a bearer token.
    pub key_file: Option<PathBuf>,
    /// For the connection, name resolution included.
    pub connect_timeout: Duration,
    /// From the request to the first token.
    pub first_token_timeout: Duration,
    /// From one token to the next.
    pub idle_timeout: Duration,
    /// Tokens of prompt and answer together that the engine was started with.
    pub context_tokens: usize,
    /// Requests at the engine at once.
    pub max_concurrent: usize,
    /// Requests that may wait for their turn here; one more is refused as overloaded.
    pub max_waiting: usize,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            address: String::new(),
            model: String::new(),
            key_file: None,
            connect_timeout: Duration::from_secs(5),
            first_token_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(30),
            context_tokens: 8192,
            max_concurrent: 8,
            max_waiting: 32,
        }
    }
}

impl RemoteOptions {
    /// What is known of a model whose weights aren't here: no hash, no size. The record of an answer then says which
    /// engine wrote it, by name and address, and can't promise that it would write the same again.
    pub(crate) fn info(&self) -> ModelInfo {
        ModelInfo {
            kind: ModelKind::Generate,
            architecture: "remote".to_owned(),
            quantisation: String::new(),
            parameters: 0,
            context_tokens: self.context_tokens,
            dimension: None,
            size_bytes: 0,
            sha256: String::new(),
        }
    }
}

impl RemoteOptions {
    /// Whether one more may come behind `ahead` others.
    fn check_room(&self, ahead: usize) -> Result<(), ModelError> {
        if ahead < self.max_concurrent.saturating_add(self.max_waiting) {
            return Ok(());
        }
        Err(ModelError::Overloaded { waiting: ahead - self.max_concurrent, retry_after: BUSY })
    }
}

type Sender = mpsc::UnboundedSender<Result<Progress, ModelError>>;

/// A request on its way to the engine.
struct Job {
    request: GenerateRequest,
    sender: Sender,
    _place: Place,
}

/// The handle to the thread that speaks to the engine; dropping it lets the thread end after what was asked.
pub(crate) struct Remote {
    jobs: mpsc::UnboundedSender<Job>,
    upstream: Arc<Upstream>,
    present: Arc<AtomicUsize>,
}

/// The engine.
struct Upstream {
    options: RemoteOptions,
    address: Address,
    key: Option<String>,
    breaker: Arc<Breaker>,
    places: Semaphore,
}

impl Remote {
    /// Checks the options and starts the thread; sends nothing yet.
    pub(crate) fn start(options: RemoteOptions) -> Result<Self, ModelError> {
        let upstream = Arc::new(Upstream::new(options)?);
        let (jobs, mut waiting) = mpsc::unbounded_channel::<Job>();
        let failed = |error: std::io::Error| ModelError::Compute { reason: format!("no thread for it: {error}") };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let serving = Arc::clone(&upstream);
        let work = async move {
            let mut running = JoinSet::new();
            loop {
                tokio::select! {
                    job = waiting.recv() => match job {
                        Some(job) => drop(running.spawn(serve(Arc::clone(&serving), job))),
                        None => break,
                    },
                    Some(_) = running.join_next() => {}
                }
            }
            while running.join_next().await.is_some() {}
        };
        let thread = std::thread::Builder::new().name("remote-engine".to_owned());
        thread.spawn(move || runtime.block_on(work)).map_err(failed)?;
        Ok(Self { jobs, upstream, present: Arc::default() })
    }

    /// The configured address.
    pub(crate) fn address(&self) -> &str {
        &self.upstream.options.address
    }

    /// Whether a request would be taken now.
    pub(crate) fn check_room(&self) -> Result<(), ModelError> {
        self.upstream.options.check_room(self.present.load(Ordering::Acquire))
    }

    /// Puts a request on its way and returns at once.
    pub(crate) fn generate(&self, request: GenerateRequest) -> Result<TokenStream, ModelError> {
        self.upstream.breaker.check(Instant::now()).map_err(|wait| self.upstream.resting(wait))?;
        let options = &self.upstream.options;
        let place = Place::take(&self.present);
        options.check_room(place.ahead)?;
        let (sender, stream) = TokenStream::new();
        if let Some(ahead) = (place.ahead + 1).checked_sub(options.max_concurrent).filter(|ahead| *ahead > 0) {
            let _ = sender.send(Ok(Progress::Waiting { ahead }));
        }
        self.jobs.send(Job { request, sender, _place: place }).map_err(|_| ModelError::Stopped)?;
        Ok(stream)
    }
}

/// One among the requests that are here; dropping it is leaving.
struct Place {
    present: Arc<AtomicUsize>,
    ahead: usize,
}

impl Place {
    fn take(present: &Arc<AtomicUsize>) -> Self {
        Self { ahead: present.fetch_add(1, Ordering::AcqRel), present: Arc::clone(present) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.present.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Serves one request to its end, or until its reader has left: then the exchange is dropped where it stands, and its
/// connection with it.
async fn serve(upstream: Arc<Upstream>, job: Job) {
    let Job { request, sender, _place } = job;
    let answered = async {
        let _turn = upstream.places.acquire().await.map_err(|_| ModelError::Stopped)?;
        upstream.answer(&request, &sender).await
    };
    let last = tokio::select! {
        outcome = answered => outcome.map(Progress::Finished),
        () = sender.closed() => return,
    };
    if let Err(error) = &last {
        tracing::warn!(%error, "the remote engine did not answer");
    }
    let _ = sender.send(last);
}

impl Upstream {
    fn new(options: RemoteOptions) -> Result<Self, ModelError> {
        let invalid = |reason: &str| Err(ModelError::RemoteOptions { reason: reason.to_owned() });
        let address = Address::parse(&options.address).map_err(|reason| ModelError::RemoteOptions { reason })?;
        if options.model.trim().is_empty() {
            return invalid("it needs the name of a model, as that engine lists it");
        }
        if options.max_concurrent == 0 || options.context_tokens == 0 {
            return invalid("max_concurrent and context_tokens must be 1 or more");
        }
        let key = match &options.key_file {
            None => None,
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|error| ModelError::unreadable(file, &error))?;
                let key = text.lines().next().unwrap_or_default().trim().to_owned();
                if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return invalid("the first line of its key file is no key");
                }
                Some(key)
            }
        };
        let places = Semaphore::new(options.max_concurrent.min(Semaphore::MAX_PERMITS));
        Ok(Self { options, address, key, breaker: Arc::default(), places })
    }

    /// Why nothing is sent at the moment.
    fn resting(&self, wait: Duration) -> ModelError {
        let seconds = wait.as_secs().max(1);
        self.unreachable(format!("it failed several times in a row, and the next try is in {seconds} s"))
    }

    fn unreachable(&self, reason: impl Into<String>) -> ModelError {
        ModelError::RemoteUnreachable { address: self.options.address.clone(), reason: reason.into() }
    }

    fn broken(&self, reason: impl Into<String>) -> ModelError {
        ModelError::RemoteBroken { address: self.options.address.clone(), reason: reason.into() }
    }
}
