//! What a decoder offers to the scheduler: steps over several sequences whose keys and values live in blocks.

use crate::ModelError;
use std::ops::Range;

/// Number of a block of KV memory.
pub(crate) type BlockId = u32;

/// Tokens of one sequence to run in a step, behind those whose keys and values are in its blocks already.
pub(crate) struct Chunk<'a> {
    /// The tokens to run; never empty.
    pub tokens: &'a [u32],
    /// Tokens of the sequence that are in its blocks already (= position of `tokens[0]`).
    pub position: usize,
    /// Block table: block i holds positions `i * block_tokens()` on; must cover `position + tokens.len()`.
    pub blocks: &'a [BlockId],
    /// Of how many of the last tokens the logits are wanted: 0 (prefill in the middle), 1, or more (verification of
    /// drafted tokens).
    pub logits: usize,
    /// Of how many of the last tokens the hidden states are wanted.
    pub states: usize,
}

/// What a step computed for its readers.
#[derive(Debug, Default)]
pub(crate) struct Computed {
    /// Rows of [`DecoderModel::vocabulary`] each, in the order of chunks and tokens.
    pub logits: Vec<f32>,
    /// Rows of [`DecoderModel::hidden`] each, in the order of chunks and tokens: what the layers up to [`tapped_layer`]
    /// made of the tokens whose states were wanted, before any norm.
    pub states: Vec<f32>,
}

/// How many of `layers` have run when hidden states are taken: five of seven. Whether a text says what is asked is read
/// best behind the middle; the last layers turn to the next word (Slobodkin et al. 2023, arXiv:2310.11877; docs/adr/0015
/// for what was measured here).
pub(crate) fn tapped_layer(layers: usize) -> usize {
    (layers * 5 / 7).max(1)
}

/// Keys and values of some tokens, out of any block.
pub(crate) struct SavedKv {
    /// Where the first of them stood.
    pub position: usize,
    pub tokens: usize,
    /// [layer][token]: keys, then values, f16.
    pub numbers: Vec<u16>,
}

impl SavedKv {
    pub(crate) fn bytes(&self) -> usize {
        self.numbers.len() * size_of::<u16>()
    }
}

/// A decoder whose keys and values live in blocks of a fixed number of tokens.
pub(crate) trait DecoderModel: Send {
    /// Logits of a row.
    fn vocabulary(&self) -> usize;

    /// Numbers of a hidden state.
    fn hidden(&self) -> usize;

    /// Longest sequence, prompt and answer.
    fn context(&self) -> usize;

    /// Tokens a block holds (a power of two, 32 on the CPU).
    fn block_tokens(&self) -> usize;

    /// Bytes of one block over all layers, keys and values.
    fn block_bytes(&self) -> usize;

    /// Makes room for this many blocks, numbered from 0; called once before the first step. Memory is touched only as
    /// blocks are used.
    fn allocate(&mut self, blocks: usize) -> Result<(), ModelError>;

    /// Runs the chunks of different sequences together and appends what is wanted of them to `computed`. Calls `proceed`
    /// between layers; when it says false, gives `Ok(false)`, and what the chunks would have written counts as not there.
    ///
    /// A sequence's logits do not depend on the other chunks, nor on how its tokens were cut into chunks: same bits
    /// (CPU).
    fn step(
        &mut self,
        chunks: &[Chunk<'_>],
        computed: &mut Computed,
        proceed: &mut dyn FnMut() -> bool,
    ) -> Result<bool, ModelError>;

    /// The keys and values at `places` of a sequence, to be put into others. `None`: this model can't.
    fn save(&self, blocks: &[BlockId], places: Range<usize>) -> Option<SavedKv> {
        let _ = (blocks, places);
        None
    }

    /// Puts what was saved, without its first `skip` tokens, at `position` on into a sequence, keys rotated to their
    /// new places. False: this model can't.
    fn restore(&mut self, saved: &SavedKv, skip: usize, blocks: &[BlockId], position: usize) -> bool {
        let _ = (saved, skip, blocks, position);
        false
    }

    /// Makes block `to` equal to block `from`, so that a sequence can go on from the middle of a block that others
    /// read. False: this model can't, and the tokens of that block are computed again.
    fn copy(&mut self, from: BlockId, to: BlockId) -> Result<bool, ModelError> {
        let _ = (from, to);
        Ok(false)
    }
}
