//! The scheduler driven step by step, without threads, over a fake model.

mod fake;
mod pieces;
mod properties;

use super::plan::Budget;
use super::{FairQueue, Limits, Request, Scheduler};
use crate::sampler::{Sampler, Sampling};
use fake::{BLOCK_BYTES, FakeModel, FakeWriter, Outcome, Wires, plain_text};
use std::sync::Arc;

/// A request of a test.
#[derive(Debug, Clone)]
struct Ask {
    prompt: Vec<u32>,
    limit: usize,
    user: Option<u64>,
    key: Option<u64>,
    sampling: Sampling,
    state: bool,
}

impl Ask {
    fn new(prompt: impl IntoIterator<Item = u32>, limit: usize) -> Self {
        let prompt = prompt.into_iter().collect();
        Self { prompt, limit, user: None, key: None, sampling: Sampling::default(), state: false }
    }

    fn text(&self) -> Vec<u32> {
        plain_text(&self.prompt, self.limit, self.sampling)
    }

    /// What is told of the hidden states: the last position and the mean of the last sixteen.
    fn states(&self) -> Vec<f32> {
        let last = self.prompt.len() - 1;
        let first = self.prompt.len().saturating_sub(16);
        if self.state { vec![last as f32, (first + last) as f32 / 2.0] } else { Vec::new() }
    }
}

#[derive(Debug, Clone, Copy)]
struct Setup {
    blocks: usize,
    context: usize,
    max_running: usize,
    speculate: bool,
    copies: bool,
    prefill: usize,
    prefill_while_writing: usize,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            blocks: 64,
            context: 64,
            max_running: 4,
            speculate: true,
            copies: true,
            prefill: 16,
            prefill_while_writing: 4,
        }
    }
}

struct Bench {
    scheduler: Scheduler,
    queue: FairQueue<Request>,
    wires: Arc<Wires>,
    steps: usize,
}

impl Bench {
    fn new(setup: Setup) -> Self {
        let model = FakeModel::new(setup.context, setup.copies);
        let wires = Arc::clone(&model.wires);
        let limits = Limits {
            kv_memory_bytes: setup.blocks * BLOCK_BYTES,
            max_running: setup.max_running,
            passage_memory_bytes: 0,
            speculate: setup.speculate,
        };
        let mut scheduler = Scheduler::new(Box::new(model), limits).unwrap();
        scheduler.budget =
            Budget { prefill: setup.prefill, prefill_while_writing: setup.prefill_while_writing, ..Budget::DEFAULT };
        fake::locked(&wires.steps).clear();
        Self { scheduler, queue: FairQueue::default(), wires, steps: 0 }
    }

    fn ask(&mut self, ask: &Ask) -> Arc<Outcome> {
        let outcome = Arc::new(Outcome::default());
        let writer =
            FakeWriter { sampler: Sampler::new(&ask.sampling, None, &[], None), outcome: Arc::clone(&outcome) };
        let request = Request {
            prompt: ask.prompt.clone(),
            limit: ask.limit,
            user: ask.user,
            cache_key: ask.key,
            common: 0,
            passages: Vec::new(),
            state: ask.state,
            writer: Box::new(writer),
            told: None,
        };
        self.queue.push(ask.user, request);
        outcome
    }

    /// One round of what the thread does; false when there was nothing to do.
    fn round(&mut self) -> bool {
        self.queue.retain(|request| request.writer.is_open());
        self.scheduler.admit(&mut self.queue);
        self.scheduler.check();
        if !self.scheduler.has_work() {
            assert_eq!(self.queue.len(), 0, "requests wait while nothing runs");
            return false;
        }
        self.scheduler.step();
        self.scheduler.check();
        self.steps += 1;
        true
    }

    fn finish(&mut self) {
        while self.round() {
            assert!(self.steps < 20_000, "it never ends");
        }
    }

    fn answer(&mut self, ask: &Ask) -> Arc<Outcome> {
        let outcome = self.ask(ask);
        self.finish();
        assert_eq!(outcome.text(), ask.text());
        assert_eq!(*fake::locked(&outcome.states), ask.states());
        outcome
    }

    /// The chunks of every step so far: position, tokens, logits.
    fn chunks(&self) -> Vec<Vec<(usize, usize, usize)>> {
        fake::locked(&self.wires.steps).clone()
    }
}
