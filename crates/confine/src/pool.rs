//! The server's side: workers that are started when needed, used again, and replaced.

use crate::confinement::Confinement;
use crate::exchange::{Errand, Outcome};
use crate::process::Worker;
use crate::protocol::Task;
use crate::{Dropped, ReadFailure, Receiver, Settings};
use extract::{ExtractError, Extracted, Format};
use render::{Order, PagePicture};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Workers that read documents. Clones share them.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    command: Mutex<Command>,
    settings: Settings,
    permits: Semaphore,
    idle: Mutex<Vec<Worker>>,
    warned: AtomicBool,
}

/// What a file says, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What it is.
    pub format: Format,
    /// What it says.
    pub extracted: Extracted,
}

/// Where the bytes of a file are.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// Here.
    Bytes(&'a [u8]),
    /// In a regular file, which is passed on in small pieces.
    File(&'a Path),
}

impl Pool {
    /// A pool of workers that `command` starts: a program that calls [`serve_reader`](crate::serve_reader) first
    /// thing. Only program (an absolute path), arguments and the variables set on it
    /// count: workers start in the root folder, and the server's environment stays here.
    #[must_use]
    pub fn new(command: Command, settings: Settings) -> Self {
        let permits = Semaphore::new(settings.workers.max(1));
        let (idle, warned) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        Self { inner: Arc::new(Inner { command: Mutex::new(command), settings, permits, idle, warned }) }
    }

    /// Reads a file; `name` is the path or name by which people know it. Files in it and news go to `receiver`. If
    /// the future is dropped, the worker that reads this file is killed, and no other.
    ///
    /// What a worker kept of an earlier file is never blamed on this one: if a used worker fails, the file is read
    /// once more by a new one, unless files in it were handed out already.
    ///
    /// # Errors
    /// [`ReadFailure`]: why the file was not read, for the person who brought it.
    pub async fn read<R: Receiver>(
        &self,
        name: &str,
        source: Source<'_>,
        receiver: &mut R,
    ) -> Result<Reading, ReadFailure> {
        match self.run(name, Task::Read, source, receiver).await? {
            Outcome::Read(reading) => Ok(reading),
            Outcome::Refused(refusal) => Err(refusal.into()),
            Outcome::Drawn(_) => Err(unasked()),
        }
    }

    /// Draws a page of a file; the rest is as in [`Pool::read`]. The picture is a PNG file of the size that it says, and
    /// no more is promised: what it shows was said by a worker that the file may have taken over.
    ///
    /// # Errors
    /// [`ReadFailure`]: why there is no picture of this page.
    pub async fn draw(&self, name: &str, source: Source<'_>, order: Order) -> Result<PagePicture, ReadFailure> {
        match self.run(name, Task::Draw(order), source, &mut Dropped).await? {
            Outcome::Drawn(picture) => Ok(picture),
            Outcome::Refused(refusal) => Err(refusal.into()),
            Outcome::Read(_) => Err(unasked()),
        }
    }

    async fn run<R: Receiver>(
        &self,
        name: &str,
        task: Task,
        source: Source<'_>,
        receiver: &mut R,
    ) -> Result<Outcome, ReadFailure> {
        // Never closed, so the one error that there is does not come.
        let _permit = self.inner.permits.acquire().await.map_err(|_| ReadFailure::Interrupted)?;
        let mut errand = Errand::new(name, task, source, &self.inner.settings).await?;
        let (worker, is_fresh) = match self.inner.idle_worker() {
            Some(worker) => (worker, false),
            None => (self.inner.start().await?, true),
        };
        match self.attempt(worker, &mut errand, receiver).await {
            Err(failure) if !is_fresh && errand.can_be_repeated() && may_be_inherited(&failure) => {
                tracing::debug!(file = name, %failure, "a used worker failed; a new one tries");
                let worker = self.inner.start().await?;
                self.attempt(worker, &mut errand, receiver).await
            }
            read => read,
        }
    }

    /// How workers are confined, as a new one finds out; it waits for its first file then.
    ///
    /// # Errors
    /// [`ReadFailure::NoWorker`] and [`ReadFailure::Unconfined`]: whether documents can be read here at all.
    pub async fn check(&self) -> Result<Confinement, ReadFailure> {
        let _permit = self.inner.permits.acquire().await.map_err(|_| ReadFailure::Interrupted)?;
        let worker = self.inner.start().await?;
        let confinement = worker.confinement();
        self.inner.keep(worker);
        Ok(confinement)
    }

    async fn attempt<R: Receiver>(
        &self,
        mut worker: Worker,
        errand: &mut Errand<'_>,
        receiver: &mut R,
    ) -> Result<Outcome, ReadFailure> {
        let outcome = errand.run(&mut worker, receiver).await;
        match outcome {
            Ok(outcome) => {
                if worker.is_fit(&self.inner.settings) {
                    self.inner.keep(worker);
                }
                Ok(outcome)
            }
            Err(broken) => Err(worker.end(broken, &self.inner.settings, errand.size()).await),
        }
    }
}

/// The exchange hears only what was asked for.
fn unasked() -> ReadFailure {
    ReadFailure::Crashed { how: "it answered another question".to_owned() }
}

/// Whether an earlier file of the same worker could have caused it, or something that happened while it waited.
const fn may_be_inherited(failure: &ReadFailure) -> bool {
    matches!(
        failure,
        ReadFailure::Crashed { .. }
            | ReadFailure::Forbidden
            | ReadFailure::TooMuchMemory { .. }
            | ReadFailure::Interrupted
    )
}

impl Inner {
    fn idle_worker(&self) -> Option<Worker> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut worker) = idle.pop() {
            if worker.is_waiting() {
                return Some(worker);
            }
        }
        None
    }

    fn keep(&self, worker: Worker) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
    }

    async fn start(&self) -> Result<Worker, ReadFailure> {
        let spawned = {
            let command = self.command.lock().unwrap_or_else(PoisonError::into_inner);
            Worker::spawn(&command)
        };
        let worker = spawned?.greet(&self.settings).await?;
        let confinement = worker.confinement();
        if !confinement.is_tight() {
            if self.settings.require_confinement {
                return Err(ReadFailure::Unconfined(confinement));
            }
            if !self.warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(%confinement, "this machine cannot confine the readers of documents fully");
            }
        }
        Ok(worker)
    }
}

impl Source<'_> {
    /// Its size, if a file of this size may be read.
    pub(crate) async fn checked_size(&self, settings: &Settings) -> Result<u64, ReadFailure> {
        let size = match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(path) => {
                let metadata = tokio::fs::metadata(path).await.map_err(ReadFailure::Source)?;
                if !metadata.is_file() {
                    return Err(ReadFailure::Source(std::io::Error::other("it is no regular file")));
                }
                metadata.len()
            }
        };
        let limit = settings.limits.unpacked_bytes;
        if size <= limit {
            return Ok(size);
        }
        let error = ExtractError::TooLarge { what: "its size", limit: format!("{} MiB", limit >> 20) };
        Err(ReadFailure::Refused(error.into()))
    }
}
