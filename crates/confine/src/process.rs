//! One worker process, as the server holds it: start, limits on time, end.

use crate::exchange::{Broken, Clock, head, parse, take};
use crate::protocol::{self, Hello, Kind, SMALL, Start, VERSION};
use crate::usage::{self, Memory};
use crate::{Confinement, Landlock, ReadFailure, Settings};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a worker whose pipes are closed may take to be gone.
const FAREWELL: Duration = Duration::from_secs(5);

/// Bytes of its standard error that are kept, the last ones.
const COMPLAINT: usize = 4096;

/// A worker process; dropping it kills it.
pub(crate) struct Worker {
    child: Child,
    id: String,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    complaint: Complaint,
    confinement: Confinement,
    resident_at_start: u64,
    files: u32,
}

/// Sets the time on processors of a worker.
pub(crate) struct ProcessorTime {
    id: String,
}

impl ProcessorTime {
    /// Sets the time on processors at which the kernel ends it, counted from now. Only the soft limit: the hard one
    /// could not be raised for the next file. The worker cannot raise either.
    pub(crate) fn allow(&self, time: Duration) {
        let used = usage::cpu(&self.id).unwrap_or_default();
        let until = used.saturating_add(time).as_secs().saturating_add(1);
        let id = self.id.parse().ok().and_then(Pid::from_raw);
        if id.is_some() && prlimit(id, Resource::Cpu, Rlimit { current: Some(until), maximum: None }).is_err() {
            // A limit from outside is lower already, or the worker is gone, which the exchange will find.
            tracing::debug!(worker = self.id, "its time on processors cannot be limited");
        }
    }
}

