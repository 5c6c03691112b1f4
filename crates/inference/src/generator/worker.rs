//! The model's thread and the queue before it.

use super::stop::StopTexts;
use super::stream::{FinishReason, Progress, TokenStream, Usage};
use super::{GenerateRequest, PromptText};
use crate::ModelError;
use crate::decoder::{Decoder, KvCache};
use crate::sampler::Sampler;
use crate::tokenizer::TextStream;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// Prompt tokens read in one go; between two goes progress is told. Larger gains no speed on a CPU.
const PREFILL_CHUNK: usize = 256;

/// Tokens of a first, thrown away run: enough rows to make candle prepare every kernel's form of the weights.
const WARM_UP: usize = 32;

type Sender = UnboundedSender<Result<Progress, ModelError>>;

/// A request in the queue.
struct Job {
    prompt: Vec<u32>,
    limit: usize,
    request: GenerateRequest,
    sender: Sender,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    running: bool,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job whose reader is still there; `None` when the model is to go.
    fn take(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            queue.running = false;
            queue.jobs.retain(|job| !job.sender.is_closed());
            if let Some(job) = queue.jobs.pop_front() {
                queue.running = true;
                for (index, waiting) in queue.jobs.iter().enumerate() {
                    let _ = waiting.sender.send(Ok(Progress::Waiting { ahead: index + 1 }));
                }
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The handle to a model's thread; dropping it lets the thread end after the jobs that wait.
pub(super) struct Worker {
    shared: Arc<Shared>,
    max_waiting: usize,
}

impl Worker {
    /// Starts the thread; returns when the model is ready.
    pub(super) fn start(decoder: Decoder, text: Arc<PromptText>, max_waiting: usize) -> Result<Self, ModelError> {
        let shared = Arc::new(Shared::default());
        let mut model = Model { cache: decoder.cache(), decoder, text, cache_key: None };
        model.warm_up()?;
        let queue = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("generator".to_owned())
            .spawn(move || {
                while let Some(job) = queue.take() {
                    model.serve(job);
                }
            })
            .map_err(|error| ModelError::Compute { reason: format!("no thread for the model: {error}") })?;
        Ok(Self { shared, max_waiting })
    }

    /// Puts a request at the end of the queue.
    pub(super) fn queue(
        &self,
        prompt: Vec<u32>,
        limit: usize,
        request: GenerateRequest,
    ) -> Result<TokenStream, ModelError> {
        let (sender, stream) = TokenStream::new();
        let mut queue = self.shared.lock();
        queue.jobs.retain(|job| !job.sender.is_closed());
        // With nothing running the first of the queue is as good as served.
        if queue.jobs.len() >= self.max_waiting + usize::from(!queue.running) {
            return Err(ModelError::Overloaded { waiting: queue.jobs.len(), retry_after: Duration::from_secs(5) });
        }
        let ahead = queue.jobs.len() + usize::from(queue.running);
        if ahead > 0 {
            let _ = sender.send(Ok(Progress::Waiting { ahead }));
        }
        queue.jobs.push_back(Job { prompt, limit, request, sender });
        self.shared.changed.notify_one();
        Ok(stream)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
    }
}

/// What the thread owns.
struct Model {
    decoder: Decoder,
    text: Arc<PromptText>,
    cache: KvCache,
    /// Whose tokens are in the cache.
    cache_key: Option<u64>,
}

impl Model {
    fn warm_up(&mut self) -> Result<(), ModelError> {
        let tokens = vec![0; WARM_UP.min(self.decoder.context())];
        self.decoder.forward(&tokens, &mut self.cache, true, &mut || true)?;
        self.cache.truncate(0);
        Ok(())
    }

    fn serve(&mut self, job: Job) {
        let sender = job.sender.clone();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.run(job)));
        let last = match outcome {
            Ok(Ok(Some(usage))) => Ok(Progress::Finished(usage)),
            Ok(Ok(None)) => return,
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ModelError::Compute { reason: "the model's code panicked".to_owned() }),
        };
        if let Err(error) = &last {
            tracing::error!(%error, "generation failed");
            self.cache = self.decoder.cache();
        }
        let _ = sender.send(last);
    }

    /// Answers one request; `None` when its reader left.
    fn run(&mut self, job: Job) -> Result<Option<Usage>, ModelError> {
        let Job { prompt, limit, request, sender } = job;
        let mut present = || !sender.is_closed();
        let send = |progress| sender.send(Ok(progress)).is_ok();
        let started = Instant::now();
        let reused = self.reuse(&prompt, request.cache_key);
        let mut done = reused;
        let mut logits = Vec::new();
        while done < prompt.len() {
            if !send(Progress::Prefill { done, total: prompt.len(), reused }) {
                return Ok(None);
            }
            let end = prompt.len().min(done + PREFILL_CHUNK);
            let chunk = &prompt[done..end];
            match self.decoder.forward(chunk, &mut self.cache, end == prompt.len(), &mut present)? {
                Some(output) => logits = output,
                None => return Ok(None),
            }
            done = end;
        }
        send(Progress::Prefill { done, total: prompt.len(), reused });
        let prefill = started.elapsed();

        let started = Instant::now();
        let mut sampler = Sampler::new(request.sampling);
        let mut text = TextStream::default();
        let mut stops = StopTexts::new(request.stop);
        let mut new_tokens = 0;
        let (finish, cut) = loop {
            let token = sampler.sample(&logits);
            new_tokens += 1;
            if self.text.tokenizer.is_end(token) {
                break (FinishReason::Stop, false);
            }
            let (shown, stopped) = stops.push(&text.push(token, &self.text.tokenizer));
            if !shown.is_empty() && !send(Progress::Text(shown)) {
                return Ok(None);
            }
            if stopped {
                break (FinishReason::Stop, true);
            }
            if new_tokens == limit {
                break (FinishReason::Length, false);
            }
            match self.decoder.forward(&[token], &mut self.cache, true, &mut present)? {
                Some(output) => logits = output,
                None => return Ok(None),
            }
        };
        if !cut {
            let (shown, _) = stops.push(&text.finish());
            let rest = shown + &stops.finish();
            if !rest.is_empty() {
                send(Progress::Text(rest));
            }
        }
        Ok(Some(Usage {
            finish,
            prompt_tokens: prompt.len(),
            reused_tokens: reused,
            new_tokens,
            prefill,
            decode: started.elapsed(),
        }))
    }

    /// Keeps what the cache has of `prompt`'s beginning, if it may be used, and gives its length. The last token is
    /// always computed anew: its logits are needed.
    fn reuse(&mut self, prompt: &[u32], key: Option<u64>) -> usize {
        let shared = key.is_some() && key == self.cache_key;
        let common = self.cache.tokens().iter().zip(prompt).take_while(|(a, b)| a == b).count();
        let reused = if shared { common.min(prompt.len().saturating_sub(1)) } else { 0 };
        self.cache.truncate(reused);
        self.cache_key = key;
        reused
    }
}
