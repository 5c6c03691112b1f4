//! The Merkle tree over the event hashes (RFC 9162, section 2.1): leaf `i` (from 0) is the 32-byte hash of the event with
//! the sequence `i + 1`. One root stands for the whole log, and a proof of a few dozen hashes shows that an event is in it,
//! or that an older log is the beginning of a newer one, without showing any other event.

use crate::{EventHash, TreeHash};
use sha2::{Digest, Sha256};

/// The perfect subtrees that a log of some length consists of. Enough to add events and to say the root: one hash for each
/// bit that is set in the size, so never more than 64.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the subtrees, the largest (and oldest) first.
    peaks: Vec<TreeHash>,
}

impl Frontier {
    /// Takes up what [`Frontier::peaks`] gave: 32 bytes a peak. `None` if that cannot be of a tree of this size.
    #[must_use]
    pub fn restore(size: u64, peaks: &[u8]) -> Option<Self> {
        let (hashes, rest) = peaks.as_chunks::<32>();
        let fits = rest.is_empty() && hashes.len() == size.count_ones() as usize;
        fits.then(|| Self { size, peaks: hashes.iter().map(|hash| TreeHash::from(*hash)).collect() })
    }

    /// The peaks, 32 bytes each, the largest first.
    #[must_use]
    pub fn peaks(&self) -> Vec<u8> {
        self.peaks.iter().flat_map(|peak| *peak.as_bytes()).collect()
    }

    /// Number of events.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds the next event.
    pub fn push(&mut self, event: EventHash) {
        let mut hash = leaf(event);
        // As in counting: two subtrees of one height become one of the next.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node(left, hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root over all events so far; SHA-256 of nothing if there are none.
    #[must_use]
    pub fn root(&self) -> TreeHash {
        let joined = self.peaks.iter().rev().copied().reduce(|right, left| node(left, right));
        joined.unwrap_or_else(|| <[u8; 32]>::from(Sha256::digest([])).into())
    }
}

impl FromIterator<EventHash> for Frontier {
    fn from_iter<I: IntoIterator<Item = EventHash>>(events: I) -> Self {
        let mut frontier = Self::default();
        events.into_iter().for_each(|event| frontier.push(event));
        frontier
    }
}

/// The root over `events`.
#[must_use]
pub fn root(events: &[EventHash]) -> TreeHash {
    events.iter().copied().collect::<Frontier>().root()
}

/// The proof that event `index` (from 0) is among `events`: section 2.1.3.1, from the leaf upwards. `None` if it is not.
#[must_use]
pub fn inclusion(events: &[EventHash], index: usize) -> Option<Vec<TreeHash>> {
    if index >= events.len() {
        return None;
    }
    let (mut part, mut index, mut path) = (events, index, Vec::new());
    while part.len() > 1 {
        let (left, right) = part.split_at(left_size(part.len()));
        if index < left.len() {
            path.push(root(right));
            part = left;
        } else {
            path.push(root(left));
            index -= left.len();
            part = right;
        }
    }
    path.reverse();
    Some(path)
}

/// Whether `path` shows that `event` is number `index` (from 0) of a log of `size` events with this root (section 2.1.3.2).
#[must_use]
pub fn includes(event: EventHash, index: u64, size: u64, path: &[TreeHash], expected: TreeHash) -> bool {
    if index >= size {
        return false;
    }
    let (mut from, mut last) = (index, size - 1);
    let mut hash = leaf(event);
    for step in path {
        if last == 0 {
            return false;
        }
        if from & 1 == 1 || from == last {
            hash = node(*step, hash);
            let up = from.trailing_zeros().min(u64::BITS - 1);
            if from & 1 == 0 {
                (from, last) = (from >> up, last >> up);
            }
        } else {
            hash = node(hash, *step);
        }
        (from, last) = (from >> 1, last >> 1);
    }
    last == 0 && hash == expected
}

/// The proof that the first `old` of `events` were the whole log once: section 2.1.4.1. Empty for all of them and for none.
/// `None` if there are fewer than `old`.
#[must_use]
pub fn consistency(events: &[EventHash], old: usize) -> Option<Vec<TreeHash>> {
    if old > events.len() {
        return None;
    }
    if old == 0 || old == events.len() {
        return Some(Vec::new());
    }
    let (mut part, mut old, mut path, mut whole) = (events, old, Vec::new(), true);
    while old < part.len() {
        let (left, right) = part.split_at(left_size(part.len()));
        if old <= left.len() {
            path.push(root(right));
            part = left;
        } else {
            path.push(root(left));
            old -= left.len();
            part = right;
            whole = false;
        }
    }
    if !whole {
        path.push(root(part));
    }
    path.reverse();
    Some(path)
}

/// A tree's size and root.
pub type Tree = (u64, TreeHash);

/// Whether `path` shows that the log `old` is the beginning of the log `new` (section 2.1.4.2).
#[must_use]
pub fn consistent((old, old_root): Tree, (new, new_root): Tree, path: &[TreeHash]) -> bool {
    if old == 0 {
        return path.is_empty() && old_root == Frontier::default().root();
    }
    if old >= new {
        return old == new && path.is_empty() && old_root == new_root;
    }
    let (mut from, mut last) = (old - 1, new - 1);
    let shared = from.trailing_ones();
    (from, last) = (from >> shared, last >> shared);
    // The root of an old log whose size is a power of two is itself the first step.
    let given = old.is_power_of_two().then_some(&old_root);
    let mut steps = given.into_iter().chain(path);
    let Some(first) = steps.next() else { return false };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if from & 1 == 1 || from == last {
            (old_hash, new_hash) = (node(*step, old_hash), node(*step, new_hash));
            while from & 1 == 0 && from != 0 {
                (from, last) = (from >> 1, last >> 1);
            }
        } else {
            new_hash = node(new_hash, *step);
        }
        (from, last) = (from >> 1, last >> 1);
    }
    last == 0 && old_hash == old_root && new_hash == new_root
}

