//! Pages as they look: a page of an original becomes a picture, apart from everything else and within limits, and is
//! kept in memory for a while.
//!
//! Who may see a page is decided before anyone comes here: pictures are found by the hash of an original alone.

mod cache;

use crate::content::{ContentError, ContentStore};
use cache::{Cache, Drawing, Key};
use confine::{Order, PagePicture, Pool, ReadFailure, RefusalKind, RenderError, Source};
use domain::ContentHash;
use extract::Format;
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage::{StorageError, Store};
use tokio::sync::Semaphore;

/// Pictures that may be waited for, those that are being drawn among them; more are sent away.
const WAITING: usize = 64;

/// Memory for pictures, in bytes: some three hundred pages of text.
const KEPT_BYTES: usize = 64 << 20;

/// How long a page that took too long is not tried again in the same width.
const SLOW: Duration = Duration::from_secs(5 * 60);

const TOO_MUCH: &str = "this page cannot be drawn; read its text, or open the original";

/// Draws pages of originals. Cheap to clone.
#[derive(Clone)]
pub struct Pages {
    inner: Arc<Inner>,
}

struct Inner {
    content: ContentStore,
    place: Place,
    /// Bytes of originals are fetched only once there is a turn: what waits costs no memory.
    turns: Semaphore,
    waiting: Semaphore,
    cache: Cache,
}

enum Place {
    /// In processes that can do nothing else.
    Confined(Pool),
    /// In this one.
    Here,
}

/// Why there is no picture of a page.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PageError {
    /// The original has no such page, or is of a kind that has none.
    #[error("there is no such page")]
    NoPage,
    /// It cannot be drawn, today or tomorrow, in whatever width; its text can still be read.
    #[error("{0}")]
    Undrawable(String),
    /// In this width it cannot be drawn: it took more than there is, or the one that draws failed at it.
    #[error("{TOO_MUCH}")]
    TooMuch,
    /// In this width it took too long, at a time when there may have been more to do.
    #[error("{TOO_MUCH}")]
    TookTooLong,
    /// Too many people wait for pictures.
    #[error("too many pages are being drawn; try again in a moment")]
    Busy,
    /// The original or a worker could not be had.
    #[error("this page could not be drawn: {0}")]
    Failed(String),
}

impl PageError {
    /// How long it is taken for granted that the next try would end in the same way; `None` if it may not.
    const fn lasts(&self) -> Option<Duration> {
        match self {
            Self::NoPage | Self::Undrawable(_) | Self::TooMuch => Some(Duration::MAX),
            Self::TookTooLong => Some(SLOW),
            Self::Busy | Self::Failed(_) => None,
        }
    }

    /// Whether it speaks for every width.
    const fn is_of_page(&self) -> bool {
        matches!(self, Self::NoPage | Self::Undrawable(_))
    }
}

impl From<ContentError> for PageError {
    fn from(error: ContentError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ReadFailure> for PageError {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::Refused(refusal) if refusal.kind == RefusalKind::NoPage => Self::NoPage,
            ReadFailure::Refused(refusal) => Self::Undrawable(refusal.sentence),
            ReadFailure::TookTooLong { .. } => Self::TookTooLong,
            // Not the sentences of reading, which say what to do for its text.
            failure if !failure.may_pass() => Self::TooMuch,
            failure => Self::Failed(failure.to_string()),
        }
    }
}

impl From<RenderError> for PageError {
    fn from(error: RenderError) -> Self {
        match error {
            RenderError::NoPage(_) => Self::NoPage,
            error => Self::Undrawable(error.to_string()),
        }
    }
}

impl Pages {
    /// Widths in which pages are drawn, in pixels. Few, so that people share pictures.
    pub const WIDTHS: [u32; 4] = [500, 1000, 1500, 2000];

    /// Draws in the `workers` processes of this pool: for originals that come from strangers, which is all of them.
    #[must_use]
    pub fn confined(content: ContentStore, pool: Pool, workers: usize) -> Self {
        Self::new(content, Place::Confined(pool), workers)
    }

    /// Draws in this process: for tests, whose originals are their own.
    #[must_use]
    pub fn in_process(content: ContentStore) -> Self {
        Self::new(content, Place::Here, 2)
    }

    fn new(content: ContentStore, place: Place, workers: usize) -> Self {
        let (turns, waiting) = (Semaphore::new(workers.max(1)), Semaphore::new(WAITING));
        Self { inner: Arc::new(Inner { content, place, turns, waiting, cache: Cache::new(KEPT_BYTES) }) }
    }

    /// The width in which a page is drawn for someone who would like this one.
    #[must_use]
    pub fn width_for(wished: u32) -> u32 {
        let widest = Self::WIDTHS[Self::WIDTHS.len() - 1];
        Self::WIDTHS.into_iter().find(|width| *width >= wished).unwrap_or(widest)
    }

    /// Whether documents of this media type have pages that look like something.
    #[must_use]
    pub fn can_draw(media_type: &str) -> bool {
        drawable(media_type).is_some()
    }

