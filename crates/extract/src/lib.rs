//! Files in, structured text out: bytes of a document in one of many formats ([`Format`]) become blocks in reading
//! order, with headings and pages, plus warnings, under [`Limits`]. Files in mails and
//! archives go to the [`Host`].
//!
//! The crate is blocking and knows nothing of storage or models. Every input gives [`Extracted`] or one clear
//! [`ExtractError`]: files come from strangers.

mod archive;
mod blocks;
mod container;
mod dates;
mod delimited;
mod docx;
mod encoding;
mod epub;
mod error;
mod format;
mod grid;
mod guard;
mod host;
mod html;
mod limits;
mod mail;
mod markdown;
mod names;
mod ods;
mod opendocument;
mod outline;
mod package;
mod pdf;
mod picture;
mod pptx;
mod properties;
mod recognised;
mod rtf;
mod sniff;
mod text;
mod xls;
mod xlsx;
mod xml;

pub use blocks::shown_name;
pub use dates::Dated;
pub use error::ExtractError;
pub use format::Format;
pub use host::{Alone, Child, Host, Line, Picture};
pub use limits::Limits;
pub use sniff::sniff;

use domain::Block;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Extracted {
    /// From the metadata, or else the first heading of level 1.
    pub title: Option<String>,
    /// Who wrote it, as its metadata says.
    pub author: Option<String>,
    /// When it was written, as its metadata says.
    pub created_at: Option<Dated>,
    /// When it was last changed, as its metadata says.
    pub modified_at: Option<Dated>,
    /// Other metadata worth finding it by, such as `from`, `to` and `subject` of a mail; keys in lower case.
    pub fields: BTreeMap<String, String>,
    /// The text in reading order; empty only if the file holds other files. Texts are in Unicode NFC, hold no control characters (line feeds and
    /// tabs in preformatted blocks excepted), and their white space is collapsed except in preformatted blocks.
    pub blocks: Vec<Block>,
    /// Number of pages, slides or sheets, for formats that have them.
    pub pages: Option<u32>,
    /// What could not be read, one sentence each.
    pub warnings: Vec<String>,
}

/// Extracts the text of `bytes`, a file of the given format. Files in it, and pictures of text, go to `host`.
///
/// # Errors
/// Every variant of [`ExtractError`]; panics of the parsers underneath are caught and become
/// [`ExtractError::Damaged`].
pub fn extract(bytes: &[u8], format: Format, limits: &Limits, host: &mut dyn Host) -> Result<Extracted, ExtractError> {
    if bytes.is_empty() {
        return Err(ExtractError::Empty);
    }
    limits.check_unpacked(bytes.len() as u64)?;
    guard::guarded(|| match format {
        Format::Pdf => pdf::extract(bytes, limits, host),
        Format::Docx => docx::extract(bytes, limits),
        Format::Xlsx => xlsx::extract(bytes, limits),
        Format::Xls => xls::extract(bytes, limits),
        Format::Ods => ods::extract(bytes, limits),
        Format::Csv => delimited::extract(bytes, limits),
        Format::Pptx => pptx::extract(bytes, limits),
        Format::Odt => opendocument::extract_text(bytes, limits),
        Format::Odp => opendocument::extract_presentation(bytes, limits),
        Format::Rtf => rtf::extract(bytes, limits),
        Format::Epub => epub::extract(bytes, limits),
        Format::Html => html::extract(bytes, limits),
        Format::Markdown => markdown::extract(bytes, limits),
        Format::Text => text::extract(bytes, limits),
        Format::Eml => mail::eml::extract(bytes, limits, host),
        Format::Mbox => mail::mbox::extract(bytes, limits, host),
        Format::Msg => mail::msg::extract(bytes, limits, host),
        Format::Zip => archive::zip::extract(bytes, limits, host),
        Format::Tar => archive::tar::extract(bytes, limits, host),
        Format::Gzip => archive::gzip::extract(bytes, limits, host),
        Format::Png => picture::extract_png(bytes, limits, host),
        Format::Jpeg => picture::extract_jpeg(bytes, limits, host),
        Format::Tiff => picture::extract_tiff(bytes, limits, host),
    })
}
