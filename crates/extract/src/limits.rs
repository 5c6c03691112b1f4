//! How much one file may unpack to.

use crate::ExtractError;
use serde::{Deserialize, Serialize};

/// Bounds on what one file may unpack to, so that a hostile or broken one cannot take the machine's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes after decompression: of all archive entries read, or of a PDF's content streams. The file itself may
    /// not be larger either.
    pub unpacked_bytes: u64,
    /// Entries in an archive.
    pub entries: usize,
    /// Pages.
    pub pages: u32,
    /// Bytes of extracted text, in UTF-8.
    pub text_bytes: u64,
    /// Paragraphs, list items and table rows together: each costs memory, however short it is.
    pub blocks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked_bytes: 256 << 20, entries: 10_000, pages: 5_000, text_bytes: 64 << 20, blocks: 1_000_000 }
    }
}

impl Limits {
    pub(crate) fn check_unpacked(&self, bytes: u64) -> Result<(), ExtractError> {
        if bytes <= self.unpacked_bytes {
            return Ok(());
        }
        Err(ExtractError::TooLarge { what: "its unpacked size", limit: size(self.unpacked_bytes) })
    }

    pub(crate) fn check_entries(&self, entries: usize) -> Result<(), ExtractError> {
        if entries <= self.entries {
            return Ok(());
        }
        Err(ExtractError::TooLarge { what: "the number of its parts", limit: self.entries.to_string() })
    }

    pub(crate) fn check_pages(&self, pages: usize) -> Result<(), ExtractError> {
        if u32::try_from(pages).is_ok_and(|pages| pages <= self.pages) {
            return Ok(());
        }
        Err(ExtractError::TooLarge { what: "the number of its pages", limit: self.pages.to_string() })
    }

    pub(crate) fn check_text(&self, bytes: u64) -> Result<(), ExtractError> {
        if bytes <= self.text_bytes {
            return Ok(());
        }
        Err(ExtractError::TooLarge { what: "its text", limit: size(self.text_bytes) })
    }

    pub(crate) fn check_blocks(&self, blocks: usize) -> Result<(), ExtractError> {
        if blocks <= self.blocks {
            return Ok(());
        }
        Err(ExtractError::TooLarge { what: "the number of its rows and paragraphs", limit: self.blocks.to_string() })
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} bytes"),
        10_000..=9_999_999 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}
