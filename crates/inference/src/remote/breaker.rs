//! A circuit breaker (Nygard, *Release It!*): after some failures in a row nothing is sent for a while, so that nobody
//! waits for an engine that is gone; then one request tries whether it is back. It reads no clock: the moment is given.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row that open it.
const FAILURES: u32 = 5;
/// How long it stays open.
const REST: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Everything is sent.
    Closed { failures: u32 },
    /// Nothing is sent before this moment.
    Open { until: Instant },
    /// One request is on its way to try.
    HalfOpen { since: Instant },
}

/// See the module.
#[derive(Debug)]
pub(super) struct Breaker {
    state: Mutex<State>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: Mutex::new(State::Closed { failures: 0 }) }
    }
}

/// Leave to send one request; say with [`Admission::settle`] how it went. Dropped without a word, such as by a reader
/// who leaves, it says nothing about the engine.
#[derive(Debug)]
pub(super) struct Admission {
    breaker: Arc<Breaker>,
    tries: bool,
}

impl Breaker {
    /// Whether a request would be sent; else how long not yet.
    pub(super) fn check(&self, now: Instant) -> Result<(), Duration> {
        match *self.lock() {
            State::Open { until } if now < until => Err(until - now),
            State::HalfOpen { .. } => Err(Duration::ZERO),
            State::Closed { .. } | State::Open { .. } => Ok(()),
        }
    }

    /// Leave to send, or how long not yet.
    pub(super) fn admit(self: &Arc<Self>, now: Instant) -> Result<Admission, Duration> {
        self.check(now)?;
        let mut state = self.lock();
        // Between the two another request may have become the one that tries.
        let tries = match *state {
            State::Closed { .. } => false,
            State::Open { .. } => true,
            State::HalfOpen { .. } => return Err(Duration::ZERO),
        };
        if tries {
            *state = State::HalfOpen { since: now };
        }
        drop(state);
        Ok(Admission { breaker: Arc::clone(self), tries })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission {
    /// Says whether the engine was there and did its work.
    pub(super) fn settle(mut self, well: bool, now: Instant) {
        let mut state = self.breaker.lock();
        *state = match (*state, self.tries, well) {
            (State::Closed { .. }, _, true) | (_, true, true) => State::Closed { failures: 0 },
            (State::Closed { failures }, _, false) if failures + 1 < FAILURES => {
                State::Closed { failures: failures + 1 }
            }
            (State::Closed { .. }, _, false) | (_, true, false) => State::Open { until: now + REST },
            // Sent before it opened, and only now at its end.
            (open, false, _) => open,
        };
        drop(state);
        self.tries = false;
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.tries {
            let mut state = self.breaker.lock();
            if let State::HalfOpen { since } = *state {
                // The next one tries at once.
                *state = State::Open { until: since };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Arc<Breaker> {
        let breaker = Arc::new(Breaker::default());
        for _ in 0..FAILURES {
            breaker.admit(now).unwrap().settle(false, now);
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let (breaker, now) = (Arc::new(Breaker::default()), Instant::now());
        for _ in 0..3 {
            for _ in 1..FAILURES {
                breaker.admit(now).unwrap().settle(false, now);
            }
            breaker.admit(now).unwrap().settle(true, now);
        }
        let opened = opened(now);
        assert_eq!(opened.admit(now).unwrap_err(), REST);
        assert_eq!(opened.check(now + REST / 3), Err(REST - REST / 3));
    }

    #[test]
    fn after_its_rest_one_request_tries() {
        let now = Instant::now();
        let (breaker, later) = (opened(now), now + REST);
        let trying = breaker.admit(later).unwrap();
        assert_eq!(breaker.admit(later).unwrap_err(), Duration::ZERO);
        trying.settle(false, later);
        assert_eq!(breaker.check(later), Err(REST));

        let again = later + REST;
        breaker.admit(again).unwrap().settle(true, again);
        let (one, other) = (breaker.admit(again).unwrap(), breaker.admit(again).unwrap());
        one.settle(false, again);
        other.settle(false, again);
        assert_eq!(breaker.check(again), Ok(()), "the count begins anew");
    }

    #[test]
    fn a_try_that_its_reader_left_is_tried_again() {
        let now = Instant::now();
        let (breaker, later) = (opened(now), now + REST);
        drop(breaker.admit(later).unwrap());
        assert!(breaker.admit(later).is_ok());
    }

    #[test]
    fn an_old_request_does_not_close_what_opened_since() {
        let (breaker, now) = (Arc::new(Breaker::default()), Instant::now());
        let old = breaker.admit(now).unwrap();
        for _ in 0..FAILURES {
            breaker.admit(now).unwrap().settle(false, now);
        }
        old.settle(true, now);
        assert_eq!(breaker.check(now), Err(REST));
    }
}