    /// Page `page`, counted from 1, of an original, in one of [`Pages::WIDTHS`].
    ///
    /// # Errors
    /// [`PageError`].
    pub async fn draw(
        &self,
        content: ContentHash,
        media_type: &str,
        page: u32,
        wished: u32,
    ) -> Result<Arc<PagePicture>, PageError> {
        let format = drawable(media_type).ok_or(PageError::NoPage)?;
        let order = Order { format, page, width: Self::width_for(wished) };
        let key = Key { content, order };
        let cell = self.inner.cache.cell(key, Instant::now());
        // Whoever wants the same page meanwhile waits for the same picture.
        let drawn = cell.get_or_try_init(|| self.inner.draw(key)).await?;
        self.inner.cache.weigh(key, drawn, Instant::now());
        drawn.clone()
    }

    /// Why a page cannot be drawn in any width, if that is known by now.
    #[must_use]
    pub fn known_failure(&self, content: ContentHash, page: u32) -> Option<String> {
        self.inner.cache.failure(content, page, Instant::now())
    }

    /// Whether anything is kept of this original.
    #[must_use]
    pub fn keeps(&self, content: ContentHash) -> bool {
        self.inner.cache.contents().contains(&content)
    }

    /// Lets go of pictures of originals that nothing refers to any more.
    ///
    /// # Errors
    /// [`StorageError`]; what is unknown stays until the next time.
    pub async fn tidy(&self, store: &Store) -> Result<(), StorageError> {
        for content in self.inner.cache.contents() {
            if !store.content_in_use(&content).await? {
                self.inner.cache.forget(&content);
            }
        }
        Ok(())
    }
}

impl Inner {
    /// A picture, or a failure that lasts; other failures are errors, and nothing is kept of them.
    async fn draw(&self, key: Key) -> Result<Drawing, PageError> {
        let _place = self.waiting.try_acquire().map_err(|_| PageError::Busy)?;
        let _turn = self.turns.acquire().await.map_err(|_| PageError::Busy)?;
        let interrupted = |_| PageError::Failed("drawing was interrupted".to_owned());
        let content = self.content.clone();
        let bytes = tokio::task::spawn_blocking(move || content.get(&key.content)).await.map_err(interrupted)??;
        let drawn: Result<PagePicture, PageError> = match &self.place {
            Place::Confined(pool) => {
                // The name is for logs: the text of a document's name is not.
                let name = key.content.to_string();
                pool.draw(&name, Source::Bytes(&bytes), key.order).await.map_err(PageError::from)
            }
            Place::Here => {
                let draw = move || render::draw(bytes, &key.order);
                tokio::task::spawn_blocking(draw).await.map_err(interrupted)?.map_err(PageError::from)
            }
        };
        match drawn {
            Ok(picture) => Ok(Ok(Arc::new(picture))),
            Err(error) if error.lasts().is_some() => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }
}

fn drawable(media_type: &str) -> Option<Format> {
    Format::ALL.into_iter().find(|format| format.media_type() == media_type).filter(|&format| Order::can_draw(format))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &[u8] = include_bytes!("../../../tests/samples/safety/quay-safety-rules.pdf");
    const PDF: &str = "application/pdf";

    fn pages() -> (tempfile::TempDir, ContentStore, Pages) {
        let directory = tempfile::tempdir().unwrap();
        let content = ContentStore::open(directory.path()).unwrap();
        let pages = Pages::in_process(content.clone());
        (directory, content, pages)
    }

    #[tokio::test]
    async fn a_page_is_drawn_once_for_all_who_want_it() {
        let (_directory, content, pages) = pages();
        let hash = content.put(SAMPLE).unwrap();
        let (one, other) = tokio::join!(pages.draw(hash, PDF, 1, 300), pages.draw(hash, PDF, 1, 500));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert!(Arc::ptr_eq(&one, &other) && one.width == 500);
        let wider = pages.draw(hash, PDF, 1, 501).await.unwrap();
        assert_eq!(wider.width, 1000);
        assert_eq!(pages.draw(hash, PDF, 1, u32::MAX).await.unwrap().width, 2000);
    }

    #[tokio::test]
    async fn what_cannot_be_drawn_is_known_the_next_time() {
        let (_directory, content, pages) = pages();
        let hash = content.put(b"%PDF-1.7 and no more").unwrap();
        assert_eq!(pages.known_failure(hash, 1), None);
        let error = pages.draw(hash, PDF, 1, 500).await.unwrap_err();
        assert!(matches!(&error, PageError::Undrawable(_)), "{error:?}");
        assert_eq!(pages.known_failure(hash, 1), Some(error.to_string()));
        assert_eq!(pages.known_failure(hash, 2), None);
        // The original is not there: that may change.
        let missing = ContentHash::of(b"missing");
        assert!(matches!(pages.draw(missing, PDF, 1, 500).await, Err(PageError::Failed(_))));
        assert_eq!(pages.known_failure(missing, 1), None);
    }

    #[tokio::test]
    async fn text_has_no_pages_to_look_at() {
        let (_directory, content, pages) = pages();
        let hash = content.put(b"<svg/>").unwrap();
        for media_type in ["text/html", "image/svg+xml", "application/octet-stream", ""] {
            assert!(!Pages::can_draw(media_type));
            assert!(matches!(pages.draw(hash, media_type, 1, 500).await, Err(PageError::NoPage)));
        }
        let sample = content.put(SAMPLE).unwrap();
        assert!(matches!(pages.draw(sample, PDF, 1000, 500).await, Err(PageError::NoPage)));
    }
}
