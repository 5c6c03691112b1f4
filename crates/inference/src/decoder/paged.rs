//! Paged memory over the decoder of one sequence: blocks are gathered before a run and written back after it.

use super::model::{BlockId, Chunk, DecoderModel};
use super::{Decoder, KvCache};
use crate::ModelError;
use candle_core::{Result, Tensor};

/// Tokens of a block.
const BLOCK_TOKENS: usize = 32;

/// Keys and values of a block, a layer each: (key heads, tokens, head dimension). Replaced whole, never written in
/// place, so that copies of a block share them.
type Block = Vec<(Tensor, Tensor)>;

/// A decoder with its blocks.
pub(crate) struct PagedDecoder {
    decoder: Decoder,
    blocks: Vec<Option<Block>>,
}

impl PagedDecoder {
    pub(crate) fn new(decoder: Decoder) -> Self {
        Self { decoder, blocks: Vec::new() }
    }

    /// The keys and values before `chunk` in one piece.
    fn gather(&self, chunk: &Chunk<'_>) -> Result<KvCache> {
        let mut cache = self.decoder.cache();
        cache.reserve(chunk.position + chunk.tokens.len())?;
        for (index, start) in (0..chunk.position).step_by(BLOCK_TOKENS).enumerate() {
            let length = BLOCK_TOKENS.min(chunk.position - start);
            let Some(Some(block)) = chunk.blocks.get(index).and_then(|&id| self.blocks.get(id as usize)) else {
                candle_core::bail!("block {index} of a sequence was never written")
            };
            for (layer, (keys, values)) in block.iter().enumerate() {
                let part = |whole: &Tensor| whole.narrow(1, 0, length)?.contiguous();
                cache.append(layer, &part(keys)?, &part(values)?)?;
            }
            cache.commit(&[0; BLOCK_TOKENS][..length]);
        }
        Ok(cache)
    }

    /// Writes what `cache` has from the chunk's position on back to the chunk's blocks.
    fn scatter(&mut self, chunk: &Chunk<'_>, cache: &KvCache) -> Result<()> {
        for (index, &id) in chunk.blocks.iter().enumerate().skip(chunk.position / BLOCK_TOKENS) {
            let start = index * BLOCK_TOKENS;
            if start >= cache.len() {
                break;
            }
            let length = BLOCK_TOKENS.min(cache.len() - start);
            let part = |whole: &Tensor| whole.narrow(1, start, length)?.contiguous()?.copy();
            let block = cache.layers().map(|(keys, values)| Ok((part(keys)?, part(values)?))).collect::<Result<_>>()?;
            let Some(place) = self.blocks.get_mut(id as usize) else { candle_core::bail!("there is no block {id}") };
            *place = Some(block);
        }
        Ok(())
    }
}

impl DecoderModel for PagedDecoder {
    fn vocabulary(&self) -> usize {
        self.decoder.shape.vocabulary
    }

    fn context(&self) -> usize {
        self.decoder.context()
    }

    fn block_tokens(&self) -> usize {
        BLOCK_TOKENS
    }

    fn block_bytes(&self) -> usize {
        let shape = &self.decoder.shape;
        shape.layers * 2 * shape.kv_heads * shape.head_dimension * BLOCK_TOKENS * size_of::<f32>()
    }

    fn allocate(&mut self, blocks: usize) -> std::result::Result<(), ModelError> {
        self.blocks = vec![None; blocks];
        Ok(())
    }

    fn step(
        &mut self,
        chunks: &[Chunk<'_>],
        logits: &mut Vec<f32>,
        proceed: &mut dyn FnMut() -> bool,
    ) -> std::result::Result<bool, ModelError> {
        for chunk in chunks {
            let mut cache = self.gather(chunk)?;
            // Tokens whose logits are wanted run alone: the same products as in plain decoding, and the same bits.
            let (first, last) = chunk.tokens.split_at(chunk.tokens.len() - chunk.logits.saturating_sub(1));
            let parts = [(first, chunk.logits > 0)].into_iter().chain(last.chunks(1).map(|token| (token, true)));
            for (tokens, wanted) in parts {
                match self.decoder.forward(tokens, &mut cache, wanted, proceed)? {
                    Some(row) => logits.extend(row),
                    None => return Ok(false),
                }
            }
            self.scatter(chunk, &cache)?;
        }
        Ok(true)
    }

    fn copy(&mut self, from: BlockId, to: BlockId) -> std::result::Result<bool, ModelError> {
        let block = self.blocks.get(from as usize).cloned().flatten();
        if let Some(place) = self.blocks.get_mut(to as usize) {
            *place = block;
        }
        Ok(true)
    }
}
