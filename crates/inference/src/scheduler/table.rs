//! The block table of a sequence: where its keys and values are.

use super::prefix::{PrefixCache, Scope};
use crate::decoder::model::BlockId;

/// The blocks of a sequence in the order of its tokens. The first ones are in the prefix cache and only read; the
/// others are the sequence's own.
#[derive(Debug, Default)]
pub(super) struct Table {
    blocks: Vec<BlockId>,
    published: usize,
    /// Blocks at the beginning that hold nothing of anybody's.
    common: usize,
}

impl Table {
    /// Room for all `tokens`, with what the cache knows of the first `known` ones; also gives how many that are. The last
    /// token is never among them: its logits are wanted. `None` when fewer than `reserve` blocks would be left.
    /// `copy` makes its second block equal to its first one, if it can. The first `common` tokens may be everybody's.
    pub(super) fn begin(
        cache: &mut PrefixCache,
        scope: Scope,
        common: usize,
        tokens: &[u32],
        known: usize,
        reserve: usize,
        copy: impl FnOnce(BlockId, BlockId) -> bool,
    ) -> Option<(Self, usize)> {
        let size = cache.block_tokens();
        let found = cache.find(scope, &tokens[..known.min(tokens.len().saturating_sub(1))]);
        let missing = tokens.len().div_ceil(size) - found.blocks.len();
        let found_idle = found.blocks.iter().filter(|&&block| cache.pool().is_idle(block)).count();
        if cache.available() < found_idle + missing + reserve {
            return None;
        }
        found.blocks.iter().for_each(|&block| cache.share(block));
        let mut position = found.blocks.len() * size;
        let mut table = Self { published: found.blocks.len(), blocks: found.blocks, common: common / size };
        if let Some((source, length)) = found.partial {
            // Held, so that it isn't evicted for its own copy.
            cache.share(source);
            if let Some(own) = cache.allocate() {
                table.blocks.push(own);
                position += if copy(source, own) { length } else { 0 };
            }
            cache.release(source);
        }
        if table.grow(cache, tokens.len()) {
            return Some((table, position));
        }
        table.release(cache, scope, &[]);
        None
    }

    pub(super) fn blocks(&self) -> &[BlockId] {
        &self.blocks
    }

    /// Makes room for `tokens` in all; false when the blocks run out, with those that were found.
    pub(super) fn grow(&mut self, cache: &mut PrefixCache, tokens: usize) -> bool {
        while self.blocks.len() < tokens.div_ceil(cache.block_tokens()) {
            let Some(block) = cache.allocate() else { return false };
            self.blocks.push(block);
        }
        true
    }

    /// Tokens that there is room for.
    pub(super) fn room(&self, cache: &PrefixCache) -> usize {
        self.blocks.len() * cache.block_tokens()
    }

    /// Lets others read the blocks that `computed` fills: the sequence's tokens whose keys and values are right.
    pub(super) fn publish(&mut self, cache: &mut PrefixCache, scope: Scope, computed: &[u32]) {
        let size = cache.block_tokens();
        for tokens in computed.chunks_exact(size).skip(self.published) {
            self.publish_next(cache, scope, tokens);
        }
    }

    fn publish_next(&mut self, cache: &mut PrefixCache, scope: Scope, tokens: &[u32]) {
        let parent = self.published.checked_sub(1).map(|index| self.blocks[index]);
        let everybodys = self.published < self.common && parent.is_none_or(|parent| cache.is_common(parent));
        let scope = if everybodys { Scope::Common } else { scope };
        let block = &mut self.blocks[self.published];
        *block = cache.publish(scope, parent, tokens, *block);
        self.published += 1;
    }

    /// Gives all blocks back. Those with `computed` tokens stay in the cache, a last one that isn't full included.
    pub(super) fn release(mut self, cache: &mut PrefixCache, scope: Scope, computed: &[u32]) {
        self.publish(cache, scope, computed);
        let rest = computed.get(self.published * cache.block_tokens()..).unwrap_or_default();
        if !rest.is_empty() {
            self.publish_next(cache, scope, rest);
        }
        // From the end, so that the end is evicted first.
        self.blocks.iter().rev().for_each(|&block| cache.release(block));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Scope = Scope::Shared(1);

    /// From which block to which one was copied.
    type Copied = Option<(BlockId, BlockId)>;

    fn begin(cache: &mut PrefixCache, tokens: &[u32]) -> Option<(Table, usize, Copied)> {
        let mut copied = None;
        let (table, position) =
            Table::begin(cache, KEY, 0, tokens, tokens.len(), 0, |from, to| copied.replace((from, to)).is_none())?;
        Some((table, position, copied))
    }

    #[test]
    fn a_sequence_goes_on_where_another_ended() {
        let mut cache = PrefixCache::new(6, 4);
        let tokens: Vec<u32> = (1..=10).collect();
        let (first, position, copied) = begin(&mut cache, &tokens).unwrap();
        assert_eq!((first.blocks().len(), position, copied), (3, 0, None));
        let ends_in = first.blocks()[2];
        first.release(&mut cache, KEY, &tokens[..9]);
        let (second, position, copied) = begin(&mut cache, &tokens).unwrap();
        assert_eq!((position, copied), (9, Some((ends_in, second.blocks()[2]))));
        assert_ne!(second.blocks()[2], ends_in, "the last block is the sequence's own");
        second.release(&mut cache, KEY, &tokens[..9]);
        cache.check(&[0; 6]);
        assert_eq!(cache.available(), 6);
    }

    #[test]
    fn the_last_token_is_always_computed() {
        let mut cache = PrefixCache::new(6, 4);
        let (table, ..) = begin(&mut cache, &[1, 2, 3, 4, 5]).unwrap();
        table.release(&mut cache, KEY, &[1, 2, 3, 4, 5]);
        let (table, position, _) = begin(&mut cache, &[1, 2, 3, 4]).unwrap();
        assert_eq!(position, 3);
        table.release(&mut cache, KEY, &[]);
    }

    #[test]
    fn a_full_pool_gives_up_even_what_it_would_copy_from() {
        let mut cache = PrefixCache::new(2, 4);
        let (table, ..) = begin(&mut cache, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        table.release(&mut cache, KEY, &[1, 2, 3, 4, 5, 6, 7]);
        // Both blocks are idle; the second can't be both source and copy.
        let (table, position, copied) = begin(&mut cache, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        assert_eq!((table.blocks().len(), position, copied), (2, 4, None));
        assert!(begin(&mut cache, &[9]).is_none());
        table.release(&mut cache, KEY, &[]);
        cache.check(&[0; 2]);
    }
}
