//! Admission, the step, and what follows from it.

use super::blocks::block_count;
use super::fair::FairQueue;
use super::passages::{FRESH, PassageCache, behind, gaps};
use super::plan::{Budget, Demand, plan};
use super::prefix::{PrefixCache, Scope};
use super::sequence::{Request, Sequence};
use super::table::Table;
use crate::ModelError;
use crate::decoder::model::{Chunk, Computed, DecoderModel, SavedKv};
use crate::generator::{GeneratorState, Usage};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Tokens of a first, thrown away step: enough rows to bring every kernel's form of the weights into memory.
const WARM_UP: usize = 32;

/// What a scheduler may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes for keys and values; one sequence of the whole context fits in any case.
    pub kv_memory_bytes: usize,
    /// Sequences that run at once, at least 1.
    pub max_running: usize,
    /// Bytes for passages outside of any sequence.
    pub passage_memory_bytes: usize,
    /// Whether to guess tokens.
    pub speculate: bool,
}

/// Sequence `index` of the running ones in a step.
struct Row {
    index: usize,
    /// Pending tokens, then drafts.
    tokens: Vec<u32>,
    /// Their places.
    places: Vec<Range<usize>>,
    /// The sequence's position after the step, drafts apart.
    end: usize,
    drafted: usize,
    /// Rows of logits wanted; 0 in the middle of a prompt.
    logits: usize,
    /// Hidden states wanted.
    states: usize,
}

/// A model and the sequences that run on it.
pub(crate) struct Scheduler {
    model: Box<dyn DecoderModel>,
    cache: PrefixCache,
    passages: PassageCache,
    max_running: usize,
    speculate: bool,
    pub(super) budget: Budget,
    /// The oldest first.
    running: Vec<Sequence>,
    /// Without blocks, the oldest first; they go on before any request is admitted.
    preempted: Vec<Sequence>,
    admitted: u64,
    computed: Computed,
    state: GeneratorState,
    /// How long recent answers took.
    service: Option<Duration>,
}

impl Scheduler {
    /// Makes room for blocks and runs the model once, so that the first request doesn't pay for it.
    pub(crate) fn new(mut model: Box<dyn DecoderModel>, limits: Limits) -> Result<Self, ModelError> {
        let blocks = block_count(model.as_ref(), limits.kv_memory_bytes);
        model.allocate(blocks)?;
        let cache = PrefixCache::new(blocks, model.block_tokens());
        let mut scheduler = Self {
            model,
            cache,
            passages: PassageCache::new(limits.passage_memory_bytes),
            max_running: limits.max_running.max(1),
            speculate: limits.speculate,
            budget: Budget::DEFAULT,
            running: Vec::new(),
            preempted: Vec::new(),
            admitted: 0,
            computed: Computed::default(),
            state: GeneratorState::default(),
            service: None,
        };
        scheduler.warm_up()?;
        Ok(scheduler)
    }

    fn warm_up(&mut self) -> Result<(), ModelError> {
        let tokens = vec![0; WARM_UP.min(self.model.context())];
        let mut table = Table::default();
        table.grow(&mut self.cache, tokens.len());
        let chunk = Chunk { tokens: &tokens, position: 0, blocks: table.blocks(), logits: 1, states: 0 };
        let outcome = self.model.step(&[chunk], &mut self.computed, &mut || true);
        table.release(&mut self.cache, Scope::Private(0), &[]);
        outcome.map(|_| ())
    }

    /// Whether there is a sequence to go on with.
    pub(crate) fn has_work(&self) -> bool {
        !(self.running.is_empty() && self.preempted.is_empty())
    }

    /// Free places for sequences.
    pub(crate) fn places(&self) -> usize {
        self.max_running.saturating_sub(self.running.len() + self.preempted.len())
    }

    /// How long an answer takes, by recent ones.
    pub(crate) fn service_time(&self) -> Option<Duration> {
        self.service
    }

    /// What runs, what memory is used, and what was done so far; `waiting` is left to the queue's owner.
    pub(crate) fn state(&self) -> GeneratorState {
        let pool = self.cache.pool();
        GeneratorState {
            running: self.running.len() + self.preempted.len(),
            blocks: pool.capacity(),
            blocks_used: pool.capacity() - pool.free() - pool.idle(),
            blocks_cached: pool.idle(),
            ..self.state
        }
    }

