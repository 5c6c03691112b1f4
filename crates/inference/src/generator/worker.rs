//! The model's thread and the queue before it.

use super::GeneratorState;
use crate::ModelError;
use crate::scheduler::{FairQueue, Request, Scheduler};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long an answer is taken to last before any was given.
const FIRST_SERVICE_TIME: Duration = Duration::from_secs(10);

/// What readers are told at most, however long answers took.
const LONGEST_RETRY: Duration = Duration::from_secs(600);

#[derive(Default)]
struct Queue {
    waiting: FairQueue<Request>,
    /// Of the scheduler, when it was last asked.
    state: GeneratorState,
    places: usize,
    service_time: Option<Duration>,
    closed: bool,
}

impl Queue {
    /// Notes how the scheduler is, and tells those that wait.
    fn update(&mut self, scheduler: &Scheduler) {
        self.state = scheduler.state();
        self.places = scheduler.places();
        self.service_time = scheduler.service_time();
        for (index, request) in self.waiting.iter_mut().enumerate() {
            request.tell(index + 1);
        }
    }

    fn drop_unread(&mut self) {
        self.waiting.retain(|request| request.writer.is_open());
    }

    fn check_room(&mut self, max_waiting: usize) -> Result<(), ModelError> {
        self.drop_unread();
        // Those that a place is free for are as good as served.
        if self.waiting.len() >= max_waiting + self.places {
            return Err(ModelError::Overloaded { waiting: self.waiting.len(), retry_after: self.retry_after() });
        }
        Ok(())
    }

    /// When a place in the queue is likely to be free: when one of the running answers ends.
    fn retry_after(&self) -> Duration {
        let service = self.service_time.unwrap_or(FIRST_SERVICE_TIME);
        let next = service.div_f64(self.state.running.max(1) as f64);
        Duration::from_secs(next.as_secs_f64().ceil() as u64).clamp(Duration::from_secs(1), LONGEST_RETRY)
    }
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

    /// Admits what fits, and waits for work; false when there is none and the model is to go.
    fn admit(&self, scheduler: &mut Scheduler) -> bool {
        let mut queue = self.lock();
        loop {
            queue.drop_unread();
            scheduler.admit(&mut queue.waiting);
            queue.update(scheduler);
            if scheduler.has_work() {
                return true;
            }
            if queue.closed {
                return false;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The handle to a model's thread; dropping it lets the thread end after the requests that wait.
pub(super) struct Worker {
    shared: Arc<Shared>,
    max_waiting: usize,
}

impl Worker {
    /// Starts the thread.
    pub(super) fn start(mut scheduler: Scheduler, max_waiting: usize) -> Result<Self, ModelError> {
        let shared = Arc::new(Shared::default());
        shared.lock().update(&scheduler);
        let queue = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("generator".to_owned())
            .spawn(move || {
                while queue.admit(&mut scheduler) {
                    scheduler.step();
                }
            })
            .map_err(|error| ModelError::Compute { reason: format!("no thread for the model: {error}") })?;
        Ok(Self { shared, max_waiting })
    }

    /// Puts a request where its user's turn is.
    pub(super) fn queue(&self, request: Request) -> Result<(), ModelError> {
        let mut queue = self.shared.lock();
        queue.check_room(self.max_waiting)?;
        let free = queue.waiting.len() < queue.places;
        queue.waiting.push(request.user, request);
        if !free {
            for (index, request) in queue.waiting.iter_mut().enumerate() {
                request.tell(index + 1);
            }
        }
        self.shared.changed.notify_one();
        Ok(())
    }

    /// Whether a request would be taken now.
    pub(super) fn check_room(&self) -> Result<(), ModelError> {
        self.shared.lock().check_room(self.max_waiting)
    }

    /// How it is now.
    pub(super) fn state(&self) -> GeneratorState {
        let queue = self.shared.lock();
        GeneratorState { waiting: queue.waiting.len(), ..queue.state }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
    }
}
