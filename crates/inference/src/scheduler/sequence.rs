//! A sequence: its tokens, how far they are computed, and who writes and reads it.

use super::lookup::Lookup;
use super::prefix::Scope;
use super::prompt_state::PromptState;
use super::table::Table;
use crate::ModelError;
use crate::generator::{FinishReason, Usage};
use std::ops::Range;
use std::time::{Duration, Instant};

/// The other side of a sequence: chooses its tokens and passes them on to its reader.
pub(crate) trait Writer: Send {
    /// The next token, chosen by the logits behind the last one, and the reason if the answer ends with it. Called
    /// once for each place, in order; the logits may be changed in place. An error ends the answer.
    fn accept(&mut self, logits: &mut [f32]) -> Result<(u32, Option<FinishReason>), ModelError>;

    /// What the middle of the model makes of the prompt ([`PromptState::told`]); told once, before the first token, if
    /// the request asked for it.
    fn state(&mut self, state: Vec<f32>);

    /// Whether somebody still reads.
    fn is_open(&self) -> bool;

    /// Others are served first.
    fn waiting(&mut self, ahead: usize);

    /// `done` of `total` tokens of the prompt are computed, `reused` of them for an earlier request.
    fn reading(&mut self, done: usize, total: usize, reused: usize);

    /// Nothing more comes.
    fn end(&mut self, outcome: Result<Usage, ModelError>);
}

/// A request that waits.
pub(crate) struct Request {
    /// At least one token; shorter than the context.
    pub prompt: Vec<u32>,
    /// The most tokens to write, 1 or more; fits in the context behind the prompt.
    pub limit: usize,
    /// Whose turn it uses up.
    pub user: Option<u64>,
    /// Who else may use what is computed; `None`: nobody.
    pub cache_key: Option<u64>,
    /// Tokens at the beginning of the prompt that hold nothing of anybody's: everybody may use what is computed of them.
    pub common: usize,
    /// Places of passages in the prompt, in order, whose keys and values may come from the passage cache.
    pub passages: Vec<Range<usize>>,
    /// Whether to tell [`Writer::state`].
    pub state: bool,
    pub writer: Box<dyn Writer>,
    /// How many were ahead when its reader was told last.
    pub told: Option<usize>,
}

impl Request {
    /// Tells the reader how many answers come first, if that changed.
    pub(crate) fn tell(&mut self, ahead: usize) {
        if self.told != Some(ahead) {
            self.told = Some(ahead);
            self.writer.waiting(ahead);
        }
    }

    /// What is gathered of the prompt's hidden states, if they are to be told.
    pub(super) fn prompt_state(&self) -> Option<PromptState> {
        let behind = self.passages.last().map_or(0, |passage| passage.end);
        self.state.then(|| PromptState::new(self.prompt.len(), behind))
    }
}

/// An admitted request.
pub(super) struct Sequence {
    /// The number of its admission: smaller is older. Stays over preemptions.
    pub age: u64,
    pub user: Option<u64>,
    pub scope: Scope,
    /// Tokens at the beginning that everybody may use.
    pub common: usize,
    /// The prompt and what was written so far.
    pub tokens: Vec<u32>,
    /// Tokens whose keys and values are in the table's blocks; fewer than `tokens`, of which at least the last one is
    /// yet to be computed.
    pub position: usize,
    pub table: Table,
    pub passages: Vec<Range<usize>>,
    /// Places beyond `position` whose keys and values are there already.
    pub filled: Vec<Range<usize>>,
    /// What is to be told of the prompt and isn't yet.
    prompt_state: Option<PromptState>,
    prompt: usize,
    limit: usize,
    /// What was found in the cache at the first admission.
    reused: usize,
    /// Prompt tokens told as read; `None` before the first word of it.
    told: Option<usize>,
    lookup: Lookup,
    drafted: usize,
    accepted: usize,
    writer: Box<dyn Writer>,
    began: Instant,
    prefill: Option<Duration>,
}