    /// Lets sequences begin as long as there are places, memory, and room for prompt tokens in the next step: first
    /// those that were preempted, then those whose turn it is. None passes one that doesn't fit: it would starve.
    pub(crate) fn admit(&mut self, queue: &mut FairQueue<Request>) {
        self.reap();
        while self.running.len() < self.max_running && self.budget.left(self.running.iter().map(Sequence::pending)) > 0
        {
            if !self.preempted.is_empty() {
                if !self.resume() {
                    return;
                }
                continue;
            }
            let Some(request) = queue.front() else { return };
            let age = self.admitted + 1;
            let scope = request.cache_key.map_or(Scope::Private(age), Scope::Shared);
            let begun = Self::begin(
                &mut self.cache,
                &mut self.model,
                (scope, request.common),
                (&request.prompt, request.prompt_state().map_or(request.prompt.len(), |state| state.first())),
                self.running.len(),
            );
            if begun.is_none() && !self.running.is_empty() {
                return;
            }
            let Some(mut request) = queue.pop() else { return };
            let Some((table, position)) = begun else {
                // Can't be while a whole context fits; an error is better than a request that waits for ever.
                request.writer.end(Err(ModelError::Compute { reason: "the prompt doesn't fit in memory".to_owned() }));
                continue;
            };
            self.admitted = age;
            let mut sequence = Sequence::new(request, age, scope, table, position);
            self.fill(&mut sequence);
            sequence.tell_reading();
            self.state.prompt_tokens += sequence.prompt_tokens() as u64;
            self.state.reused_tokens += sequence.reused_tokens() as u64;
            self.running.push(sequence);
        }
    }

    /// Lets the oldest preempted sequence go on, if it fits.
    fn resume(&mut self) -> bool {
        let Some(sequence) = self.preempted.first_mut() else { return false };
        let reserve = self.running.len();
        let whose = (sequence.scope, sequence.common);
        let tokens = (sequence.tokens.as_slice(), sequence.known());
        let begun = Self::begin(&mut self.cache, &mut self.model, whose, tokens, reserve);
        let Some((table, position)) = begun else { return false };
        (sequence.table, sequence.position) = (table, position);
        let mut sequence = self.preempted.remove(0);
        self.fill(&mut sequence);
        let place = self.running.partition_point(|other| other.age < sequence.age);
        self.running.insert(place, sequence);
        true
    }

    /// A table for `tokens`, of which the first `known` may be in the cache. Each of the `others` that run could need a block in its next step.
    fn begin(
        cache: &mut PrefixCache,
        model: &mut Box<dyn DecoderModel>,
        (scope, common): (Scope, usize),
        (tokens, known): (&[u32], usize),
        others: usize,
    ) -> Option<(Table, usize)> {
        Table::begin(cache, scope, common, tokens, known, others, |from, to| {
            let copied = catch_unwind(AssertUnwindSafe(|| model.copy(from, to))).unwrap_or_else(|_| Err(panicked()));
            copied.unwrap_or_else(|error| {
                tracing::warn!(%error, "a cached block can't be copied; its tokens are computed again");
                false
            })
        })
    }

    /// Puts the passages of a prompt into their places, as far as the prefix cache doesn't have them.
    fn fill(&mut self, sequence: &mut Sequence) {
        let Some(first) = sequence.passages.first() else { return };
        let beginning = first.start;
        for place in sequence.passages.clone() {
            let start = (place.start + FRESH).max(sequence.position);
            if start >= place.end {
                continue;
            }
            let tokens = [&sequence.tokens[..beginning], &sequence.tokens[place.clone()]].concat();
            let saved = match self.passages.get(&tokens) {
                Some(saved) => Some(saved),
                None => self.save(sequence.scope, beginning, &tokens),
            };
            let Some(saved) = saved else { continue };
            let skip = start - place.start;
            if self.model.restore(&saved, skip, sequence.table.blocks(), start) {
                sequence.filled.push(start..place.end);
            }
        }
        sequence.position = behind(&sequence.filled, sequence.position);
    }

    /// Computes a passage behind the beginning of all prompts.
    fn save(&mut self, scope: Scope, beginning: usize, tokens: &[u32]) -> Option<Arc<SavedKv>> {
        let (mut table, mut position) =
            Self::begin(&mut self.cache, &mut self.model, (scope, 0), (tokens, tokens.len()), self.running.len())?;
        let mut done = true;
        position = position.min(beginning);
        while done && position < tokens.len() {
            let end = tokens.len().min(position + self.budget.prefill);
            let blocks = table.blocks();
            let chunk = Chunk { tokens: &tokens[position..end], position, blocks, logits: 0, states: 0 };
            done = self.model.step(&[chunk], &mut Computed::default(), &mut || true).unwrap_or(false);
            position = end;
        }
        let saved = if done { self.model.save(table.blocks(), beginning..tokens.len()).map(Arc::new) } else { None };
        table.publish(&mut self.cache, scope, &tokens[..if done { beginning } else { 0 }]);
        table.release(&mut self.cache, scope, &[]);
        if let Some(saved) = &saved {
            self.passages.put(tokens, Arc::clone(saved));
        }
        saved
    }

