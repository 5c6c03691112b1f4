//! What a decoder offers to the scheduler: steps over several sequences whose keys and values live in blocks.

use crate::ModelError;

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
}

/// A decoder whose keys and values live in blocks of a fixed number of tokens.
pub(crate) trait DecoderModel: Send {
    /// Logits of a row.
    fn vocabulary(&self) -> usize;

    /// Longest sequence, prompt and answer.
    fn context(&self) -> usize;

    /// Tokens a block holds (a power of two, 32 on the CPU).
    fn block_tokens(&self) -> usize;

    /// Bytes of one block over all layers, keys and values.
    fn block_bytes(&self) -> usize;

    /// Makes room for this many blocks, numbered from 0; called once before the first step. Memory is touched only as
    /// blocks are used.
    fn allocate(&mut self, blocks: usize) -> Result<(), ModelError>;

    /// Runs the chunks of different sequences together; appends their wanted logits to `logits`, rows of
    /// [`Self::vocabulary`] each, in the order of chunks and tokens. Calls `proceed` between layers; when it says
    /// false, gives `Ok(false)`, and what the chunks would have written counts as not there.
    ///
    /// A sequence's logits do not depend on the other chunks, nor on how its tokens were cut into chunks: same bits
    /// (CPU).
    fn step(
        &mut self,
        chunks: &[Chunk<'_>],
        logits: &mut Vec<f32>,
        proceed: &mut dyn FnMut() -> bool,
    ) -> Result<bool, ModelError>;

    /// Makes block `to` equal to block `from`, so that a sequence can go on from the middle of a block that others
    /// read. False: this model can't, and the tokens of that block are computed again.
    fn copy(&mut self, from: BlockId, to: BlockId) -> Result<bool, ModelError> {
        let _ = (from, to);
        Ok(false)
    }
}
