//! The formats that can be read.

use serde::{Deserialize, Serialize};

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    /// Portable Document Format, ISO 32000.
    Pdf,
    /// Office Open XML word processing, ECMA-376.
    Docx,
    /// Office Open XML spreadsheet, ECMA-376.
    Xlsx,
    /// Excel 97 to 2003, MS-XLS.
    Xls,
    /// OpenDocument spreadsheet.
    Ods,
    /// Values with a separator between them, RFC 4180.
    Csv,
    /// Office Open XML presentation, ECMA-376.
    Pptx,
    /// OpenDocument text.
    Odt,
    /// OpenDocument presentation or drawing.
    Odp,
    /// Rich Text Format.
    Rtf,
    /// Electronic publication, EPUB 2 and 3.
    Epub,
    /// HTML.
    Html,
    /// CommonMark with tables.
    Markdown,
    /// Plain text.
    Text,
    /// A mail, RFC 5322 and MIME.
    Eml,
    /// A mailbox, RFC 4155.
    Mbox,
    /// A message of Outlook, MS-OXMSG.
    Msg,
    /// A ZIP archive, APPNOTE.TXT.
    Zip,
    /// A tape archive, POSIX.1-1988 (ustar), with GNU's and PAX's long names.
    Tar,
    /// One file or a tape archive compressed with gzip, RFC 1952.
    Gzip,
    /// A picture: Portable Network Graphics.
    Png,
    /// A picture: JPEG in JFIF or Exif.
    Jpeg,
    /// Pictures: Tagged Image File Format, a page each.
    Tiff,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Pdf,
        Self::Docx,
        Self::Xlsx,
        Self::Xls,
        Self::Ods,
        Self::Csv,
        Self::Pptx,
        Self::Odt,
        Self::Odp,
        Self::Rtf,
        Self::Epub,
        Self::Html,
        Self::Markdown,
        Self::Text,
        Self::Eml,
        Self::Mbox,
        Self::Msg,
        Self::Zip,
        Self::Tar,
        Self::Gzip,
        Self::Png,
        Self::Jpeg,
        Self::Tiff,
    ];

    /// The registered media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Xls => "application/vnd.ms-excel",
            Self::Ods => "application/vnd.oasis.opendocument.spreadsheet",
            Self::Csv => "text/csv",
            Self::Pptx => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            Self::Odt => "application/vnd.oasis.opendocument.text",
            Self::Odp => "application/vnd.oasis.opendocument.presentation",
            Self::Rtf => "application/rtf",
            Self::Epub => "application/epub+zip",
            Self::Html => "text/html",
            Self::Markdown => "text/markdown",
            Self::Text => "text/plain",
            Self::Eml => "message/rfc822",
            Self::Mbox => "application/mbox",
            Self::Msg => "application/vnd.ms-outlook",
            Self::Zip => "application/zip",
            Self::Tar => "application/x-tar",
            Self::Gzip => "application/gzip",
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Tiff => "image/tiff",
        }
    }
}
