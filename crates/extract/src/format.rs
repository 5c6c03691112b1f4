//! The formats that can be read.

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// A picture: Portable Network Graphics.
    Png,
    /// A picture: JPEG in JFIF or Exif.
    Jpeg,
    /// Pictures: Tagged Image File Format, a page each.
    Tiff,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Pdf, Self::Docx, Self::Html, Self::Markdown, Self::Text, Self::Png, Self::Jpeg, Self::Tiff];

    /// The registered media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Html => "text/html",
            Self::Markdown => "text/markdown",
            Self::Text => "text/plain",
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Tiff => "image/tiff",
        }
    }
}
