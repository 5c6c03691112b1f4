//! Why there is no picture.

use thiserror::Error;

/// Why there is no picture of a page. Each message is one sentence for the person who wants to see it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenderError {
    /// The format is text.
    #[error("files of this kind have no pages to be drawn; read their text")]
    NothingToDraw,
    /// Fewer pages than that.
    #[error("it has no page {0}")]
    NoPage(u32),
    /// It needs a password.
    #[error("it is protected by a password; save it without one")]
    Encrypted,
    /// It cannot be followed.
    #[error("this page cannot be drawn: {0}; read its text, or open the original")]
    Damaged(&'static str),
    /// Beyond a limit.
    #[error("this page cannot be drawn: its picture has more than {} megapixels; open the original", .0 / 1_000_000)]
    TooLarge(u64),
}