    /// Computes one step for everything that runs.
    pub(crate) fn step(&mut self) {
        self.reap();
        self.secure_memory();
        let rows = self.rows();
        if rows.is_empty() {
            return;
        }
        match self.compute(&rows) {
            Ok(true) => self.apply(&rows),
            // Every reader left.
            Ok(false) => self.reap(),
            Err(error) => self.fail(&rows, &error),
        }
    }

    /// Lets go of sequences that nobody reads any more. What they computed stays in the cache.
    fn reap(&mut self) {
        for sequence in self.running.extract_if(.., |sequence| !sequence.is_open()) {
            free(&mut self.cache, sequence, true);
        }
        for sequence in self.preempted.extract_if(.., |sequence| !sequence.is_open()) {
            free(&mut self.cache, sequence, true);
        }
    }

    /// Gives every running sequence the blocks for its pending tokens; preempts some when there aren't enough.
    fn secure_memory(&mut self) {
        let mut index = 0;
        while let Some(sequence) = self.running.get_mut(index) {
            if sequence.table.grow(&mut self.cache, sequence.tokens.len()) {
                index += 1;
                continue;
            }
            let victim = self.victim();
            self.preempt(victim);
            if victim < index {
                index -= 1;
            }
        }
    }

    /// Who gives its blocks up: the youngest sequence of the user who has most of them. Never the oldest of all,
    /// unless it is alone.
    fn victim(&self) -> usize {
        let of_user = |sequence: &Sequence| self.running.iter().filter(|other| other.user == sequence.user).count();
        let worst = self.running.iter().enumerate().max_by_key(|(_, sequence)| (of_user(sequence), sequence.age));
        worst.map_or(0, |(index, _)| index)
    }

    /// Takes a sequence's blocks; they stay in the cache, so that going on is cheap if nobody needed them.
    fn preempt(&mut self, index: usize) {
        let mut sequence = self.running.remove(index);
        let computed = sequence.position;
        let table = sequence.preempt();
        table.release(&mut self.cache, sequence.scope, &sequence.tokens[..computed]);
        self.state.preemptions += 1;
        let place = self.preempted.partition_point(|other| other.age < sequence.age);
        self.preempted.insert(place, sequence);
    }

    /// What the next step computes.
    fn rows(&mut self) -> Vec<Row> {
        let speculate = self.speculate;
        let drafts: Vec<Vec<u32>> =
            self.running.iter_mut().map(|sequence| if speculate { sequence.draft() } else { Vec::new() }).collect();
        let demand =
            |(sequence, drafts): (&Sequence, &Vec<u32>)| Demand { pending: sequence.pending(), drafted: drafts.len() };
        let demands: Vec<Demand> = self.running.iter().zip(&drafts).map(demand).collect();
        let shares = plan(&demands, &self.budget);
        let mut rows = Vec::with_capacity(shares.len());
        for (index, (share, drafts)) in shares.into_iter().zip(drafts).enumerate() {
            let sequence = &mut self.running[index];
            if share.pending == 0 {
                continue;
            }
            let mut places = gaps(&sequence.filled, sequence.position, sequence.tokens.len(), share.pending);
            let end = behind(&sequence.filled, places.last().map_or(sequence.position, |place| place.end));
            // Nobody is preempted for a guess.
            sequence.table.grow(&mut self.cache, end + share.drafted);
            let drafted = share.drafted.min(sequence.table.room(&self.cache).saturating_sub(end));
            let mut tokens: Vec<u32> =
                places.iter().flat_map(|place| &sequence.tokens[place.clone()]).copied().collect();
            tokens.extend_from_slice(&drafts[..drafted]);
            if let Some(last) = places.last_mut() {
                last.end += drafted;
            }
            let logits = if end == sequence.tokens.len() { 1 + drafted } else { 0 };
            let states = places.iter().map(|place| sequence.states_wanted(place)).sum();
            rows.push(Row { index, tokens, places, end, drafted, logits, states });
        }
        rows
    }

    /// Runs the model; false when it was stopped because every reader left.
    fn compute(&mut self, rows: &[Row]) -> Result<bool, ModelError> {
        let running = &self.running;
        let mut chunks = Vec::with_capacity(rows.len());
        for row in rows {
            let mut rest = row.tokens.as_slice();
            for (index, place) in row.places.iter().enumerate() {
                let (tokens, later) = rest.split_at(place.len());
                rest = later;
                let logits = if index + 1 == row.places.len() { row.logits } else { 0 };
                let blocks = running[row.index].table.blocks();
                let states = running[row.index].states_wanted(place);
                chunks.push(Chunk { tokens, position: place.start, blocks, logits, states });
            }
        }
        let mut proceed = || rows.iter().any(|row| running[row.index].is_open());
        self.computed.logits.clear();
        self.computed.states.clear();
        let (model, computed) = (&mut self.model, &mut self.computed);
        let wanted = rows.iter().map(|row| row.logits).sum::<usize>() * model.vocabulary();
        let states = rows.iter().map(|row| row.states).sum::<usize>() * model.hidden();
        let done = catch_unwind(AssertUnwindSafe(|| model.step(&chunks, computed, &mut proceed)))
            .unwrap_or_else(|_| Err(panicked()))?;
        let (logits, found) = (self.computed.logits.len(), self.computed.states.len());
        if done && (logits, found) != (wanted, states) {
            let reason =
                format!("{logits} logits and {found} numbers of states where {wanted} and {states} were wanted");
            return Err(ModelError::Compute { reason });
        }
        Ok(done)
    }

