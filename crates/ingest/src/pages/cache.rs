//! Pictures that were drawn lately, within a number of bytes; the one that was wanted longest ago goes first.

use super::{PageError, Pages};
use confine::{Order, PagePicture};
use domain::ContentHash;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::OnceCell;

/// What came of drawing a page: a picture, or a failure that lasts for a while at least.
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
    /// From when on it is tried again; never, if there is none.
    until: Option<Instant>,
}

impl Entry {
    fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl Cache {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { state: Mutex::default(), most_bytes }
    }

    /// Where the picture is, or will be once it is drawn.
    pub(super) fn cell(&self, key: Key, now: Instant) -> Arc<OnceCell<Drawing>> {
        let mut state = self.state();
        if state.entries.get(&key).is_some_and(|entry| entry.is_over(now))
            && let Some(over) = state.entries.remove(&key)
        {
            state.bytes -= over.bytes;
        }
        state.turn += 1;
        let turn = state.turn;
        let mut is_new = false;
        let entry = state.entries.entry(key).or_insert_with(|| {
            is_new = true;
            Entry { cell: Arc::default(), bytes: OVERHEAD, wanted: turn, until: None }
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
    pub(super) fn weigh(&self, key: Key, drawing: &Drawing, now: Instant) {
        let bytes = OVERHEAD + drawing.as_ref().map_or(0, |picture| picture.png.len());
        let mut state = self.state();
        let Some(entry) = state.entries.get_mut(&key) else { return };
        let lasts = drawing.as_ref().err().and_then(PageError::lasts);
        entry.until = entry.until.or_else(|| now.checked_add(lasts?));
        let before = std::mem::replace(&mut entry.bytes, bytes);
        state.bytes = state.bytes - before + bytes;
        state.make_room(self.most_bytes);
    }

    /// Why a page of an original cannot be drawn in any width: for a reason that has nothing to do with width, or
    /// because the smallest picture was too much already.
    pub(super) fn failure(&self, content: ContentHash, page: u32, now: Instant) -> Option<String> {
        let state = self.state();
        let of_page = |key: &Key| key.content == content && key.order.page == page;
        let mut tried = state.entries.iter().filter(|(key, entry)| of_page(key) && !entry.is_over(now));
        tried.find_map(|(key, entry)| {
            let error = entry.cell.get()?.as_ref().err()?;
            (error.is_of_page() || key.order.width == Pages::WIDTHS[0]).then(|| error.to_string())
        })
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
        let cell = cache.cell(key(page), Instant::now());
        let picture = Arc::new(PagePicture { width: 1, height: 1, png: vec![0; bytes] });
        cache.weigh(key(page), cell.get_or_init(async || Ok(picture)).await, Instant::now());
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
        cache.cell(key(1), Instant::now());
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

    async fn fail(cache: &Cache, width: u32, error: PageError, now: Instant) {
        let key = Key { order: Order { width, ..key(1).order }, ..key(1) };
        let cell = cache.cell(key, now);
        cache.weigh(key, cell.get_or_init(async || Err(error)).await, now);
    }

    #[tokio::test]
    async fn a_failure_in_one_width_says_nothing_of_narrower_ones() {
        let (cache, now) = (Cache::new(10_000), Instant::now());
        let known = |cache: &Cache| cache.failure(key(1).content, 1, now);
        fail(&cache, 2000, PageError::TooMuch, now).await;
        fail(&cache, 1000, PageError::TookTooLong, now).await;
        assert_eq!(known(&cache), None);
        fail(&cache, 500, PageError::TooMuch, now).await;
        assert_eq!(known(&cache), Some(PageError::TooMuch.to_string()), "the smallest is too much");
        let other = Cache::new(10_000);
        fail(&other, 2000, PageError::Undrawable("damaged".to_owned()), now).await;
        assert_eq!(known(&other).as_deref(), Some("damaged"), "which no width changes");
    }

    #[tokio::test]
    async fn a_page_that_took_too_long_is_tried_again_after_minutes() {
        let (cache, now) = (Cache::new(10_000), Instant::now());
        fail(&cache, 500, PageError::TookTooLong, now).await;
        let later = now + super::super::SLOW;
        assert!(cache.failure(key(1).content, 1, now).is_some() && cache.cell(key(1), now).initialized());
        assert!(cache.failure(key(1).content, 1, later).is_none() && !cache.cell(key(1), later).initialized());
        assert_eq!(cache.state().bytes, OVERHEAD);
        fail(&cache, 500, PageError::TooMuch, later).await;
        assert!(cache.failure(key(1).content, 1, later + super::super::SLOW).is_some(), "that stays as it is");
    }
}
