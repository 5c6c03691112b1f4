//! What a message holds (RFC 2046): texts to read, appointments, and files.

use super::part::Part;
use super::{calendar, cms};
use crate::{Child, ExtractError, Limits, names};
use std::collections::BTreeSet;

/// How deep parts may nest.
const DEPTH: usize = 24;

/// How often the allowed bytes may be searched for boundaries: each level reads the lines of its parts once more.
const SEARCHES: u64 = 3;

/// Pictures in the text below this size are logos and lines of signatures.
const PICTURE_BYTES: usize = 48 << 10;

/// Parts for programs, not for readers.
const FOR_PROGRAMS: [&str; 12] = [
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
    "application/pgp-signature",
    "application/pgp-keys",
    "application/pgp-encrypted",
    "message/delivery-status",
    "message/disposition-notification",
    "message/global-delivery-status",
    "message/feedback-report",
    "message/external-body",
    "message/partial",
    "text/rfc822-headers",
];

/// One text of a message, in the forms that it was sent in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) plain: Option<String>,
    /// HTML.
    pub(crate) markup: Option<String>,
}

/// What a message holds.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) texts: Vec<Text>,
    /// Appointments, each as lines for a reader.
    pub(crate) appointments: BTreeSet<Vec<String>>,
    pub(crate) files: Vec<Child>,
    pub(crate) warnings: Vec<String>,
    /// Whether there is something that only a key opens.
    pub(crate) is_encrypted: bool,
}

impl Content {
    /// Reads a MIME entity with all that it holds.
    ///
    /// # Errors
    /// [`ExtractError::TooLarge`] for too many parts, parts that nest too deep, or too many decoded bytes.
    pub(crate) fn read(part: &Part<'_>, limits: &Limits) -> Result<Self, ExtractError> {
        let mut content = Self::default();
        Walk { limits, parts: 0, bytes: 0, searched: 0 }.enter(part, 0, &mut content)?;
        Ok(content)
    }

    /// Adds a file, unless it has no bytes.
    pub(crate) fn push_file(&mut self, name: String, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.files.push(Child { name, bytes });
        }
    }
}

struct Walk<'l> {
    limits: &'l Limits,
    parts: usize,
    /// Bytes decoded so far.
    bytes: u64,
    /// Bytes searched for boundaries so far.
    searched: u64,
}

impl Walk<'_> {
    fn enter(&mut self, part: &Part<'_>, depth: usize, content: &mut Content) -> Result<(), ExtractError> {
        self.parts += 1;
        self.limits.check_entries(self.parts)?;
        if depth > DEPTH {
            return Err(ExtractError::TooLarge { what: "the depth of its parts", limit: DEPTH.to_string() });
        }
        let kind = part.media_type();
        if kind.starts_with("multipart/") {
            return self.several(part, &kind, depth, content);
        }
        if FOR_PROGRAMS.contains(&kind.as_str()) {
            return Ok(());
        }
        self.bytes += part.body.len() as u64;
        self.limits.check_unpacked(self.bytes)?;
        match kind.as_str() {
            "application/pkcs7-mime" | "application/x-pkcs7-mime" => return self.secured(part, depth, content),
            "text/calendar" | "application/ics" => {
                content.appointments.extend(calendar::appointments(&part.text(), self.limits));
                return Ok(());
            }
            "text/plain" | "text/html" if is_text_to_read(part, content) => {
                let text = part.text();
                content.texts.push(match kind.as_str() {
                    "text/html" => Text { plain: None, markup: Some(text) },
                    _ => Text { plain: Some(text), markup: None },
                });
                return Ok(());
            }
            _ => {}
        }
        let bytes = part.decoded().into_owned();
        let name = file_name(part, &kind, &bytes);
        if !(part.is_inline() && is_decoration(&kind, &name, bytes.len())) {
            content.push_file(name, bytes);
        }
        Ok(())
    }

    fn several(
        &mut self,
        part: &Part<'_>,
        kind: &str,
        depth: usize,
        content: &mut Content,
    ) -> Result<(), ExtractError> {
        if kind == "multipart/encrypted" {
            content.is_encrypted = true;
            return Ok(());
        }
        self.searched += part.body.len() as u64;
        self.limits.check_unpacked(self.searched / SEARCHES)?;
        let Some(parts) = part.parameter("boundary").and_then(|boundary| parts(part.body, boundary.as_bytes())) else {
            // Without its boundaries, what remains is the text up to the first that looks like one.
            content.warnings.push("a part of the mail is damaged, so attachments may be missing".to_owned());
            return match guessed_boundary(part.body).and_then(|boundary| self::parts(part.body, boundary)) {
                Some(parts) => self.each(&parts, kind, depth, content),
                None => {
                    let text = crate::encoding::decode(part.body, None).0;
                    content.texts.push(Text { plain: Some(text), markup: None });
                    Ok(())
                }
            };
        };
        self.each(&parts, kind, depth, content)
    }

    fn each(&mut self, parts: &[&[u8]], kind: &str, depth: usize, content: &mut Content) -> Result<(), ExtractError> {
        if kind != "multipart/alternative" {
            for bytes in parts {
                // In a digest, a part that does not say what it is is a mail (RFC 2046, section 5.1.5).
                let part = Part::read(bytes);
                if kind == "multipart/digest" && part.media_type() == "text/plain" {
                    content.push_file(names::of_subject(Part::read(part.body).subject(), ".eml"), part.body.to_vec());
                } else {
                    self.enter(&part, depth + 1, content)?;
                }
            }
            return Ok(());
        }
        // The same text in several forms.
        let before = std::mem::take(&mut content.texts);
        for bytes in parts {
            self.enter(&Part::read(bytes), depth + 1, content)?;
        }
        let mut whole = Text::default();
        for text in std::mem::replace(&mut content.texts, before) {
            whole.plain = whole.plain.or(text.plain);
            whole.markup = whole.markup.or(text.markup);
        }
        content.texts.push(whole);
        Ok(())
    }

    /// S/MIME (RFC 8551): what was signed is read, what was encrypted cannot be.
    fn secured(&mut self, part: &Part<'_>, depth: usize, content: &mut Content) -> Result<(), ExtractError> {
        match cms::read(&part.decoded()) {
            Some(cms::Message::Signed(bytes)) => self.enter(&Part::read(&bytes), depth + 1, content),
            Some(cms::Message::Closed) => {
                content.is_encrypted = true;
                Ok(())
            }
            None => {
                content.warnings.push("the signed part of the mail is damaged".to_owned());
                Ok(())
            }
        }
    }
}

