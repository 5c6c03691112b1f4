//! Keys and values of all sequences: one tensor a layer for each, whose rows are the tokens of the blocks.

use super::{BLOCK_TOKENS, Place};
use crate::decoder::model::BlockId;
use crate::decoder::shape::Shape;
use candle_core::{DType, Result, Tensor};

/// The blocks. Row `block * BLOCK_TOKENS + n` belongs to the block's token n; a row holds all key heads.
pub(super) struct Memory {
    place: Place,
    layers: usize,
    /// Numbers in a row: key heads × head dimension.
    width: usize,
    blocks: usize,
    /// Keys and values, each of shape (rows, width).
    tensors: Vec<[Tensor; 2]>,
}

impl Memory {
    /// No blocks yet.
    pub(super) fn new(shape: &Shape, place: &Place) -> Self {
        let width = shape.kv_heads * shape.head_dimension;
        Self { place: place.clone(), layers: shape.layers, width, blocks: 0, tensors: Vec::new() }
    }

    /// Numbers of one token, in keys and in values alike.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Blocks that there are.
    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    pub(super) fn block_bytes(&self) -> usize {
        2 * self.layers * BLOCK_TOKENS * self.width * self.place.compact.size_in_bytes()
    }

    /// Makes room for this many blocks, all zero: what a mask hides must still be a number.
    pub(super) fn allocate(&mut self, blocks: usize) -> Result<()> {
        self.tensors.clear();
        let zeros = || Tensor::zeros((blocks * BLOCK_TOKENS, self.width), self.place.compact, &self.place.device);
        self.tensors = (0..self.layers).map(|_| Ok([zeros()?, zeros()?])).collect::<Result<_>>()?;
        self.blocks = blocks;
        Ok(())
    }

    /// Writes keys and values, each (tokens, width), into the rows of `layer` that `rows` names, (tokens, width) as well:
    /// the same row number all along a token.
    pub(super) fn write(&self, layer: usize, rows: &Tensor, keys: &Tensor, values: &Tensor) -> Result<()> {
        for (all, new) in self.layer(layer)?.iter().zip([keys, values]) {
            all.scatter_set(rows, &new.to_dtype(self.place.compact)?.contiguous()?, 0)?;
        }
        Ok(())
    }

    /// Keys and values of the rows that `rows` names, each (rows, width), in f32.
    pub(super) fn read(&self, layer: usize, rows: &Tensor) -> Result<[Tensor; 2]> {
        let [keys, values] = self.layer(layer)?;
        let gather = |all: &Tensor| all.index_select(rows, 0)?.to_dtype(DType::F32);
        Ok([gather(keys)?, gather(values)?])
    }

    /// Makes block `to` equal to block `from`.
    pub(super) fn copy(&mut self, from: BlockId, to: BlockId) -> Result<()> {
        let (from, to) = (from as usize, to as usize);
        if from.max(to) >= self.blocks {
            candle_core::bail!("block {} of {}", from.max(to), self.blocks)
        }
        for all in self.tensors.iter().flatten() {
            let block = all.narrow(0, from * BLOCK_TOKENS, BLOCK_TOKENS)?.copy()?;
            all.slice_set(&block, 0, to * BLOCK_TOKENS)?;
        }
        Ok(())
    }

    fn layer(&self, layer: usize) -> Result<&[Tensor; 2]> {
        self.tensors.get(layer).ok_or_else(|| candle_core::Error::msg("no blocks were allocated"))
    }
}
