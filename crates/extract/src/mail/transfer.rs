//! Transfer encodings of mail (RFC 2045, section 6), read as forgivingly as mail programs do.

use std::borrow::Cow;

/// Takes the transfer encoding off a body; an unknown one is left as it is.
pub(crate) fn decode<'a>(body: &'a [u8], encoding: Option<&str>) -> Cow<'a, [u8]> {
    match encoding.map(|name| name.trim().to_ascii_lowercase()).as_deref() {
        Some("base64") => base64(body).into(),
        Some("quoted-printable") => quoted_printable(body).into(),
        _ => body.into(),
    }
}

/// Characters outside the alphabet are skipped (section 6.8), and each padded group ends a run: some programs encode
/// a body in pieces.
fn base64(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut count) = (0_u32, 0_u32);
    let finish = |bytes: &mut Vec<u8>, group: u32, count: u32| match count {
        2 => bytes.push((group >> 4) as u8),
        3 => bytes.extend([(group >> 10) as u8, (group >> 2) as u8]),
        _ => {}
    };
    for &byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                finish(&mut bytes, group, count);
                (group, count) = (0, 0);
                continue;
            }
            _ => continue,
        };
        group = group << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            bytes.extend([(group >> 16) as u8, (group >> 8) as u8, group as u8]);
            (group, count) = (0, 0);
        }
    }
    finish(&mut bytes, group, count);
    bytes
}

/// What is not a valid escape stays as it is (section 6.7, note 2).
fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let content = line.trim_ascii_end();
        let mut rest = content;
        let mut is_soft = false;
        while let Some((&first, after)) = rest.split_first() {
            let digits = match after {
                [high, low, ..] => hex(*high).zip(hex(*low)),
                _ => None,
            };
            match (first, digits) {
                (b'=', Some((high, low))) => {
                    bytes.push(high << 4 | low);
                    rest = &after[2..];
                }
                (b'=', None) if after.is_empty() => {
                    is_soft = true;
                    rest = after;
                }
                _ => {
                    bytes.push(first);
                    rest = after;
                }
            }
        }
        if !is_soft && line.ends_with(b"\n") {
            bytes.extend(if line.ends_with(b"\r\n") { b"\r\n".as_slice() } else { b"\n" });
        }
    }
    bytes
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_in_pieces_and_with_dirt() {
        assert_eq!(base64(b"SGVs\r\nbG8="), b"Hello");
        assert_eq!(base64(b"SGk=SGk=\n"), b"HiHi");
        assert_eq!(base64(b"S!G k"), b"Hi");
        assert_eq!(base64(b"====A"), b"");
    }

    #[test]
    fn quoted_printable_with_soft_breaks_and_dirt() {
        assert_eq!(quoted_printable(b"Gr=C3=BC=\r\n=c3=9fe  \r\n100=% =4"), "Grüße\r\n100=% =4".as_bytes());
        assert_eq!(quoted_printable(b"a=  \nb="), b"ab");
    }
}
