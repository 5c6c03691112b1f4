//! One MIME entity (RFC 2045): its header fields, and its body as it was sent.

use super::transfer;
use crate::encoding;
use encoding_rs::Encoding;
use mail_parser::{Addr, Address, ContentType, DateTime, HeaderName, HeaderValue, Message, MessageParser, MimeHeaders};
use std::borrow::Cow;

/// How far into an entity its header may reach.
const HEAD_BYTES: usize = 1 << 20;

/// Field names that begin a mail and no other kind of text, in lower case.
const MAIL_FIELDS: [&str; 14] = [
    "from",
    "to",
    "cc",
    "received",
    "return-path",
    "mime-version",
    "message-id",
    "subject",
    "date",
    "delivered-to",
    "reply-to",
    "content-type",
    "sender",
    "dkim-signature",
];

/// Whether a text begins with the header of a mail: at least two different fields of one, and nothing but fields
/// before the first empty line.
pub(crate) fn is_mail(text: &str) -> bool {
    let mut seen: Vec<&str> = Vec::new();
    for (place, line) in text.lines().take(200).enumerate() {
        // An envelope line may be left from a mailbox.
        if line.starts_with([' ', '\t']) && place > 0 || place == 0 && line.starts_with("From ") {
            continue;
        }
        let Some((name, _)) = field(line) else { break };
        if let Some(known) = MAIL_FIELDS.iter().find(|known| name.eq_ignore_ascii_case(known)) {
            seen.push(known);
        }
    }
    seen.sort_unstable();
    seen.dedup();
    // `To:` and `Date:` alone also begin memos; a mail was sent by somebody or carried by something.
    let carried = ["from", "received", "return-path", "mime-version", "message-id"];
    seen.len() >= 2 && seen.iter().any(|name| carried.contains(name))
}

/// Whether a line is a header field.
pub(crate) fn is_field(line: &str) -> bool {
    field(line).is_some()
}

/// The name and the value of a header field (RFC 5322, section 2.2).
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim_end();
    let is_name = !name.is_empty() && name.len() < 80 && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then_some((name, value))
}

/// A MIME entity. The body is not decoded yet.
pub(crate) struct Part<'a> {
    head: Option<Message<'a>>,
    pub(crate) body: &'a [u8],
}

impl<'a> Part<'a> {
    /// Reads the header; a text without one is all body.
    pub(crate) fn read(bytes: &'a [u8]) -> Self {
        let (head, body) = split(bytes);
        let head = &head[..head.len().min(HEAD_BYTES)];
        let parser = MessageParser::default();
        let head = match std::str::from_utf8(head) {
            Ok(head) => parser.parse_headers(head),
            // Letters of some code page, which no header may hold bare, and some do.
            Err(_) => parser.parse_headers(&encoding::decode(head, None).0).map(Message::into_owned),
        };
        Self { head, body }
    }

    /// Type and subtype in lower case; `text/plain` if it does not say (RFC 2045, section 5.2).
    pub(crate) fn media_type(&self) -> String {
        let content_type = self.content_type();
        match content_type.and_then(|found| found.subtype().map(|subtype| (found.ctype(), subtype))) {
            Some((kind, subtype)) => format!("{kind}/{subtype}").to_ascii_lowercase(),
            None => "text/plain".to_owned(),
        }
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.content_type()?.attribute(name)
    }

    fn header(&self, name: HeaderName<'a>) -> Option<&HeaderValue<'a>> {
        self.head.as_ref()?.header(name)
    }

    fn content_type(&self) -> Option<&ContentType<'a>> {
        self.header(HeaderName::ContentType)?.as_content_type()
    }

