//! Passes the audit log on to a syslog collector inside the enclave: RFC 5424 messages with octet counting (RFC 6587,
//! section 3.4.1) over TCP, or over TLS (RFC 5425).
//!
//! The buffer is the log itself: a cursor in the database says how far the collector has taken it in, so nothing is lost
//! while it is away, however long. Neither TCP nor syslog confirms a message, so a connection is closed in good order after
//! a while and the collector's own close counts: it has then read to the end. Only then does the cursor move. What was sent
//! on a connection that broke is sent again; each message carries its sequence, by which a collector knows it.

mod connection;

pub use connection::{Collector, Tls};
use connection::{Connection, ForwardError};
use std::time::Duration;
use storage::{StorageError, Store};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Events read at a time.
const CHUNK: u32 = 500;
/// Events on one connection: what is sent again at most when it breaks.
const MOST_UNCONFIRMED: usize = 20_000;

/// How patient a forwarder is.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How often it looks for new events.
    pub poll: Duration,
    /// How long a connection is kept for further events.
    pub linger: Duration,
    /// How long connecting, and the collector's close at the end, may take.
    pub patience: Duration,
    /// How long it waits after the first failure; doubled with each further one.
    pub first_wait: Duration,
    /// How long it waits at most.
    pub longest_wait: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            linger: Duration::from_secs(5),
            patience: Duration::from_secs(30),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
        }
    }
}

/// Passes one log on to one collector.
#[derive(Debug)]
pub struct Forwarder {
    store: Store,
    collector: Collector,
    pace: Pace,
}

impl Forwarder {
    /// A forwarder of the log in `store`.
    #[must_use]
    pub const fn new(store: Store, collector: Collector, pace: Pace) -> Self {
        Self { store, collector, pace }
    }

    /// Passes on what there is and what comes, until `stop`. Failures are noted beside the cursor and tried again.
    pub async fn run(self, stop: CancellationToken) {
        let mut wait = self.pace.first_wait;
        loop {
            let pause = match self.deliver(&stop).await {
                Ok(delivered) => {
                    wait = self.pace.first_wait;
                    if delivered > 0 { Duration::ZERO } else { self.pace.poll }
                }
                Err(error) => {
                    self.note(&error).await;
                    let pause = wait;
                    wait = (wait * 2).min(self.pace.longest_wait);
                    pause
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(pause) => {}
            }
        }
    }

    /// One connection: what there is, what comes while it lingers, and the collector's close. Gives the number of events
    /// that were taken in for sure; makes no connection if there are none.
    async fn deliver(&self, stop: &CancellationToken) -> Result<usize, ForwardError> {
        let before = self.store.forwarding(self.collector.address()).await?;
        let mut last = before.as_ref().map_or(0, |state| state.sequence);
        let mut events = self.store.audit_from(last + 1, CHUNK).await?;
        if events.is_empty() {
            return Ok(0);
        }
        let mut connection = Connection::open(&self.collector, self.pace.patience).await?;
        let (begin, mut sent) = (Instant::now(), 0);
        loop {
            for entry in &events {
                connection.send(&audit::export::syslog_message(entry), self.pace.patience).await?;
                last = entry.sequence;
            }
            sent += events.len();
            let lingers = begin.elapsed() < self.pace.linger && sent < MOST_UNCONFIRMED && !stop.is_cancelled();
            if events.is_empty() && lingers {
                connection.flush(self.pace.patience).await?;
                sleep(self.pace.poll.min(self.pace.linger)).await;
            } else if !lingers {
                break;
            }
            events = self.store.audit_from(last + 1, CHUNK).await?;
        }
        connection.close(self.pace.patience).await?;
        self.save(last, None).await?;
        if before.is_some_and(|state| state.problem.is_some()) {
            tracing::info!(collector = self.collector.address(), "the audit log is passed on again");
        }
        Ok(sent)
    }

    /// Notes a failure once, not each time that it is tried again.
    async fn note(&self, error: &ForwardError) {
        let problem = error.to_string();
        let Ok(state) = self.store.forwarding(self.collector.address()).await else { return };
        let sequence = state.as_ref().map_or(0, |state| state.sequence);
        if state.and_then(|state| state.problem).as_deref() != Some(&problem) {
            tracing::warn!(collector = self.collector.address(), "the audit log is not passed on: {problem}");
            if let Err(error) = self.save(sequence, Some(&problem)).await {
                tracing::error!(%error, "where forwarding stands could not be noted");
            }
        }
    }

    async fn save(&self, sequence: u64, problem: Option<&str>) -> Result<(), StorageError> {
        let mut act = self.store.begin().await?;
        act.set_forwarding(self.collector.address(), sequence, problem).await?;
        act.commit_housekeeping().await
    }
}