    /// Passes the logits on and lets finished sequences go.
    fn apply(&mut self, rows: &[Row]) {
        let mut computed = std::mem::take(&mut self.computed);
        let (vocabulary, hidden) = (self.model.vocabulary().max(1), self.model.hidden().max(1));
        let mut rest = computed.logits.as_mut_slice();
        let mut states = computed.states.as_slice();
        let mut ended = Vec::new();
        for row in rows {
            let sequence = &mut self.running[row.index];
            let (own, others) = states.split_at(row.states * hidden);
            states = others;
            sequence.take_states(own, hidden);
            if row.logits == 0 {
                sequence.position = row.end;
                sequence.tell_reading();
            } else {
                let drafts = &row.tokens[row.tokens.len() - row.drafted..];
                let (own, others) = std::mem::take(&mut rest).split_at_mut(row.logits * vocabulary);
                rest = others;
                let before = sequence.tokens.len();
                let advanced =
                    catch_unwind(AssertUnwindSafe(|| sequence.advance(drafts, own.chunks_exact_mut(vocabulary))));
                self.state.new_tokens += (sequence.tokens.len() - before) as u64;
                match advanced {
                    Ok(Ok(None)) => {}
                    Ok(Ok(Some(usage))) => ended.push((row.index, Ok(usage))),
                    Ok(Err(error)) => ended.push((row.index, Err(error))),
                    Err(_) => ended.push((row.index, Err(panicked()))),
                }
            }
            sequence.table.publish(&mut self.cache, sequence.scope, &sequence.tokens[..sequence.position]);
        }
        self.computed = computed;
        for (index, outcome) in ended.into_iter().rev() {
            let mut sequence = self.running.remove(index);
            if let Ok(usage) = &outcome {
                self.count(usage, sequence.served());
            }
            sequence.end(outcome);
            free(&mut self.cache, sequence, true);
        }
    }

    /// After a fault of the model: the sequences of the step end with its error, and what they may have written is
    /// thrown away. Blocks of earlier steps are whole.
    fn fail(&mut self, rows: &[Row], error: &ModelError) {
        tracing::error!(%error, sequences = rows.len(), "generation failed");
        let reason = match error {
            ModelError::Compute { reason } => reason.clone(),
            other => other.to_string(),
        };
        for row in rows.iter().rev() {
            let mut sequence = self.running.remove(row.index);
            sequence.end(Err(ModelError::Compute { reason: reason.clone() }));
            free(&mut self.cache, sequence, false);
        }
    }

    fn count(&mut self, usage: &Usage, served: Duration) {
        self.state.answers += 1;
        self.state.drafted_tokens += usage.drafted_tokens as u64;
        self.state.accepted_tokens += usage.accepted_tokens as u64;
        // Recent answers weigh most.
        self.service = Some(self.service.map_or(served, |service| service.mul_f64(0.8) + served.mul_f64(0.2)));
    }

    /// Panics unless every block is accounted for.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let mut held = vec![0; self.cache.pool().capacity()];
        for sequence in self.running.iter().chain(&self.preempted) {
            sequence.table.blocks().iter().for_each(|&block| held[block as usize] += 1);
        }
        self.cache.check(&held);
        assert!(self.running.len() <= self.max_running);
        assert!(self.preempted.iter().all(|sequence| sequence.table.blocks().is_empty()));
        assert!(self.running.is_sorted_by_key(|sequence| sequence.age));
    }
}

/// Gives a sequence's blocks back. What nobody else may use is forgotten; the rest stays in the cache, with the last
/// step's if that was `whole`.
fn free(cache: &mut PrefixCache, mut sequence: Sequence, whole: bool) {
    let table = std::mem::take(&mut sequence.table);
    let shared = matches!(sequence.scope, Scope::Shared(_));
    if !shared {
        cache.forget(sequence.scope);
    }
    table.release(cache, sequence.scope, if shared && whole { sequence.computed() } else { &[] });
}

fn panicked() -> ModelError {
    ModelError::Compute { reason: "the model's code panicked".to_owned() }
}