    fn disposition(&self) -> Option<&ContentType<'a>> {
        self.header(HeaderName::ContentDisposition)?.as_content_type()
    }

    /// Whether the sender attached it, rather than wrote it.
    pub(crate) fn is_attached(&self) -> bool {
        self.disposition().is_some_and(|found| found.ctype().eq_ignore_ascii_case("attachment"))
    }

    /// Whether it is shown inside the text.
    pub(crate) fn is_inline(&self) -> bool {
        !self.is_attached()
            && (self.header(HeaderName::ContentId).is_some()
                || self.disposition().is_some_and(|found| found.ctype().eq_ignore_ascii_case("inline")))
    }

    pub(crate) fn file_name(&self) -> Option<&str> {
        let given = self.disposition().and_then(|found| found.attribute("filename"));
        given.or_else(|| self.parameter("name")).filter(|name| !name.trim().is_empty())
    }

    pub(crate) fn subject(&self) -> Option<&str> {
        self.head.as_ref()?.subject()
    }

    pub(crate) fn date(&self) -> Option<&DateTime> {
        self.head.as_ref()?.date().filter(|date| date.is_valid())
    }

    pub(crate) fn addresses(&self, field: HeaderName<'a>) -> Vec<&Addr<'a>> {
        match self.header(field).and_then(|value| value.as_address()) {
            Some(Address::List(list)) => list.iter().collect(),
            Some(Address::Group(groups)) => groups.iter().flat_map(|group| &group.addresses).collect(),
            None => Vec::new(),
        }
    }

    /// The body without its transfer encoding.
    pub(crate) fn decoded(&self) -> Cow<'a, [u8]> {
        transfer::decode(self.body, self.head.as_ref().and_then(|head| head.content_transfer_encoding()))
    }

    /// The body as text, in its declared encoding if that is one.
    pub(crate) fn text(&self) -> String {
        let bytes = self.decoded();
        let label = self.parameter("charset").unwrap_or_default();
        match Encoding::for_label(label.trim().as_bytes()) {
            Some(declared) => encoding::decode(&bytes, Some(declared)).0,
            // UTF-7 and a few old ones that browsers never knew.
            None => match mail_parser::decoders::charsets::map::charset_decoder(label.as_bytes()) {
                Some(decode) if std::str::from_utf8(&bytes).is_err() || label.eq_ignore_ascii_case("utf-7") => {
                    decode(&bytes)
                }
                _ => encoding::decode(&bytes, None).0,
            },
        }
    }
}

/// Header and body: they part at the first empty line.
pub(crate) fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut start = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let end = start + line.len();
        if matches!(line, b"\n" | b"\r\n") {
            return (&bytes[..start], &bytes[end..]);
        }
        start = end;
    }
    (bytes, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_begins_with_its_fields() {
        assert!(is_mail("Received: by mx\n\tfor x\nFrom: a@b\n\nHello"));
        assert!(is_mail("From a@b Mon\nSubject: x\nFROM: a@b\n\n"));
        assert!(!is_mail("From: the crane\nto the gate we walk.\n"));
        assert!(!is_mail("To: all\nDate: today\nSubject: leave\n\nMemo"));
        assert!(!is_mail("Note: x\n\nFrom: a\nTo: b\n"));
    }

    #[test]
    fn fields_are_decoded() {
        let part = Part::read(
            b"Subject: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?= x\r\nContent-Type: Text/Plain;\r\n charset=\"windows-1252\"\r\n\
              Content-Disposition: attachment; filename*=UTF-8''Gr%C3%B6%C3%9Fe.txt\r\n\r\nFra\xdf",
        );
        assert_eq!(part.subject(), Some("日本 x"));
        assert_eq!(part.media_type(), "text/plain");
        assert_eq!(part.file_name(), Some("Größe.txt"));
        assert!(part.is_attached() && !part.is_inline());
        assert_eq!(part.text(), "Fraß");
        let old = Part::read(b"Subject: Die Hasen und die Fr\xf6sche\nFrom: J\xfcrgen M\xfcller <j@x>\n\n");
        assert_eq!(old.subject(), Some("Die Hasen und die Frösche"));
        let bare = Part::read(b"\nno header");
        assert_eq!((bare.media_type().as_str(), bare.text().as_str()), ("text/plain", "no header"));
    }
}