/// A text without a name was written; with one it was attached, unless it is the first and only lacks a disposition.
fn is_text_to_read(part: &Part<'_>, content: &Content) -> bool {
    !part.is_attached() && (part.file_name().is_none() || content.texts.is_empty() && !part.is_inline())
}

fn file_name(part: &Part<'_>, kind: &str, bytes: &[u8]) -> String {
    let given = part.file_name().and_then(names::file);
    if given.is_none() && matches!(kind, "message/rfc822" | "message/global") {
        return names::of_subject(Part::read(bytes).subject(), ".eml");
    }
    with_ending(given, kind)
}

/// The name of a file of a media type, with the ending that its name lacks.
pub(crate) fn with_ending(name: Option<String>, kind: &str) -> String {
    let name = name.unwrap_or_else(|| "attachment".to_owned());
    let has_ending = name.rsplit_once('.').is_some_and(|(_, ending)| (1..=5).contains(&ending.len()));
    if has_ending { name } else { name + ending(kind) }
}

/// Whether a picture inside the text is one of a signature: a logo, a line, a portrait.
pub(crate) fn is_decoration(kind: &str, name: &str, bytes: usize) -> bool {
    let lower = name.to_lowercase();
    let is_picture = kind.starts_with("image/")
        || [".png", ".jpg", ".jpeg", ".gif", ".bmp", ".emz", ".wmz"].iter().any(|ending| lower.ends_with(ending));
    is_picture && bytes < PICTURE_BYTES
}

/// The usual ending of the names of files of a media type, for those that can be read.
fn ending(kind: &str) -> &'static str {
    match kind {
        "message/rfc822" | "message/global" => ".eml",
        "application/pdf" => ".pdf",
        "text/plain" => ".txt",
        "text/html" => ".html",
        "text/csv" => ".csv",
        "image/png" => ".png",
        "image/jpeg" => ".jpg",
        "image/tiff" => ".tif",
        "application/zip" => ".zip",
        "application/rtf" | "text/rtf" => ".rtf",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => ".docx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => ".xlsx",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation" => ".pptx",
        _ => "",
    }
}

/// The parts between the boundaries (RFC 2046, section 5.1.1), without what stands before the first and after the
/// last; `None` if there is no boundary.
fn parts<'a>(body: &'a [u8], boundary: &[u8]) -> Option<Vec<&'a [u8]>> {
    let mut parts = Vec::new();
    // Where the open part begins.
    let mut open: Option<usize> = None;
    let mut at = 0;
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let start = at;
        at += line.len();
        let after = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary)).map(<[u8]>::trim_ascii);
        let is_last = match after {
            Some(b"") => false,
            Some(b"--") => true,
            _ => continue,
        };
        if let Some(from) = open.replace(at) {
            // The line end before a boundary belongs to the boundary.
            let part = &body[from..start];
            let part = part.strip_suffix(b"\n").unwrap_or(part);
            parts.push(part.strip_suffix(b"\r").unwrap_or(part));
        }
        if is_last {
            return Some(parts);
        }
    }
    parts.push(&body[open?..]);
    Some(parts)
}

/// The boundary that a body really uses: the first line with two dashes over a line that says what a part is.
fn guessed_boundary(body: &[u8]) -> Option<&[u8]> {
    let mut before: &[u8] = &[];
    for line in body.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end) {
        let boundary = before.strip_prefix(b"--").filter(|boundary| !boundary.is_empty());
        if boundary.is_some() && line.len() > 8 && line[..8].eq_ignore_ascii_case(b"content-") {
            return boundary;
        }
        before = line;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_between_boundaries() {
        let body = b"preamble\r\n--b\r\none\r\n--bb\r\n--b  \ntwo\n\n--b--\r\nepilogue --b\r\n";
        assert_eq!(parts(body, b"b"), Some(vec![b"one\r\n--bb".as_slice(), b"two\n"]));
        assert_eq!(parts(b"--b\nrest", b"b"), Some(vec![b"rest".as_slice()]));
        assert_eq!(parts(b"--b\n--b--", b"b"), Some(vec![b"".as_slice()]));
        assert_eq!(parts(b"none", b"b"), None);
        assert_eq!(guessed_boundary(b"x\n--y\nz\n--q\r\nContent-Type: a/b\n"), Some(b"q".as_slice()));
    }
}
