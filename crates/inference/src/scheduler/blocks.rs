//! The pool of KV blocks: which are free, which are in use and by how many, which are kept in case they help again.

use crate::decoder::model::{BlockId, DecoderModel};
use std::collections::BTreeMap;

/// Blocks of `model` that fit in `bytes`; always enough for one sequence of its whole context.
pub(super) fn block_count(model: &dyn DecoderModel, bytes: usize) -> usize {
    let context = model.context().div_ceil(model.block_tokens().max(1));
    // Block numbers are 32 bits.
    (bytes / model.block_bytes().max(1)).max(context).max(1).min(BlockId::MAX as usize)
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Sequences whose tables hold the block.
    references: u32,
    /// Whether it stays when nobody holds it.
    kept: bool,
    /// When it was last released.
    released: u64,
}

/// A fixed number of blocks. Each is free, in use (referenced), or idle: kept with its content though unreferenced.
pub(super) struct BlockPool {
    blocks: Vec<State>,
    /// Last in, first out, so that memory once touched is used again before new memory is.
    free: Vec<BlockId>,
    /// By time of release, oldest first.
    idle: BTreeMap<u64, BlockId>,
    clock: u64,
}

impl BlockPool {
    pub(super) fn new(blocks: usize) -> Self {
        Self {
            blocks: vec![State::default(); blocks],
            free: (0..blocks as BlockId).rev().collect(),
            idle: BTreeMap::new(),
            clock: 0,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.blocks.len()
    }

    pub(super) fn free(&self) -> usize {
        self.free.len()
    }

    pub(super) fn idle(&self) -> usize {
        self.idle.len()
    }

    pub(super) fn is_idle(&self, block: BlockId) -> bool {
        let state = self.blocks[block as usize];
        state.kept && state.references == 0
    }

    /// A free block, referenced once.
    pub(super) fn allocate(&mut self) -> Option<BlockId> {
        let block = self.free.pop()?;
        self.blocks[block as usize].references = 1;
        Some(block)
    }

    /// The idle block that was released longest ago.
    pub(super) fn oldest_idle(&self) -> Option<BlockId> {
        self.idle.values().next().copied()
    }

    /// One more reference to a block in use or idle.
    pub(super) fn share(&mut self, block: BlockId) {
        let state = &mut self.blocks[block as usize];
        if state.references == 0 {
            debug_assert!(state.kept, "block {block} is free");
            self.idle.remove(&state.released);
        }
        state.references += 1;
    }

    /// One reference less; the last one leaves it idle if it is kept, free otherwise.
    pub(super) fn release(&mut self, block: BlockId) {
        let state = &mut self.blocks[block as usize];
        debug_assert!(state.references > 0, "block {block} is released twice");
        state.references -= 1;
        if state.references > 0 {
            return;
        }
        if state.kept {
            self.clock += 1;
            state.released = self.clock;
            self.idle.insert(self.clock, block);
        } else {
            self.free.push(block);
        }
    }

    /// Lets a block in use stay when it is released.
    pub(super) fn keep(&mut self, block: BlockId) {
        debug_assert!(self.blocks[block as usize].references > 0, "block {block} is not in use");
        self.blocks[block as usize].kept = true;
    }

    /// Lets a block go: an idle one is free now, one in use when it is released.
    pub(super) fn forget(&mut self, block: BlockId) {
        let state = &mut self.blocks[block as usize];
        if std::mem::take(&mut state.kept) && state.references == 0 {
            self.idle.remove(&state.released);
            self.free.push(block);
        }
    }

    /// Panics unless every block is in exactly one state and `held` is how often each is referenced.
    #[cfg(test)]
    pub(super) fn check(&self, held: &[u32]) {
        let mut seen = vec![0; self.blocks.len()];
        self.free.iter().chain(self.idle.values()).for_each(|&block| seen[block as usize] += 1);
        for (index, state) in self.blocks.iter().enumerate() {
            assert_eq!(state.references, held[index], "references of block {index}");
            assert_eq!(seen[index], u32::from(state.references == 0), "block {index} is in one state");
            let idle = self.idle.get(&state.released) == Some(&(index as BlockId));
            assert_eq!(idle, state.kept && state.references == 0, "block {index} is idle when kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_given_once_until_released() {
        let mut pool = BlockPool::new(3);
        let all: Vec<_> = std::iter::from_fn(|| pool.allocate()).collect();
        assert_eq!(all, [0, 1, 2]);
        pool.share(1);
        pool.release(1);
        assert_eq!(pool.allocate(), None);
        pool.release(1);
        assert_eq!((pool.free(), pool.allocate()), (1, Some(1)));
        pool.check(&[1, 1, 1]);
    }

    #[test]
    fn kept_blocks_become_idle_in_the_order_of_release() {
        let mut pool = BlockPool::new(3);
        for block in 0..3 {
            assert_eq!(pool.allocate(), Some(block));
            pool.keep(block);
        }
        for block in [2, 0, 1] {
            pool.release(block);
        }
        assert_eq!((pool.free(), pool.idle(), pool.oldest_idle()), (0, 3, Some(2)));
        pool.share(2);
        assert_eq!((pool.idle(), pool.oldest_idle()), (2, Some(0)));
        pool.release(2);
        assert_eq!(pool.oldest_idle(), Some(0));
        pool.forget(0);
        assert_eq!((pool.free(), pool.oldest_idle()), (1, Some(1)));
        pool.check(&[0, 0, 0]);
    }

    #[test]
    fn a_forgotten_block_in_use_is_free_after_its_release() {
        let mut pool = BlockPool::new(1);
        assert_eq!(pool.allocate(), Some(0));
        pool.keep(0);
        pool.forget(0);
        assert_eq!(pool.free(), 0);
        pool.release(0);
        assert_eq!((pool.free(), pool.idle()), (1, 0));
    }
}