impl Sequence {
    /// `position` of the prompt's tokens are in the blocks of `table` already.
    pub(super) fn new(request: Request, age: u64, scope: Scope, table: Table, position: usize) -> Self {
        Self {
            age,
            user: request.user,
            scope,
            common: request.common,
            prompt: request.prompt.len(),
            prompt_state: request.prompt_state(),
            tokens: request.prompt,
            position,
            table,
            passages: request.passages,
            filled: Vec::new(),
            limit: request.limit,
            reused: position,
            told: None,
            lookup: Lookup::default(),
            drafted: 0,
            accepted: 0,
            writer: request.writer,
            began: Instant::now(),
            prefill: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.writer.is_open()
    }

    /// Tokens to compute before the next one can be chosen; at least 1.
    pub(super) fn pending(&self) -> usize {
        let filled: usize =
            self.filled.iter().map(|range| range.end.saturating_sub(range.start.max(self.position))).sum();
        self.tokens.len() - self.position - filled
    }

    fn written(&self) -> usize {
        self.tokens.len() - self.prompt
    }

    /// The tokens whose keys and values are right.
    pub(super) fn computed(&self) -> &[u32] {
        &self.tokens[..self.position]
    }

    pub(super) fn prompt_tokens(&self) -> usize {
        self.prompt
    }

    pub(super) fn reused_tokens(&self) -> usize {
        self.reused
    }

    /// Guesses at what follows, if the sequence writes. Never so many that an answer could pass its limit with them.
    pub(super) fn draft(&mut self) -> Vec<u32> {
        if self.pending() > 1 || self.written() == 0 {
            return Vec::new();
        }
        self.lookup.draft(&self.tokens, (self.limit - self.written()).saturating_sub(1))
    }

    /// Tells how far the prompt is read, as long as nothing is written.
    pub(super) fn tell_reading(&mut self) {
        // After a preemption nothing is told until it is further than before.
        if self.written() == 0 && self.told.is_none_or(|told| told < self.position) {
            self.told = Some(self.position);
            self.writer.reading(self.position, self.prompt, self.reused);
        }
    }

    /// How many of the first tokens need not be computed if their keys and values are known.
    pub(super) fn known(&self) -> usize {
        self.prompt_state.as_ref().map_or(self.tokens.len(), PromptState::first)
    }

    /// Of how many of the last tokens at `place` the hidden states are wanted.
    pub(super) fn states_wanted(&self, place: &Range<usize>) -> usize {
        self.prompt_state.as_ref().map_or(0, |state| state.wanted(place))
    }

    /// Takes the hidden states that were wanted, rows of `hidden` numbers.
    pub(super) fn take_states(&mut self, states: &[f32], hidden: usize) {
        if let Some(state) = &mut self.prompt_state {
            state.add(states, hidden);
        }
    }

    /// Gives up its blocks.
    pub(super) fn preempt(&mut self) -> Table {
        self.position = 0;
        self.filled.clear();
        if let Some(state) = &mut self.prompt_state {
            state.restart();
        }
        std::mem::take(&mut self.table)
    }

    /// Goes on after all pending tokens and `drafts` were computed; `rows` are the logits of the last pending token and
    /// of each draft. Each place's token is chosen from its own logits, as without drafts; those behind the first wrong
    /// draft aren't looked at. Gives what the answer took when it ended.
    pub(super) fn advance<'a>(
        &mut self,
        drafts: &[u32],
        rows: impl Iterator<Item = &'a mut [f32]>,
    ) -> Result<Option<Usage>, ModelError> {
        self.position = self.tokens.len();
        if self.prefill.is_none() {
            self.tell_reading();
            if let Some(state) = self.prompt_state.take() {
                self.writer.state(state.told());
            }
            self.prefill = Some(self.began.elapsed());
        }
        let (mut accepted, mut finish) = (0, None);
        for (row, draft) in rows.zip(drafts.iter().map(Some).chain([None])) {
            let (token, end) = self.writer.accept(row)?;
            self.tokens.push(token);
            finish = end.or((self.written() >= self.limit).then_some(FinishReason::Length));
            let right = draft == Some(&token);
            accepted += usize::from(right);
            if finish.is_some() || !right {
                break;
            }
            self.position += 1;
        }
        if !drafts.is_empty() {
            self.drafted += drafts.len();
            self.accepted += accepted;
            self.lookup.verified(drafts.len(), accepted);
        }
        Ok(finish.map(|finish| self.usage(finish)))
    }

    fn usage(&self, finish: FinishReason) -> Usage {
        let prefill = self.prefill.unwrap_or_default();
        Usage {
            finish,
            prompt_tokens: self.prompt,
            reused_tokens: self.reused,
            new_tokens: self.written(),
            drafted_tokens: self.drafted,
            accepted_tokens: self.accepted,
            prefill,
            decode: self.began.elapsed().saturating_sub(prefill),
        }
    }

    /// Time since it was admitted.
    pub(super) fn served(&self) -> Duration {
        self.began.elapsed()
    }

    /// Tells the reader the end.
    pub(super) fn end(&mut self, outcome: Result<Usage, ModelError>) {
        self.writer.end(outcome);
    }
}
