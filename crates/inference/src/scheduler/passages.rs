//! Keys and values of passages, computed once and put into any prompt that quotes them.
//!
//! A passage is computed behind the beginning that all prompts share, as if it stood alone there; in a prompt its keys
//! are rotated to their new places (positions are rotations, Su et al. 2021). What stands around it is computed as
//! always and sees it whole. Passages don't see each other: the approximation of PromptCache (Gim et al. 2023) and
//! TurboRAG (Lu et al. 2024). The first tokens of each are computed in their place (EPIC, Hu et al. 2024).
//!
//! A passage's numbers never depend on whether they were there already, so an answer doesn't either.

use crate::decoder::model::SavedKv;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// First tokens of a passage that are computed anew in every prompt.
pub(super) const FRESH: usize = 16;

struct Entry {
    kv: Arc<SavedKv>,
    used: u64,
}

/// Kept passages, by their tokens and those of the beginning before them: a hit is never a matter of a hash.
pub(super) struct PassageCache {
    entries: HashMap<Box<[u32]>, Entry>,
    bytes: usize,
    limit: usize,
    clock: u64,
}

impl PassageCache {
    /// Keeps at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { entries: HashMap::new(), bytes: 0, limit, clock: 0 }
    }

    pub(super) fn get(&mut self, tokens: &[u32]) -> Option<Arc<SavedKv>> {
        self.clock += 1;
        let entry = self.entries.get_mut(tokens)?;
        entry.used = self.clock;
        Some(Arc::clone(&entry.kv))
    }

    /// Keeps a passage; those that were not used for longest go.
    pub(super) fn put(&mut self, tokens: &[u32], kv: Arc<SavedKv>) {
        self.clock += 1;
        self.bytes += kv.bytes();
        if let Some(old) = self.entries.insert(tokens.into(), Entry { kv, used: self.clock }) {
            self.bytes -= old.kv.bytes();
        }
        while self.bytes > self.limit && self.entries.len() > 1 {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(tokens, _)| tokens.clone());
            let Some(entry) = oldest.and_then(|tokens| self.entries.remove(&tokens)) else { return };
            self.bytes -= entry.kv.bytes();
        }
    }
}

/// The first `count` positions from `position` on, below `end`, that none of the ascending ranges `filled` covers.
pub(super) fn gaps(filled: &[Range<usize>], position: usize, end: usize, count: usize) -> Vec<Range<usize>> {
    let mut gaps = Vec::new();
    let (mut at, mut left) = (position, count);
    for range in filled.iter().chain([&(end..end)]) {
        if range.end <= at {
            continue;
        }
        let gap = at..range.start.max(at).min(at + left);
        left -= gap.len();
        if !gap.is_empty() {
            gaps.push(gap);
        }
        if left == 0 {
            break;
        }
        at = range.end;
    }
    gaps
}

/// `position`, or the end of the range of `filled` that it is in.
pub(super) fn behind(filled: &[Range<usize>], position: usize) -> usize {
    filled.iter().fold(position, |at, range| if range.contains(&at) { range.end } else { at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kv(tokens: usize) -> Arc<SavedKv> {
        Arc::new(SavedKv { position: 0, tokens, numbers: vec![0; tokens * 10] })
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let mut cache = PassageCache::new(100);
        cache.put(&[1], kv(2));
        cache.put(&[2], kv(2));
        assert!(cache.get(&[1]).is_some());
        cache.put(&[3], kv(2));
        assert_eq!([1, 2, 3].map(|token| cache.get(&[token]).is_some()), [true, false, true]);
        cache.put(&[3], kv(2));
        assert_eq!((cache.entries.len(), cache.bytes), (2, 80));
    }

    proptest! {
        /// Gaps are what is left when filled places are taken away, and a step behind them goes on where they end.
        #[test]
        fn gaps_and_filled_places_make_the_whole(
            cuts in proptest::collection::btree_set(0usize..60, 0..9), position in 0usize..60, count in 1usize..40,
        ) {
            let cuts: Vec<usize> = cuts.into_iter().collect();
            let filled: Vec<Range<usize>> = cuts.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect();
            let is_filled = |at: &usize| filled.iter().any(|range| range.contains(at));
            let expected: Vec<usize> = (position..60).filter(|at| !is_filled(at)).take(count).collect();
            let found: Vec<usize> = gaps(&filled, position, 60, count).into_iter().flatten().collect();
            prop_assert_eq!(&found, &expected);
            let next = behind(&filled, position);
            let first = (position..).find(|at| !is_filled(at));
            // Filled places that touch each other are passed one by one.
            prop_assert!(next >= position && Some(next) <= first);
        }
    }
}
