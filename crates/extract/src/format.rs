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
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Pdf,
        Self::Docx,
        Self::Html,
        Self::Markdown,
        Self::Text,
        Self::Eml,
        Self::Mbox,
        Self::Msg,
        Self::Zip,
        Self::Tar,
        Self::Gzip,
    ];

    /// The registered media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Html => "text/html",
            Self::Markdown => "text/markdown",
            Self::Text => "text/plain",
            Self::Eml => "message/rfc822",
            Self::Mbox => "application/mbox",
            Self::Msg => "application/vnd.ms-outlook",
            Self::Zip => "application/zip",
            Self::Tar => "application/x-tar",
            Self::Gzip => "application/gzip",
        }
    }
}