impl Worker {
    /// Starts a process with nothing of ours but three pipes: no environment, no folder.
    pub(crate) fn spawn(command: &Command) -> Result<Self, ReadFailure> {
        let mut fresh = tokio::process::Command::new(command.get_program());
        fresh.args(command.get_args()).env_clear();
        fresh.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        fresh.current_dir("/").kill_on_drop(true);
        fresh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = fresh.spawn().map_err(|error| no_worker(&error))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take(), child.id());
        let (Some(input), Some(output), Some(errors), Some(id)) = pipes else {
            return Err(no_worker(&"it has no pipes"));
        };
        Ok(Self {
            child,
            id: id.to_string(),
            input,
            output: BufReader::with_capacity(64 << 10, output),
            complaint: Complaint::listen(errors),
            confinement: Confinement { landlock: Landlock::None, seccomp: false, rlimits: false },
            resident_at_start: 0,
            files: 0,
        })
    }

    /// Waits until it has set itself up and is confined.
    pub(crate) async fn greet(mut self, settings: &Settings) -> Result<Self, ReadFailure> {
        let mut clock = Clock::new(settings.start);
        match clock.within(self.exchange_greetings(settings.memory_bytes)).await {
            Ok(Ok(Ok(hello))) if hello.version == VERSION => {
                self.confinement = hello.confinement;
                self.resident_at_start = Memory::of(&self.id).map_or(0, |memory| memory.resident);
                Ok(self)
            }
            Ok(Ok(Ok(_))) => Err(no_worker(&"it is of another version; start the server again")),
            Ok(Ok(Err(reason))) => Err(no_worker(&reason)),
            Ok(Err(_)) => {
                let (status, complaint) = self.wait().await;
                let last = complaint.lines().last().unwrap_or_default();
                Err(no_worker(&format!("{}: {last}", status.map_or_else(String::new, |status| status.to_string()))))
            }
            Err(_) => Err(no_worker(&format!("it takes longer than {} seconds", settings.start.as_secs()))),
        }
    }

    /// Its hello, or why it is unable.
    async fn exchange_greetings(&mut self, memory_bytes: u64) -> Result<Result<Hello, String>, Broken> {
        self.input.write_all(&protocol::message(Kind::Start, &Start { version: VERSION, memory_bytes })?).await?;
        let (kind, length) = head(&mut self.output).await?;
        if length > SMALL {
            return Err(Broken::Untrue("more than it may say"));
        }
        let payload = take(&mut self.output, length).await?;
        match kind {
            Kind::Hello => Ok(Ok(parse(&payload)?)),
            Kind::Unable => Ok(Err(parse(&payload)?)),
            _ => Err(Broken::Untrue("no hello")),
        }
    }

    /// What holds for it, by its own account from before the first file.
    pub(crate) const fn confinement(&self) -> Confinement {
        self.confinement
    }

    pub(crate) const fn pipes(&mut self) -> (&mut ChildStdin, &mut BufReader<ChildStdout>) {
        (&mut self.input, &mut self.output)
    }

    /// Whether it lives and keeps silent.
    pub(crate) fn is_waiting(&mut self) -> bool {
        self.output.buffer().is_empty() && matches!(self.child.try_wait(), Ok(None))
    }

    /// Counts a file that it read, and says whether it may read another.
    pub(crate) fn is_fit(&mut self, settings: &Settings) -> bool {
        self.files += 1;
        let most = self.resident_at_start.saturating_add(settings.resident_growth_bytes);
        self.files < settings.files_per_worker && Memory::of(&self.id).is_some_and(|memory| memory.resident <= most)
    }

    /// What sets its time on processors.
    pub(crate) fn processor_time(&self) -> ProcessorTime {
        ProcessorTime { id: self.id.clone() }
    }

    /// Ends it after a broken exchange and says what that means for the file, which has `size` bytes.
    pub(crate) async fn end(mut self, broken: Broken, settings: &Settings, size: u64) -> ReadFailure {
        let how = match broken {
            Broken::Source(error) => return ReadFailure::Source(error),
            Broken::Receiver(error) => return ReadFailure::Receiver(error),
            Broken::TooSlow(limit) => return ReadFailure::TookTooLong { limit },
            Broken::Untrue(what) => {
                tracing::warn!(worker = self.id, what, "a reader of documents answered what cannot be");
                return ReadFailure::Crashed { how: format!("it answered {what}") };
            }
            Broken::Ended => self.wait().await,
        };
        let (Some(status), complaint) = how else {
            return ReadFailure::Crashed { how: "it stopped answering".to_owned() };
        };
        tracing::warn!(worker = self.id, %status, complaint = %complaint.escape_debug(), "a reader of documents ended");
        match status.signal().and_then(Signal::from_named_raw) {
            Some(Signal::SYS) => ReadFailure::Forbidden,
            Some(Signal::XCPU) => ReadFailure::TookTooLong { limit: settings.cpu.for_size(size) },
            Some(Signal::KILL) => ReadFailure::Interrupted,
            // What the runtime of Rust writes before it aborts.
            Some(Signal::ABORT) if complaint.contains("memory allocation of") => {
                ReadFailure::TooMuchMemory { limit_bytes: settings.memory_bytes }
            }
            Some(Signal::ABORT) if complaint.contains("has overflowed its stack") => {
                ReadFailure::Crashed { how: "its parts are nested too deeply".to_owned() }
            }
            _ => ReadFailure::Crashed { how: status.to_string() },
        }
    }

    /// How it ended, and the last that it wrote on standard error; `None` if it had to be killed now.
    async fn wait(&mut self) -> (Option<ExitStatus>, String) {
        let status = timeout(FAREWELL, self.child.wait()).await.ok().and_then(io::Result::ok);
        if status.is_none() {
            let _ = self.child.start_kill();
        }
        (status, self.complaint.text().await)
    }
}

fn no_worker(reason: &dyn std::fmt::Display) -> ReadFailure {
    ReadFailure::NoWorker { reason: reason.to_string().chars().filter(|c| !c.is_control()).take(500).collect() }
}

/// The end of what a worker writes on its standard error. For the log and for guesses at what happened: it is no
/// more to be trusted than the rest.
struct Complaint {
    tail: Arc<Mutex<Vec<u8>>>,
    listening: JoinHandle<()>,
}

impl Complaint {
    fn listen(mut errors: ChildStderr) -> Self {
        let tail = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&tail);
        let listening = tokio::spawn(async move {
            let mut piece = [0; COMPLAINT];
            while let Ok(read @ 1..) = errors.read(&mut piece).await {
                let mut tail = kept.lock().unwrap_or_else(PoisonError::into_inner);
                tail.extend_from_slice(&piece[..read]);
                let surplus = tail.len().saturating_sub(COMPLAINT);
                tail.drain(..surplus);
            }
        });
        Self { tail, listening }
    }

    async fn text(&mut self) -> String {
        let _ = timeout(FAREWELL, &mut self.listening).await;
        String::from_utf8_lossy(&self.tail.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Drop for Complaint {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
