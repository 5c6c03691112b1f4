//! Cryptographic Message Syntax (RFC 5652) as far as reading a mail needs it: what a signature was made over. Whether
//! the signature is right is not asked.

/// How deep values may nest.
const DEPTH: usize = 16;

/// `id-signedData`, 1.2.840.113549.1.7.2.
const SIGNED: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OCTETS_IN_PIECES: u8 = 0x24;
const OBJECT: u8 = 0x06;
/// `[0] EXPLICIT`.
const CONTENT: u8 = 0xa0;

/// What a CMS message holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// Content that was signed, in the clear.
    Signed(Vec<u8>),
    /// Content that only keys open, or none at all.
    Closed,
}

/// Reads a CMS message; `None` if it is none.
pub(crate) fn read(bytes: &[u8]) -> Option<Message> {
    let info = Value::read(bytes, 0)?.of(SEQUENCE)?;
    let kind = Value::read(info.content, 0)?.of(OBJECT)?;
    if kind.content != SIGNED {
        return Some(Message::Closed);
    }
    let signed = Value::read(kind.rest, 0)?.of(CONTENT)?;
    let signed = Value::read(signed.content, 0)?.of(SEQUENCE)?;
    let version = Value::read(signed.content, 0)?.of(INTEGER)?;
    let digests = Value::read(version.rest, 0)?.of(SET)?;
    let inner = Value::read(digests.rest, 0)?.of(SEQUENCE)?;
    let kind = Value::read(inner.content, 0)?.of(OBJECT)?;
    let content = Value::read(kind.rest, 0)?.of(CONTENT)?;
    let mut octets = Vec::new();
    gather(&Value::read(content.content, 0)?, 0, &mut octets)?;
    Some(Message::Signed(octets))
}

/// An octet string in one piece or in several (X.690, section 8.7.3).
fn gather(value: &Value<'_>, depth: usize, octets: &mut Vec<u8>) -> Option<()> {
    match value.tag {
        OCTETS => octets.extend(value.content),
        OCTETS_IN_PIECES if depth < DEPTH => {
            let mut rest = value.content;
            while !rest.is_empty() {
                let piece = Value::read(rest, 0)?;
                rest = piece.rest;
                gather(&piece, depth + 1, octets)?;
            }
        }
        _ => return None,
    }
    Some(())
}

/// A value in the Basic Encoding Rules (X.690) and what follows it.
struct Value<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Value<'a> {
    fn read(bytes: &'a [u8], depth: usize) -> Option<Self> {
        let (&tag, after) = bytes.split_first()?;
        let (&length, after) = after.split_first()?;
        if length == 0x80 {
            return Self::until_end(tag, after, depth);
        }
        let (length, after) = if length < 0x80 {
            (usize::from(length), after)
        } else {
            let digits = after.get(..usize::from(length & 0x7f)).filter(|digits| digits.len() <= 4)?;
            (digits.iter().fold(0, |sum, &digit| sum << 8 | usize::from(digit)), &after[digits.len()..])
        };
        let content = after.get(..length)?;
        Some(Self { tag, content, rest: &after[length..] })
    }

    /// A value of indefinite length: it ends with two zeros.
    fn until_end(tag: u8, after: &'a [u8], depth: usize) -> Option<Self> {
        let mut rest = after;
        while !rest.starts_with(&[0, 0]) {
            rest = Self::read(rest, (depth < DEPTH).then_some(depth + 1)?)?.rest;
        }
        Some(Self { tag, content: &after[..after.len() - rest.len()], rest: &rest[2..] })
    }

    fn of(self, tag: u8) -> Option<Self> {
        (self.tag == tag).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], length.as_slice(), content].concat()
    }

    fn endless(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, 0x80], content, &[0, 0]].concat()
    }

    fn signed(octets: &[u8], wrap: fn(u8, &[u8]) -> Vec<u8>) -> Vec<u8> {
        let data = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
        let inner = wrap(SEQUENCE, &[value(OBJECT, &data), wrap(CONTENT, octets)].concat());
        let parts = [value(INTEGER, &[1]), value(SET, &[]), inner, value(SET, &[])].concat();
        wrap(SEQUENCE, &[value(OBJECT, &SIGNED), wrap(CONTENT, &wrap(SEQUENCE, &parts))].concat())
    }

    #[test]
    fn signed_content_is_found() {
        let hello = value(OCTETS, b"Hello");
        assert_eq!(read(&signed(&hello, value)), Some(Message::Signed(b"Hello".to_vec())));
        let pieces = endless(OCTETS_IN_PIECES, &[value(OCTETS, b"Hel"), value(OCTETS, b"lo")].concat());
        assert_eq!(read(&signed(&pieces, endless)), Some(Message::Signed(b"Hello".to_vec())));
    }

    #[test]
    fn other_content_is_closed_and_damage_is_none() {
        let mut enveloped = signed(&value(OCTETS, b"x"), value);
        enveloped[16] = 3;
        assert_eq!(read(&enveloped), Some(Message::Closed));
        let whole = signed(&value(OCTETS, b"Hello"), value);
        assert!((0..whole.len()).all(|cut| read(&whole[..cut]).is_none()));
        assert_eq!(read(&[0x30, 0x80].repeat(100_000)), None);
    }
}
