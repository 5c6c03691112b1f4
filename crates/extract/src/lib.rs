//! Files in, structured text out: bytes of a PDF, DOCX, HTML, Markdown or plain text file become blocks in reading
//! order, with headings and pages, plus warnings, under [`Limits`].
//!
//! The crate is blocking and knows nothing of storage or models. Every input gives [`Extracted`] or one clear
//! [`ExtractError`]: files come from strangers.

mod blocks;
mod docx;
mod encoding;
mod error;
mod guard;
mod html;
mod limits;
mod markdown;
mod outline;
mod pdf;
mod sniff;
mod text;
mod xml;

pub use error::ExtractError;
pub use limits::Limits;
pub use sniff::{Format, sniff};

use domain::Block;

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extracted {
    /// From the metadata, or else the first heading of level 1.
    pub title: Option<String>,
    /// The text in reading order; never empty. Texts are in Unicode NFC, hold no control characters (line feeds and
    /// tabs in preformatted blocks excepted), and their white space is collapsed except in preformatted blocks.
    pub blocks: Vec<Block>,
    /// Number of pages, for formats that have them.
    pub pages: Option<u32>,
    /// What could not be read, one sentence each.
    pub warnings: Vec<String>,
}

/// Extracts the text of `bytes`, a file of the given format.
///
/// # Errors
/// Every variant of [`ExtractError`]; panics of the parsers underneath are caught and become
/// [`ExtractError::Damaged`].
pub fn extract(bytes: &[u8], format: Format, limits: &Limits) -> Result<Extracted, ExtractError> {
    if bytes.is_empty() {
        return Err(ExtractError::Empty);
    }
    limits.check_unpacked(bytes.len() as u64)?;
    guard::guarded(|| match format {
        Format::Pdf => pdf::extract(bytes, limits),
        Format::Docx => docx::extract(bytes, limits),
        Format::Html => html::extract(bytes, limits),
        Format::Markdown => markdown::extract(bytes, limits),
        Format::Text => text::extract(bytes, limits),
    })
}
