//! A model whose logits depend on every token before, read back through the block table: a wrong table, stale junk or
//! a block shared by mistake changes the text.

use super::super::sequence::Writer;
use crate::ModelError;
use crate::decoder::model::{BlockId, Chunk, Computed, DecoderModel};
use crate::generator::{FinishReason, Usage};
use crate::sampler::{Sampler, Sampling};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) const BLOCK_TOKENS: usize = 4;
pub(super) const BLOCK_BYTES: usize = 100;
pub(super) const VOCABULARY: usize = 12;

/// Ends an answer.
pub(super) const END: u32 = 0;

/// What stands in memory that was never written.
const UNWRITTEN: u32 = 900;

/// What a stopped or failed step leaves behind.
const JUNK: u32 = 901;

/// The logits behind `history`. The likeliest token mostly follows from the last two, so that texts repeat themselves
/// and guesses are often right; now and then, and in every other logit, it follows from all of them.
pub(super) fn logits_behind(history: &[u32]) -> Vec<f32> {
    let mix = |hash: u64, token: u64| (hash ^ token).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
    let all = history.iter().fold(7, |hash, &token| mix(hash, u64::from(token)));
    let last = history.iter().rev().take(2).fold(3, |hash, &token| mix(hash, u64::from(token)));
    let favourite = if all % 7 == 0 { all >> 8 } else { last >> 8 } % VOCABULARY as u64;
    let noise = |token: u64| (mix(all, token + 1) >> 40) as f32 / (1u64 << 24) as f32;
    (0..VOCABULARY as u64).map(|token| noise(token) + if token == favourite { 2.0 } else { 0.0 }).collect()
}

/// What goes wrong in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Error,
    Panic,
}

/// What a test sees of the model, and does to it.
#[derive(Default)]
pub(super) struct Wires {
    /// Chunks of each step: position, tokens, logits.
    pub steps: Mutex<Vec<Vec<(usize, usize, usize)>>>,
    /// What goes wrong in the next step.
    pub fault: Mutex<Option<Fault>>,
    /// Told between layers.
    pub between_layers: Mutex<Option<Box<dyn FnMut() + Send>>>,
    pub copies: AtomicUsize,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct FakeModel {
    pub context: usize,
    pub copies: bool,
    pub wires: Arc<Wires>,
    memory: Vec<[u32; BLOCK_TOKENS]>,
}

impl FakeModel {
    pub(super) fn new(context: usize, copies: bool) -> Self {
        Self { context, copies, wires: Arc::default(), memory: Vec::new() }
    }

    fn write(&mut self, chunk: &Chunk<'_>, tokens: impl Iterator<Item = u32>) {
        for (position, token) in (chunk.position..).zip(tokens) {
            let block = chunk.blocks[position / BLOCK_TOKENS];
            self.memory[block as usize][position % BLOCK_TOKENS] = token;
        }
    }
}

impl DecoderModel for FakeModel {
    fn vocabulary(&self) -> usize {
        VOCABULARY
    }

    /// A state is its token's position.
    fn hidden(&self) -> usize {
        1
    }

    fn context(&self) -> usize {
        self.context
    }

    fn block_tokens(&self) -> usize {
        BLOCK_TOKENS
    }

    fn block_bytes(&self) -> usize {
        BLOCK_BYTES
    }

    fn allocate(&mut self, blocks: usize) -> Result<(), ModelError> {
        assert!(self.memory.is_empty());
        self.memory = vec![[UNWRITTEN; BLOCK_TOKENS]; blocks];
        Ok(())
    }

