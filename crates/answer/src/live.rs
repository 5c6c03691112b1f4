//! Live: answers in the making, each followed by any number of readers.
//!
//! A reader who comes late is told everything from the beginning. When the last reader has left and none comes back
//! within a while, the answer is stopped: nobody waits for it, and others wait for the model.

use crate::ask::{AskError, Event, Question};
use crate::{Answering, Comparison};
use domain::{AnswerId, ConversationId, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How often it is checked whether anybody still reads.
const CHECK: Duration = Duration::from_secs(1);

/// The answers in the making. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    runs: Arc<Mutex<HashMap<AnswerId, Arc<Run>>>>,
    /// An answer without readers goes on for this long: leaving a page and coming back must not lose it.
    patience: Duration,
}

struct Run {
    owner: UserId,
    conversation: ConversationId,
    stop: CancellationToken,
    changed: Notify,
    progress: Mutex<Progress>,
}

struct Progress {
    events: Vec<Event>,
    ended: bool,
    readers: usize,
    last_read: Instant,
}

/// One reader's view of an answer in the making. Dropping it is leaving.
pub struct Subscription {
    run: Arc<Run>,
    next: usize,
}

impl Live {
    /// No answers yet; one without readers is stopped after `patience`.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self { runs: Arc::default(), patience }
    }

    /// Begins to answer `question` in the background.
    pub fn begin(&self, answering: Answering, question: Question) {
        let (id, run) = (question.id, self.enter(&question));
        let live = self.clone();
        tokio::spawn(async move {
            let answer = answering.ask(&question, &run.stop, |event| run.push(event));
            let outcome = tokio::select! {
                outcome = answer => outcome.map(drop),
                () = run.abandoned(live.patience) => Err(AskError::Interrupted),
            };
            if let Err(error) = outcome {
                tracing::warn!(%error, answer.id = %id, "answer failed");
            }
            run.end();
            lock(&live.runs).remove(&id);
        });
    }

    /// Begins to answer a question with two models, one after the other, in the background.
    pub fn begin_comparison(&self, answering: Answering, comparison: Comparison) {
        let ids = [comparison.stable.0.id, comparison.experimental.0.id];
        let runs = [self.enter(&comparison.stable.0), self.enter(&comparison.experimental.0)];
        let live = self.clone();
        tokio::spawn(async move {
            let [one, two] = &runs;
            let report = |which: usize, event: Event| {
                let ended = matches!(event, Event::Answer(_));
                runs[which].push(event);
                if ended {
                    runs[which].end();
                }
            };
            let answers = answering.compare(&comparison, [&one.stop, &two.stop], report);
            let outcome = tokio::select! {
                outcome = answers => outcome.map(drop),
                () = one.abandoned(live.patience) => Err(AskError::Interrupted),
                () = two.abandoned(live.patience) => Err(AskError::Interrupted),
            };
            if let Err(error) = outcome {
                tracing::warn!(%error, answer.id = %ids[0], "comparison failed");
            }
            for (id, run) in ids.iter().zip(&runs) {
                run.end();
                lock(&live.runs).remove(id);
            }
        });
    }

    /// Makes an answer one in the making.
    fn enter(&self, question: &Question) -> Arc<Run> {
        let run = Arc::new(Run {
            owner: question.owner,
            conversation: question.conversation,
            stop: CancellationToken::new(),
            changed: Notify::new(),
            progress: Mutex::new(Progress { events: Vec::new(), ended: false, readers: 0, last_read: Instant::now() }),
        });
        lock(&self.runs).insert(question.id, Arc::clone(&run));
        run
    }

    /// Follows an answer of `owner` from its first event; `None` if it is not in the making.
    #[must_use]
    pub fn subscribe(&self, id: AnswerId, owner: UserId) -> Option<Subscription> {
        let run = lock(&self.runs).get(&id).filter(|run| run.owner == owner).cloned()?;
        lock(&run.progress).readers += 1;
        Some(Subscription { run, next: 0 })
    }

    /// Notes that `owner` still reads along without a subscription, as a page without script does.
    pub fn touch(&self, id: AnswerId, owner: UserId) {
        drop(self.subscribe(id, owner));
    }

    /// Stops an answer of `owner`; what was written stays. `false` if it is not in the making.
    #[must_use]
    pub fn stop(&self, id: AnswerId, owner: UserId) -> bool {
        let run = lock(&self.runs).get(&id).filter(|run| run.owner == owner).cloned();
        run.map(|run| run.stop.cancel()).is_some()
    }

    /// Stops every answer of `owner` in a conversation, as when it is deleted.
    pub fn stop_all(&self, conversation: ConversationId, owner: UserId) {
        let runs = lock(&self.runs);
        let of_it = runs.values().filter(|run| run.owner == owner && run.conversation == conversation);
        of_it.for_each(|run| run.stop.cancel());
    }

    /// Answers in the making now.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.runs).len()
    }
}

impl Run {
    fn push(&self, event: Event) {
        lock(&self.progress).events.push(event);
        self.changed.notify_waiters();
    }

    fn end(&self) {
        lock(&self.progress).ended = true;
        self.changed.notify_waiters();
    }

    /// Cancels the answer once nobody has read along for `patience`. Never returns: the answer's own end does.
    async fn abandoned(&self, patience: Duration) {
        loop {
            tokio::time::sleep(CHECK).await;
            let progress = lock(&self.progress);
            if progress.readers == 0 && progress.last_read.elapsed() > patience {
                self.stop.cancel();
            }
        }
    }
}

impl Subscription {
    /// The next event; `None` after the last one.
    pub async fn next(&mut self) -> Option<Event> {
        let run = Arc::clone(&self.run);
        loop {
            let changed = run.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let progress = lock(&run.progress);
                if let Some(event) = progress.events.get(self.next) {
                    self.next += 1;
                    return Some(event.clone());
                }
                if progress.ended {
                    return None;
                }
            }
            changed.await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut progress = lock(&self.run.progress);
        progress.readers = progress.readers.saturating_sub(1);
        progress.last_read = Instant::now();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
