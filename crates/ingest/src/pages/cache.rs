//! Pictures that were drawn lately, within a number of bytes; the one that was wanted longest ago goes first.

use super::PageError;
use confine::{Order, PagePicture};
use domain::ContentHash;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;

/// What came of drawing a page: a picture, or a failure that lasts.
pub(super) type Drawing = Result<Arc<PagePicture>, PageError>;

/// What is kept beside the picture, in bytes, roughly.
const OVERHEAD: usize = 512;

/// Which picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) content: ContentHash,
    pub(super) order: Order,
}

pub(super) struct Cache {
    state: Mutex<State>,
    most_bytes: usize,
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// Of all entries together.
    bytes: usize,
    /// Counts what is wanted.
    turn: u64,
}

struct Entry {
    cell: Arc<OnceCell<Drawing>>,
    bytes: usize,
    /// The turn in which it was wanted last.
    wanted: u64,
}

impl Cache {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { state: Mutex::default(), most_bytes }
    }

    /// Where the picture is, or will be once it is drawn.
    pub(super) fn cell(&self, key: Key) -> Arc<OnceCell<Drawing>> {
        let mut state = self.state();
        state.turn += 1;
        let turn = state.turn;
        let mut is_new = false;
        let entry = state.entries.entry(key).or_insert_with(|| {
            is_new = true;
            Entry { cell: Arc::default(), bytes: OVERHEAD, wanted: turn }
        });
        entry.wanted = turn;
        let cell = Arc::clone(&entry.cell);
        if is_new {
            state.bytes += OVERHEAD;
            state.make_room(self.most_bytes);
        }
        cell
    }

    /// Counts what was drawn, and makes room for it.
    pub(super) fn weigh(&self, key: Key, drawing: &Drawing) {
        let bytes = OVERHEAD + drawing.as_ref().map_or(0, |picture| picture.png.len());
        let mut state = self.state();
        let Some(entry) = state.entries.get_mut(&key) else { return };
        let before = std::mem::replace(&mut entry.bytes, bytes);
        state.bytes = state.bytes - before + bytes;
        state.make_room(self.most_bytes);
    }

    /// Why a page of an original cannot be drawn, in whatever width that was tried.
    pub(super) fn failure(&self, content: ContentHash, page: u32) -> Option<String> {
        let state = self.state();
        let of_page = |key: &&Key| key.content == content && key.order.page == page;
        let mut drawn = state.entries.keys().filter(of_page).filter_map(|key| state.entries.get(key)?.cell.get());
        drawn.find_map(|drawing| drawing.as_ref().err().map(ToString::to_string))
    }

    /// The originals that anything is kept of.
    pub(super) fn contents(&self) -> HashSet<ContentHash> {
        self.state().entries.keys().map(|key| key.content).collect()
    }

    /// Lets go of everything of an original.
    pub(super) fn forget(&self, content: &ContentHash) {
        let mut state = self.state();
        state.entries.retain(|key, _| key.content != *content);
        state.bytes = state.entries.values().map(|entry| entry.bytes).sum();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn make_room(&mut self, most_bytes: usize) {
        while self.bytes > most_bytes && self.entries.len() > 1 {
            // A few hundred entries: looking at all of them costs less than the picture that makes this necessary.
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.wanted).map(|(key, _)| *key);
            let Some(entry) = oldest.and_then(|key| self.entries.remove(&key)) else { return };
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use extract::Format;

    fn key(page: u32) -> Key {
        let order = Order { format: Format::Pdf, page, width: 500 };
        Key { content: ContentHash::of(&page.to_le_bytes()), order }
    }

    async fn put(cache: &Cache, page: u32, bytes: usize) {
        let cell = cache.cell(key(page));
        let picture = Arc::new(PagePicture { width: 1, height: 1, png: vec![0; bytes] });
        cache.weigh(key(page), cell.get_or_init(async || Ok(picture)).await);
    }

    fn has(cache: &Cache, page: u32) -> bool {
        cache.state().entries.get(&key(page)).is_some_and(|entry| entry.cell.initialized())
    }

    #[tokio::test]
    async fn what_was_wanted_longest_ago_makes_room() {
        let cache = Cache::new(10_000);
        for page in 1..=3 {
            put(&cache, page, 2_500).await;
        }
        cache.cell(key(1));
        put(&cache, 4, 2_500).await;
        assert_eq!([1, 2, 3, 4].map(|page| has(&cache, page)), [true, false, true, true]);
        // One that is too large for all of it is given out all the same, and the next one takes its place.
        put(&cache, 5, 20_000).await;
        assert_eq!(cache.state().entries.len(), 1);
        put(&cache, 6, 10).await;
        assert_eq!([5, 6].map(|page| has(&cache, page)), [false, true]);
        assert_eq!(cache.state().bytes, OVERHEAD + 10);
    }

    #[tokio::test]
    async fn an_original_that_is_gone_is_forgotten_whole() {
        let cache = Cache::new(10_000);
        put(&cache, 1, 10).await;
        put(&cache, 2, 10).await;
        cache.forget(&key(1).content);
        assert_eq!([1, 2].map(|page| has(&cache, page)), [false, true]);
        assert_eq!(cache.contents(), HashSet::from([key(2).content]));
        assert_eq!(cache.state().bytes, OVERHEAD + 10);
    }
}
