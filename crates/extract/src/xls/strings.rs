//! Texts in records: bytes that are the lower halves of characters, or UTF-16 (MS-XLS, sections 2.5.293 and 2.5.294).

use super::records::{u16_at, u32_at};
use crate::grid::cut_cell;
use crate::grid::texts::Texts;

const IS_WIDE: u8 = 1;
const HAS_PHONETICS: u8 = 4;
const HAS_RUNS: u8 = 8;

/// A text after its number of characters: flags, then characters.
pub(super) fn text_at(data: &[u8], at: usize, characters: usize) -> Option<String> {
    let is_wide = data.get(at)? & IS_WIDE == IS_WIDE;
    let bytes = characters * if is_wide { 2 } else { 1 };
    Some(decode(data.get(at + 1..at + 1 + bytes)?, is_wide))
}

fn decode(bytes: &[u8], is_wide: bool) -> String {
    if !is_wide {
        return bytes.iter().map(|&byte| char::from(byte)).collect();
    }
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// The shared texts of a workbook (SST, section 2.4.265): the record and those that continue it. A text that goes
/// over the end of a record has flags of its own there, as it may change its width. What is cut off is left out.
pub(super) fn shared(parts: &[&[u8]]) -> Texts {
    let mut input = Input { parts, at: 8 };
    let mut texts = Texts::default();
    while let Some(text) = input.text() {
        texts.push(&text);
    }
    texts
}

/// Bytes that go on in the next part.
struct Input<'a> {
    parts: &'a [&'a [u8]],
    /// The place in the first of the parts.
    at: usize,
}

impl<'a> Input<'a> {
    fn text(&mut self) -> Option<String> {
        self.skip(0);
        let head = self.parts.first()?;
        let characters = usize::from(u16_at(head, self.at)?);
        let flags = *head.get(self.at + 2)?;
        self.at += 3;
        let mut extra = 0;
        if flags & HAS_RUNS != 0 {
            extra += 4 * usize::from(u16_at(head, self.at)?);
            self.at += 2;
        }
        if flags & HAS_PHONETICS != 0 {
            extra += u32_at(head, self.at)? as usize;
            self.at += 4;
        }
        let mut text = String::new();
        let (mut left, mut is_wide) = (characters, flags & IS_WIDE != 0);
        while left > 0 {
            let rest = self.parts.first()?.get(self.at..)?;
            if rest.is_empty() {
                self.parts = &self.parts[1..];
                is_wide = self.parts.first()?.first()? & IS_WIDE != 0;
                self.at = 1;
                continue;
            }
            let width = if is_wide { 2 } else { 1 };
            let taken = left.min(rest.len() / width);
            if taken == 0 {
                return None;
            }
            text.push_str(&decode(&rest[..taken * width], is_wide));
            self.at += taken * width;
            left -= taken;
        }
        self.skip(extra);
        cut_cell(&mut text);
        Some(text)
    }

    /// Skips bytes, over the ends of parts; ends at a place where there is a byte, if there is one.
    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
        while let Some(part) = self.parts.first().filter(|part| self.at >= part.len()) {
            self.at -= part.len();
            self.parts = &self.parts[1..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_texts_go_over_the_ends_of_records() {
        let first = [b"\0\0\0\0\x03\0\0\0".as_slice(), b"\x02\0\0hi", b"\x05\0\x08\x01\0ab"].concat();
        // The second text goes on in UTF-16, then its one run of four bytes, then a third text.
        let second = b"\x01c\0\xe4\0e\0\x01\0\x02\0\x01\0\x01\x20\x20";
        let texts = shared(&[&first, second]);
        let found: Vec<_> = (0..4).map(|at| texts.get(at)).collect();
        assert_eq!(found, [Some("hi"), Some("abcäe"), Some("\u{2020}"), None]);
        assert_eq!(shared(&[&first]).get(1), None);
        assert_eq!(shared(&[]).get(0), None);
    }
}
