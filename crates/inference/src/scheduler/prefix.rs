//! The prefix cache: blocks that hold the beginnings of earlier sequences, found by their tokens.
//!
//! A trie whose edges are the tokens of a block: the whole path is compared, so a hit is never a matter of a hash.
//! Each scope has a root of its own; nothing is found from another one. But for beginnings that hold nothing of anybody's,
//! such as fixed instructions: those are everybody's, and what hangs on them is again found only from its own scope. Cached blocks are only read: who goes on from
//! the middle of one copies it.
//!
//! A sequence holds the whole path above its blocks and releases it from the leaf up, so the block released longest
//! ago is always a leaf and eviction never cuts a path in two.

use super::blocks::BlockPool;
use crate::decoder::model::BlockId;
use std::collections::HashMap;

/// Who may find a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// Every request: the tokens are the product's own.
    Common,
    /// Every request with this cache key.
    Shared(u64),
    /// One sequence, by its age, when it goes on after a preemption.
    Private(u64),
}

struct Node {
    scope: Scope,
    parent: Option<BlockId>,
    /// Those of a whole block, or fewer in a leaf.
    tokens: Box<[u32]>,
    children: Vec<BlockId>,
}

/// The longest known beginning of a sequence.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Whole blocks.
    pub blocks: Vec<BlockId>,
    /// A block behind them of which only this many first tokens fit.
    pub partial: Option<(BlockId, usize)>,
}

/// The pool with what is known of its blocks.
pub(super) struct PrefixCache {
    pool: BlockPool,
    block_tokens: usize,
    nodes: HashMap<BlockId, Node>,
    roots: HashMap<Scope, Vec<BlockId>>,
}

impl PrefixCache {
    pub(super) fn new(blocks: usize, block_tokens: usize) -> Self {
        Self { pool: BlockPool::new(blocks), block_tokens, nodes: HashMap::new(), roots: HashMap::new() }
    }

    pub(super) fn pool(&self) -> &BlockPool {
        &self.pool
    }

    pub(super) fn block_tokens(&self) -> usize {
        self.block_tokens
    }

    /// Blocks that could be allocated: the free ones and those that would be evicted.
    pub(super) fn available(&self) -> usize {
        self.pool.free() + self.pool.idle()
    }

    /// The longest known beginning of `tokens` in `scope`. Nothing is referenced yet.
    pub(super) fn find(&self, scope: Scope, tokens: &[u32]) -> Found {
        let mut found = Found::default();
        let mut rest = tokens;
        let mut children: Vec<BlockId> = self.visible(scope, None).collect();
        loop {
            let fits = |&block: &BlockId| (common(&self.nodes[&block].tokens, rest), block);
            let Some((length, block)) = children.iter().map(fits).max() else { return found };
            if length < self.block_tokens {
                found.partial = (length > 0).then_some((block, length));
                return found;
            }
            found.blocks.push(block);
            rest = &rest[length..];
            children = self.visible(scope, Some(block)).collect();
        }
    }

    /// Whether everybody may find the cached `block`.
    pub(super) fn is_common(&self, block: BlockId) -> bool {
        self.nodes.get(&block).is_some_and(|node| node.scope == Scope::Common)
    }

    /// A block of one's own. Evicts the idle one that was released longest ago when none is free.
    pub(super) fn allocate(&mut self) -> Option<BlockId> {
        if self.pool.free() == 0 {
            self.remove(self.pool.oldest_idle()?);
        }
        self.pool.allocate()
    }

    /// One more reference to a block.
    pub(super) fn share(&mut self, block: BlockId) {
        self.pool.share(block);
    }

    /// One reference less.
    pub(super) fn release(&mut self, block: BlockId) {
        self.pool.release(block);
    }

    /// Puts a block with the computed `tokens` behind the cached block `parent`. What hangs on a block that is not
    /// everybody's is not either. Gives the block to hold in its place:
    /// if one with these tokens is there already, that one is referenced and `block` released.
    pub(super) fn publish(&mut self, scope: Scope, parent: Option<BlockId>, tokens: &[u32], block: BlockId) -> BlockId {
        debug_assert!(scope != Scope::Common || parent.is_none_or(|parent| self.nodes[&parent].scope == Scope::Common));
        let siblings: Vec<BlockId> =
            self.children(scope, parent).iter().copied().filter(|sibling| self.nodes[sibling].scope == scope).collect();
        if let Some(known) = siblings.iter().copied().find(|known| self.nodes[known].tokens.starts_with(tokens)) {
            self.pool.share(known);
            self.pool.release(block);
            return known;
        }
        // The same beginning, cut shorter: of no more use.
        let shorter = |known: &&BlockId| tokens.starts_with(&self.nodes[known].tokens) && self.pool.is_idle(**known);
        let superseded: Vec<BlockId> = siblings.iter().filter(shorter).copied().collect();
        superseded.into_iter().for_each(|known| self.remove(known));
        self.pool.keep(block);
        self.nodes.insert(block, Node { scope, parent, tokens: tokens.into(), children: Vec::new() });
        match parent {
            Some(parent) => self.nodes.get_mut(&parent).map(|node| &mut node.children),
            None => Some(self.roots.entry(scope).or_default()),
        }
        .into_iter()
        .for_each(|siblings| siblings.push(block));
        block
    }

