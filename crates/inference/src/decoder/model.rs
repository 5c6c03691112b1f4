//! What the scheduler asks of a decoder, whatever it runs on.

use crate::ModelError;

/// Number of a block of KV memory.
pub(crate) type BlockId = u32;

/// Tokens of one sequence to run in a step, behind those whose keys and values are in its blocks already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk<'a> {
    pub(crate) tokens: &'a [u32],
    /// Tokens of the sequence that are in its blocks already: the position of `tokens[0]`.
    pub(crate) position: usize,
    /// The block table: block i holds the positions from i · block_tokens on. Covers position + tokens.len().
    pub(crate) blocks: &'a [BlockId],
    /// Of how many of the last tokens the logits are wanted: none in the middle of a prompt, more than one when drafted
    /// tokens are verified.
    pub(crate) logits: usize,
}

/// A decoder whose keys and values live in blocks of a fixed number of tokens (Kwon et al. 2023, PagedAttention).
pub(crate) trait DecoderModel: Send {
    /// Tokens of the vocabulary: the length of a row of logits.
    fn vocabulary(&self) -> usize;

    /// The longest sequence, prompt and answer.
    fn context(&self) -> usize;

    /// Tokens that a block holds.
    fn block_tokens(&self) -> usize;

    /// Bytes of a block over all layers, keys and values.
    fn block_bytes(&self) -> usize;

    /// Makes room for `blocks` blocks, numbered from 0. Called once, before the first step. Memory is touched only as
    /// blocks are used.
    fn allocate(&mut self, blocks: usize) -> Result<(), ModelError>;

    /// Runs chunks of different sequences together and appends their wanted logits to `logits`, a row of
    /// [`Self::vocabulary`] each, in the order of chunks and tokens.
    ///
    /// Asks `proceed` between layers; when it says no, gives `Ok(false)`, and what the chunks would have written counts
    /// as not there. On the CPU a sequence's logits have the same bits whatever the other chunks are and however its
    /// tokens were cut into chunks.
    fn step(
        &mut self,
        chunks: &[Chunk<'_>],
        logits: &mut Vec<f32>,
        proceed: &mut dyn FnMut() -> bool,
    ) -> Result<bool, ModelError>;
}