/// The largest power of two below `size`, which is at least 2.
const fn left_size(size: usize) -> usize {
    1 << (usize::BITS - 1 - (size - 1).leading_zeros())
}

fn leaf(event: EventHash) -> TreeHash {
    let digest = Sha256::new_with_prefix([0]).chain_update(event.as_bytes()).finalize();
    <[u8; 32]>::from(digest).into()
}

fn node(left: TreeHash, right: TreeHash) -> TreeHash {
    let digest = Sha256::new_with_prefix([1]).chain_update(left.as_bytes()).chain_update(right.as_bytes()).finalize();
    <[u8; 32]>::from(digest).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(count: usize) -> Vec<EventHash> {
        (0..count).map(|number| <[u8; 32]>::from(Sha256::digest(number.to_be_bytes())).into()).collect()
    }

    /// MTH of section 2.1.1, word by word.
    fn defined(events: &[EventHash]) -> TreeHash {
        match events {
            [] => <[u8; 32]>::from(Sha256::digest([])).into(),
            [one] => leaf(*one),
            more => {
                let mut k = 1;
                while k * 2 < more.len() {
                    k *= 2;
                }
                node(defined(&more[..k]), defined(&more[k..]))
            }
        }
    }

    #[test]
    fn the_root_is_the_one_that_the_rfc_defines_and_a_restored_tree_goes_on() {
        let all = events(70);
        let mut grown = Frontier::default();
        for size in 0..=all.len() {
            assert_eq!(grown.root(), defined(&all[..size]), "{size}");
            let restored = Frontier::restore(grown.size(), &grown.peaks()).unwrap();
            assert_eq!(restored, grown);
            if let Some(next) = all.get(size) {
                grown.push(*next);
            }
        }
        assert!(Frontier::restore(3, &[0; 32]).is_none() && Frontier::restore(1, &[0; 33]).is_none());
    }

    #[test]
    fn every_event_of_every_small_log_is_proved_and_no_other() {
        for size in 1..=33 {
            let all = events(size);
            let root = root(&all);
            for index in 0..size {
                let path = inclusion(&all, index).unwrap();
                for (other, event) in all.iter().enumerate() {
                    let holds = includes(*event, index as u64, size as u64, &path, root);
                    assert_eq!(holds, other == index, "{size} {index} {other}");
                }
                assert!(!includes(all[index], index as u64 + 1, size as u64, &path, root));
            }
            assert!(inclusion(&all, size).is_none());
        }
    }

    #[test]
    fn every_small_log_is_consistent_with_its_beginnings_and_with_no_other_log() {
        for new in 0..=33_usize {
            let all = events(new);
            let whole = (new as u64, root(&all));
            for old in 0..=new {
                let path = consistency(&all, old).unwrap();
                assert!(consistent((old as u64, root(&all[..old])), whole, &path), "{old} {new}");
                if old > 0 && old < new {
                    let mut other = all[..old].to_vec();
                    other[old - 1] = EventHash::GENESIS;
                    assert!(!consistent((old as u64, root(&other)), whole, &path), "{old} {new}");
                    assert!(!consistent((old as u64, root(&all[..old])), (new as u64, root(&other)), &path));
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_proof_that_was_changed_proves_nothing(
            size in 2_usize..200, at in any::<prop::sample::Index>(), step in any::<prop::sample::Index>(),
            bit in 0_usize..256, dropped in any::<bool>(),
        ) {
            let all = events(size);
            let whole = root(&all);
            let index = at.index(size);
            let mut path = inclusion(&all, index).unwrap();
            let changed = step.index(path.len());
            if dropped {
                path.remove(changed);
            } else {
                let mut bytes = *path[changed].as_bytes();
                bytes[bit / 8] ^= 1 << (bit % 8);
                path[changed] = bytes.into();
            }
            prop_assert!(!includes(all[index], index as u64, size as u64, &path, whole));

            let old = 1 + index.min(size - 2);
            let mut path = consistency(&all, old).unwrap();
            let changed = step.index(path.len());
            path.remove(changed);
            prop_assert!(!consistent((old as u64, root(&all[..old])), (size as u64, whole), &path));
        }
    }
}