    fn step(
        &mut self,
        chunks: &[Chunk<'_>],
        computed: &mut Computed,
        proceed: &mut dyn FnMut() -> bool,
    ) -> Result<bool, ModelError> {
        locked(&self.wires.steps).push(chunks.iter().map(|c| (c.position, c.tokens.len(), c.logits)).collect());
        for chunk in chunks {
            assert!(!chunk.tokens.is_empty() && chunk.logits <= chunk.tokens.len());
            assert!(chunk.position + chunk.tokens.len() <= self.context.min(chunk.blocks.len() * BLOCK_TOKENS));
            self.write(chunk, std::iter::repeat_n(JUNK, chunk.tokens.len()));
        }
        if let Some(told) = locked(&self.wires.between_layers).as_mut() {
            told();
        }
        if !proceed() {
            return Ok(false);
        }
        match locked(&self.wires.fault).take() {
            Some(Fault::Error) => return Err(ModelError::Compute { reason: "a test's fault".into() }),
            Some(Fault::Panic) => std::panic::resume_unwind(Box::new("a test's fault")),
            None => {}
        }
        for chunk in chunks {
            self.write(chunk, chunk.tokens.iter().copied());
        }
        for chunk in chunks {
            let end = chunk.position + chunk.tokens.len();
            let read =
                |position: usize| self.memory[chunk.blocks[position / BLOCK_TOKENS] as usize][position % BLOCK_TOKENS];
            let history: Vec<u32> = (0..end).map(read).collect();
            for length in end + 1 - chunk.logits..=end {
                computed.logits.extend(logits_behind(&history[..length]));
            }
            computed.states.extend((end - chunk.states..end).map(|position| position as f32));
        }
        Ok(true)
    }

    fn copy(&mut self, from: BlockId, to: BlockId) -> Result<bool, ModelError> {
        if self.copies {
            self.wires.copies.fetch_add(1, Ordering::Relaxed);
            self.memory[to as usize] = self.memory[from as usize];
        }
        Ok(self.copies)
    }
}

/// What became of a request.
#[derive(Default)]
pub(super) struct Outcome {
    pub left: AtomicBool,
    pub tokens: Mutex<Vec<u32>>,
    pub reading: Mutex<Vec<(usize, usize, usize)>>,
    pub states: Mutex<Vec<f32>>,
    pub ended: Mutex<Option<Result<Usage, String>>>,
}

impl Outcome {
    pub(super) fn text(&self) -> Vec<u32> {
        locked(&self.tokens).clone()
    }

    pub(super) fn usage(&self) -> Usage {
        locked(&self.ended).clone().expect("it ended").expect("without a fault")
    }

    pub(super) fn has_ended(&self) -> bool {
        locked(&self.ended).is_some()
    }
}

/// Samples as real answers do; its text is its tokens.
pub(super) struct FakeWriter {
    pub sampler: Sampler,
    pub outcome: Arc<Outcome>,
}

impl Writer for FakeWriter {
    fn accept(&mut self, logits: &mut [f32]) -> Result<(u32, Option<FinishReason>), ModelError> {
        let token = self.sampler.sample(logits)?.token;
        locked(&self.outcome.tokens).push(token);
        logits.fill(f32::NAN);
        Ok((token, (token == END).then_some(FinishReason::Stop)))
    }

    fn state(&mut self, state: Vec<f32>) {
        assert!(locked(&self.outcome.tokens).is_empty(), "told before the first token");
        locked(&self.outcome.states).extend(state);
    }

    fn is_open(&self) -> bool {
        !self.outcome.left.load(Ordering::Relaxed)
    }

    fn waiting(&mut self, _: usize) {}

    fn reading(&mut self, done: usize, total: usize, reused: usize) {
        locked(&self.outcome.reading).push((done, total, reused));
    }

    fn end(&mut self, outcome: Result<Usage, ModelError>) {
        let before = locked(&self.outcome.ended).replace(outcome.map_err(|error| error.to_string()));
        assert!(before.is_none(), "it ended twice");
    }
}

/// The text of a request alone, without blocks, steps, drafts or neighbours.
pub(super) fn plain_text(prompt: &[u32], limit: usize, sampling: Sampling) -> Vec<u32> {
    let mut sampler = Sampler::new(&sampling, None, &[], None);
    let mut history = prompt.to_vec();
    while history.len() < prompt.len() + limit {
        let token = sampler.sample(&logits_behind(&history)).unwrap().token;
        history.push(token);
        if token == END {
            break;
        }
    }
    history.split_off(prompt.len())
}
