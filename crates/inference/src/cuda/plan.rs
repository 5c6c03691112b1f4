//! What a step does, worked out once for all layers: which rows of memory are written and read, and what sees what.

use super::BLOCK_TOKENS;
use super::memory::Memory;
use crate::decoder::model::Chunk;
use crate::decoder::shape::Shape;
use candle_core::{Device, Result, Tensor};

/// The tokens of all chunks as the rows of one matrix, chunks of equal length next to each other.
pub(super) struct Plan {
    /// Token ids, (tokens).
    pub(super) tokens: Tensor,
    /// Positions in their sequences, (tokens).
    pub(super) positions: Tensor,
    /// Rows of memory that the tokens' keys and values go to, (tokens, width).
    pub(super) written: Tensor,
    /// Chunks of equal length, in the order of the rows.
    pub(super) groups: Vec<Group>,
    /// Rows whose logits are wanted, in the order of the chunks as they came; `None` for none.
    pub(super) wanted: Option<Tensor>,
    /// Rows whose hidden states are wanted, in the same order; `None` for none.
    pub(super) states: Option<Tensor>,
}

/// Chunks that attend together: each sequence to its own keys, padded to the longest.
pub(super) struct Group {
    /// Row of the first token.
    pub(super) start: usize,
    pub(super) sequences: usize,
    /// Tokens of each chunk.
    pub(super) tokens: usize,
    /// Keys of the longest sequence, the chunk's own included.
    pub(super) keys: usize,
    /// Rows of memory of every sequence's keys, (sequences · keys); padding names some row of its own.
    pub(super) read: Tensor,
    /// For each kind of window: 0 where a token sees a key and -∞ where not, (sequences, 1, 1, tokens, keys).
    masks: Vec<(Option<usize>, Tensor)>,
}

impl Group {
    /// The mask for layers with this window.
    pub(super) fn mask(&self, window: Option<usize>) -> Result<&Tensor> {
        let found = self.masks.iter().find(|(known, _)| *known == window);
        found.map(|(_, mask)| mask).ok_or_else(|| candle_core::Error::msg("no mask for this window"))
    }
}

impl Plan {
    /// Checks the chunks and lays them out.
    pub(super) fn new(chunks: &[Chunk<'_>], shape: &Shape, memory: &Memory, device: &Device) -> Result<Self> {
        chunks.iter().try_for_each(|chunk| check(chunk, shape, memory))?;
        let mut order: Vec<usize> = (0..chunks.len()).collect();
        order.sort_by_key(|&index| chunks[index].tokens.len());
        let (mut tokens, mut positions, mut written) = (Vec::new(), Vec::new(), Vec::new());
        let mut first_rows = vec![0; chunks.len()];
        for &index in &order {
            let chunk = &chunks[index];
            first_rows[index] = tokens.len();
            tokens.extend_from_slice(chunk.tokens);
            for position in chunk.position..chunk.position + chunk.tokens.len() {
                positions.push(position as u32);
                written.push(row_of(chunk, position));
            }
        }
        let mut groups = Vec::new();
        for run in order.chunk_by(|&a, &b| chunks[a].tokens.len() == chunks[b].tokens.len()) {
            let members: Vec<&Chunk<'_>> = run.iter().map(|&index| &chunks[index]).collect();
            let start = run.first().map_or(0, |&index| first_rows[index]);
            groups.push(group(&members, start, shape, device)?);
        }
        let (mut wanted, mut states) = (Vec::new(), Vec::new());
        for (chunk, first) in chunks.iter().zip(&first_rows) {
            let end = first + chunk.tokens.len();
            let last = |count: usize| (end - count.min(chunk.tokens.len())..end).map(|row| row as u32);
            wanted.extend(last(chunk.logits));
            states.extend(last(chunk.states));
        }
        let count = tokens.len();
        let written = Tensor::from_vec(written, (count, 1), device)?;
        let rows = |rows: Vec<u32>| -> Result<Option<Tensor>> {
            let count = rows.len();
            (count > 0).then(|| Tensor::from_vec(rows, count, device)).transpose()
        };
        Ok(Self {
            tokens: Tensor::from_vec(tokens, count, device)?,
            positions: Tensor::from_vec(positions, count, device)?,
            written: written.broadcast_as((count, memory.width()))?.contiguous()?,
            groups,
            wanted: rows(wanted)?,
            states: rows(states)?,
        })
    }
}

fn check(chunk: &Chunk<'_>, shape: &Shape, memory: &Memory) -> Result<()> {
    let end = chunk.position + chunk.tokens.len();
    if chunk.tokens.is_empty() || end > shape.context {
        candle_core::bail!("a chunk that ends at {end} in a context of {}", shape.context)
    }
    if chunk.blocks.len() * BLOCK_TOKENS < end {
        candle_core::bail!("{} blocks for {end} tokens", chunk.blocks.len())
    }
    // A GPU would read whatever lies there.
    if let Some(block) = chunk.blocks.iter().find(|&&block| block as usize >= memory.blocks()) {
        candle_core::bail!("block {block} of {}", memory.blocks())
    }
    if let Some(token) = chunk.tokens.iter().find(|&&token| token as usize >= shape.vocabulary) {
        candle_core::bail!("token {token} of {}", shape.vocabulary)
    }
    Ok(())
}

fn row_of(chunk: &Chunk<'_>, position: usize) -> u32 {
    chunk.blocks[position / BLOCK_TOKENS] * BLOCK_TOKENS as u32 + (position % BLOCK_TOKENS) as u32
}

fn group(members: &[&Chunk<'_>], start: usize, shape: &Shape, device: &Device) -> Result<Group> {
    let sequences = members.len();
    let tokens = members.first().map_or(0, |chunk| chunk.tokens.len());
    let keys = members.iter().map(|chunk| chunk.position + tokens).max().unwrap_or(0);
    let mut read = Vec::with_capacity(sequences * keys);
    for chunk in members {
        let end = chunk.position + tokens;
        read.extend((0..keys).map(|key| row_of(chunk, key.min(end - 1))));
    }
    let mut masks: Vec<(Option<usize>, Tensor)> = Vec::new();
    for window in (0..shape.layers).map(|layer| shape.layer_window(layer)) {
        if masks.iter().all(|(known, _)| *known != window) {
            masks.push((window, mask(members, tokens, keys, window, device)?));
        }
    }
    Ok(Group { start, sequences, tokens, keys, read: Tensor::from_vec(read, sequences * keys, device)?, masks })
}

fn mask(members: &[&Chunk<'_>], tokens: usize, keys: usize, window: Option<usize>, device: &Device) -> Result<Tensor> {
    let mut mask = Vec::with_capacity(members.len() * tokens * keys);
    for chunk in members {
        for position in chunk.position..chunk.position + tokens {
            let first = window.map_or(0, |window| (position + 1).saturating_sub(window));
            mask.extend((0..keys).map(|key| if (first..=position).contains(&key) { 0.0 } else { f32::NEG_INFINITY }));
        }
    }
    Tensor::from_vec(mask, (members.len(), 1, 1, tokens, keys), device)
}