    /// Forgets everything of a scope; its unreferenced blocks are free at once.
    pub(super) fn forget(&mut self, scope: Scope) {
        let begins =
            |node: &Node| node.scope == scope && node.parent.is_none_or(|parent| self.nodes[&parent].scope != scope);
        let beginnings: Vec<BlockId> =
            self.nodes.iter().filter(|(_, node)| begins(node)).map(|(&block, _)| block).collect();
        for block in beginnings {
            self.remove(block);
        }
    }

    /// What hangs on a block, or begins, and may be found from `scope`.
    fn visible(&self, scope: Scope, parent: Option<BlockId>) -> impl Iterator<Item = BlockId> {
        let everybodys = match parent {
            None if scope != Scope::Common => self.children(Scope::Common, None),
            _ => &[],
        };
        let of = move |block: &&BlockId| {
            matches!(self.nodes[block].scope, Scope::Common) || self.nodes[block].scope == scope
        };
        everybodys.iter().chain(self.children(scope, parent)).filter(of).copied()
    }

    fn children(&self, scope: Scope, parent: Option<BlockId>) -> &[BlockId] {
        let children = match parent {
            Some(parent) => self.nodes.get(&parent).map(|node| &node.children),
            None => self.roots.get(&scope),
        };
        children.map_or(&[], Vec::as_slice)
    }

    /// Takes a block, and what hangs on it, out of the trie.
    fn remove(&mut self, block: BlockId) {
        let Some(node) = self.nodes.get(&block) else { return };
        let (scope, parent) = (node.scope, node.parent);
        let siblings = match parent {
            Some(parent) => self.nodes.get_mut(&parent).map(|node| &mut node.children),
            None => self.roots.get_mut(&scope),
        };
        if let Some(siblings) = siblings {
            siblings.retain(|&sibling| sibling != block);
        }
        if self.roots.get(&scope).is_some_and(Vec::is_empty) {
            self.roots.remove(&scope);
        }
        let mut removed = vec![block];
        while let Some(block) = removed.pop() {
            removed.extend(self.nodes.remove(&block).into_iter().flat_map(|node| node.children));
            self.pool.forget(block);
        }
    }

    /// Panics unless the trie is whole: every node hangs on one that is there, and is a kept block.
    #[cfg(test)]
    pub(super) fn check(&self, held: &[u32]) {
        self.pool.check(held);
        let linked = self.roots.values().map(Vec::len).sum::<usize>()
            + self.nodes.values().map(|node| node.children.len()).sum::<usize>();
        assert_eq!(linked, self.nodes.len(), "every node hangs somewhere");
        for (block, node) in &self.nodes {
            assert!(self.children(node.scope, node.parent).contains(block), "block {block} hangs on its parent");
            if let Some(parent) = node.parent.map(|parent| &self.nodes[&parent]) {
                assert_eq!(parent.tokens.len(), self.block_tokens);
                assert!([node.scope, Scope::Common].contains(&parent.scope), "nothing common hangs on what is not");
            }
        }
        let kept = self.nodes.keys().filter(|&&block| held[block as usize] == 0).count();
        assert_eq!(self.pool.idle(), kept, "idle blocks are cached ones");
    }
}

fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::super::table::Table;
    use super::*;

    const KEY: Scope = Scope::Shared(1);

    /// Publishes `tokens` as one released sequence in blocks of 4 and gives its blocks.
    fn publish(cache: &mut PrefixCache, scope: Scope, tokens: &[u32]) -> Vec<BlockId> {
        let mut blocks: Vec<BlockId> = Vec::new();
        for part in tokens.chunks(4) {
            let block = cache.allocate().unwrap();
            blocks.push(cache.publish(scope, blocks.last().copied(), part, block));
        }
        blocks.iter().rev().for_each(|&block| cache.release(block));
        cache.check(&vec![0; cache.pool.capacity()]);
        blocks
    }

    #[test]
    fn whole_and_partial_blocks_are_found_by_their_tokens() {
        let mut cache = PrefixCache::new(8, 4);
        let blocks = publish(&mut cache, KEY, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let find = |tokens: &[u32]| cache.find(KEY, tokens);
        let found = |whole: usize, partial| Found { blocks: blocks[..whole].to_vec(), partial };
        assert_eq!(find(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), found(2, Some((blocks[2], 2))));
        assert_eq!(find(&[1, 2, 3, 4, 5, 6]), found(1, Some((blocks[1], 2))));
        assert_eq!(find(&[1, 2, 3, 4, 0]), found(1, None));
        assert_eq!(find(&[5, 6, 7, 8]), found(0, None));
        assert_eq!(find(&[]), found(0, None));
    }

    #[test]
    fn nothing_is_found_from_another_scope() {
        let mut cache = PrefixCache::new(8, 4);
        publish(&mut cache, KEY, &[1, 2, 3, 4, 5]);
        for scope in [Scope::Shared(2), Scope::Private(1)] {
            assert_eq!(cache.find(scope, &[1, 2, 3, 4, 5]), Found::default());
        }
    }

    #[test]
    fn the_same_tokens_are_kept_once() {
        let mut cache = PrefixCache::new(8, 4);
        let first = publish(&mut cache, KEY, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(publish(&mut cache, KEY, &[1, 2, 3, 4, 5, 6]), first);
        assert_eq!(publish(&mut cache, KEY, &[1, 2, 3, 4, 5]), first);
        assert_eq!(cache.pool.free(), 6);
        // A longer end takes the place of a shorter one.
        publish(&mut cache, KEY, &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(cache.pool.free(), 6);
    }

    #[test]
    fn the_oldest_leaf_is_evicted_first_and_nothing_in_use() {
        let mut cache = PrefixCache::new(4, 4);
        let old = publish(&mut cache, KEY, &[1, 1, 1, 1, 2, 2, 2, 2]);
        let new = publish(&mut cache, KEY, &[3, 3, 3, 3, 4, 4, 4, 4]);
        cache.share(old[0]);
        assert_eq!(cache.allocate(), Some(old[1]));
        assert_eq!(cache.allocate(), Some(new[1]));
        assert_eq!(cache.allocate(), Some(new[0]));
        assert_eq!(cache.allocate(), None);
        assert_eq!(cache.find(KEY, &[1, 1, 1, 1, 2]).blocks, [old[0]]);
        cache.check(&[1, 1, 1, 1]);
    }

    #[test]
    fn a_common_beginning_is_everybodys_and_what_follows_is_not() {
        let mut cache = PrefixCache::new(8, 4);
        let (mine, yours) = (Scope::Shared(1), Scope::Shared(2));
        let mut begin = |scope: Scope, tokens: &[u32]| {
            let (table, position) = Table::begin(&mut cache, scope, 4, tokens, tokens.len(), 0, |_, _| false).unwrap();
            let blocks = table.blocks().to_vec();
            table.release(&mut cache, scope, tokens);
            cache.check(&[0; 8]);
            (blocks, position)
        };
        let (first, position) = begin(mine, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(position, 0);
        let (second, position) = begin(yours, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(position, 4, "only what is everybody's");
        assert_eq!(first[0], second[0]);
        assert_ne!(first[1], second[1], "the same tokens, computed again for another scope");
        assert_eq!(begin(mine, &[1, 2, 3, 4, 5, 6, 7, 8, 9]).1, 8);
        assert_eq!(begin(Scope::Private(3), &[1, 2, 3, 4, 5, 6, 7, 8, 9]).1, 4);
        cache.forget(Scope::Private(3));
        assert_eq!(cache.find(Scope::Shared(4), &[1, 2, 3, 4, 5]).blocks.len(), 1, "the common block stays");
        cache.check(&[0; 8]);
    }

    #[test]
    fn a_forgotten_scope_leaves_nothing() {
        let mut cache = PrefixCache::new(4, 4);
        let held = publish(&mut cache, Scope::Private(7), &[1, 1, 1, 1, 2, 2, 2, 2, 3]);
        publish(&mut cache, KEY, &[1]);
        cache.share(held[0]);
        cache.forget(Scope::Private(7));
        assert_eq!((cache.pool.free(), cache.pool.idle()), (2, 1));
        cache.release(held[0]);
        assert_eq!((cache.pool.free(), cache.roots.len()), (3, 1));
        cache.check(&[0; 4]);
    }
}
