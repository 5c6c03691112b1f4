//! The formats that can be read.

use serde::{Deserialize, Serialize};

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    /// Portable Document Format, ISO 32000.
    Pdf,
    /// Office Open XML word processing, ECMA-376.
    Docx,
    /// HTML.
    Html,
    /// CommonMark with tables.
    Markdown,
    /// Plain text.
    Text,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pdf, Self::Docx, Self::Html, Self::Markdown, Self::Text];

    /// The registered media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Html => "text/html",
            Self::Markdown => "text/markdown",
            Self::Text => "text/plain",
        }
    }
}
