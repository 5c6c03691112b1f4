//! Character maps: which text a font's codes stand for, and how strings are split into codes (ISO 32000-1, sections
//! 9.7.5 and 9.10.3).

use super::content::{Token, Tokens};
use std::collections::HashMap;

/// The most codes of one map: all that two bytes can hold.
const CODES: usize = 1 << 16;

/// A map, as far as it makes sense.
#[derive(Debug, Default)]
pub(super) struct CharacterMap {
    pub(super) texts: HashMap<u32, Box<str>>,
    /// Glyph numbers, sorted: first code, last code, number of the first.
    cids: Vec<(u32, u32, u32)>,
    /// Ranges of codes: bytes of each, lowest, highest.
    spaces: Vec<(usize, u32, u32)>,
    pub(super) is_vertical: bool,
}

impl CharacterMap {
    pub(super) fn read(map: &[u8]) -> Self {
        let mut read = Self::default();
        let mut section: &[u8] = b"";
        // The operands of an entry as far as they were seen.
        let mut low: Option<Vec<u8>> = None;
        let mut high: Option<Vec<u8>> = None;
        let mut list: Option<u32> = None;
        let mut last_name_is_mode = false;
        for token in Tokens::new(map) {
            match token {
                Token::Operator(word) => {
                    section = if word.starts_with(b"begin") { word } else { b"" };
                    (low, high, list) = (None, None, None);
                }
                Token::Name(name) => {
                    last_name_is_mode = name.as_ref() == b"WMode";
                    continue;
                }
                Token::Number(mode) if section.is_empty() => read.is_vertical |= last_name_is_mode && mode == 1.0,
                Token::Number(cid) => {
                    if let (b"begincidchar" | b"begincidrange", Some(first)) = (section, low.take()) {
                        let first = number(&first);
                        let last = high.take().map_or(first, |last| number(&last));
                        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                        let cid = cid.max(0.0) as u32;
                        if read.cids.len() < CODES {
                            read.cids.push((first, last, cid));
                        }
                    }
                }
                Token::Bracket(b'[') => list = low.as_deref().filter(|_| high.is_some()).map(number),
                Token::Bracket(b']') => (low, high, list) = (None, None, None),
                Token::Bracket(_) => {}
                Token::Text(bytes) => match (section, low.as_deref(), high.as_deref()) {
                    (b"begincodespacerange", Some(first), _) => {
                        if (1..=4).contains(&bytes.len()) && read.spaces.len() < 256 {
                            read.spaces.push((bytes.len(), number(first), number(&bytes)));
                        }
                        low = None;
                    }
                    (b"beginbfchar", Some(code), _) => {
                        read.insert(number(code), utf16(&bytes));
                        low = None;
                    }
                    (b"beginbfrange", Some(_), Some(last)) => match &mut list {
                        Some(code) => {
                            let (at, last) = (*code, number(last));
                            *code = code.saturating_add(1);
                            if at <= last {
                                read.insert(at, utf16(&bytes));
                            }
                        }
                        None => {
                            read.insert_range(low.as_deref().map_or(0, number), number(last), &bytes);
                            (low, high) = (None, None);
                        }
                    },
                    (b"beginbfrange" | b"begincidrange", Some(_), None) => high = Some(bytes.into_owned()),
                    (
                        b"beginbfrange" | b"begincidrange" | b"begincidchar" | b"beginbfchar" | b"begincodespacerange",
                        None,
                        _,
                    ) => {
                        low = Some(bytes.into_owned());
                    }
                    _ => {}
                },
            }
            last_name_is_mode = false;
        }
        read.cids.sort_unstable();
        read
    }

    fn insert_range(&mut self, low: u32, high: u32, text: &[u8]) {
        let first = utf16(text);
        for code in low..=high.min(low.saturating_add(0xffff)) {
            self.insert(code, shifted(&first, code - low));
        }
    }

    fn insert(&mut self, code: u32, units: Option<Vec<u16>>) {
        if let Some(units) = units.filter(|_| code <= 0xffff && self.texts.len() < CODES)
            && let Ok(text) = String::from_utf16(&units)
        {
            self.texts.insert(code, text.into());
        }
    }

    /// The number of the glyph of a code.
    pub(super) fn cid(&self, code: u32) -> Option<u32> {
        let behind = self.cids.partition_point(|(first, ..)| *first <= code);
        let range = self.cids.get(behind.checked_sub(1)?).filter(|(_, last, _)| code <= *last)?;
        Some(range.2.saturating_add(code - range.0))
    }

    /// How many bytes the first code takes; two where the map does not say.
    pub(super) fn code_length(&self, bytes: &[u8]) -> usize {
        let fits = |&&(length, low, high): &&(usize, u32, u32)| {
            bytes.len() >= length && {
                let code = number(&bytes[..length]);
                // Each byte lies in the range of its own place.
                (0..length).all(|place| {
                    let byte = |code: u32| code >> (8 * place) & 0xff;
                    (byte(low)..=byte(high)).contains(&byte(code))
                })
            }
        };
        match self.spaces.iter().find(fits) {
            Some((length, ..)) => *length,
            None => self.spaces.iter().map(|(length, ..)| *length).min().unwrap_or(2),
        }
    }
}

pub(super) fn number(hex: &[u8]) -> u32 {
    hex.iter().fold(0, |number: u32, &byte| number.checked_mul(256).map_or(u32::MAX, |number| number | u32::from(byte)))
}

/// UTF-16BE text of a reasonable length; a single byte is taken for a character, as viewers do.
fn utf16(hex: &[u8]) -> Option<Vec<u16>> {
    let units: Vec<u16> = match hex {
        [byte] => vec![u16::from(*byte)],
        _ if hex.len().is_multiple_of(2) && hex.len() <= 64 => {
            hex.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
        }
        _ => return None,
    };
    String::from_utf16(&units).ok().map(|_| units)
}

/// The text with its last unit moved on, as ranges ask for.
fn shifted(first: &Option<Vec<u16>>, by: u32) -> Option<Vec<u16>> {
    let mut units = first.clone()?;
    let last = units.last_mut()?;
    *last = u16::try_from(u32::from(*last) + by).ok()?;
    String::from_utf16(&units).ok().map(|_| units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(map: &str, expected: &[(u32, &str)]) {
        let read = CharacterMap::read(map.as_bytes());
        let mut found: Vec<(u32, &str)> = read.texts.iter().map(|(code, text)| (*code, text.as_ref())).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{map}");
    }

    #[test]
    fn characters_and_ranges() {
        check("2 beginbfchar <0003> <0020> <0F> <0066 0069> endbfchar", &[(3, " "), (15, "fi")]);
        check("1 beginbfrange <0041> <0043> <0061> endbfrange", &[(0x41, "a"), (0x42, "b"), (0x43, "c")]);
        check("1 beginbfrange\n<01><02>[<0041><D83DDE00>]\nendbfrange", &[(1, "A"), (2, "😀")]);
        check("1 begincodespacerange <0000> <FFFF> endcodespacerange 9 beginbfchar <05> <41>", &[(5, "A")]);
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        check("beginbfchar <01> <D800> <02> <00410042> <03>", &[(2, "AB")]);
        check("beginbfrange <01> <FFFFFFFF> endbfrange", &[]);
        assert!(CharacterMap::read(b"beginbfrange <00000000> <FFFFFFFF> <0000> endbfrange").texts.len() <= CODES);
        check("nothing", &[]);
    }

    #[test]
    fn codes_and_glyph_numbers() {
        let map = CharacterMap::read(
            b"/WMode 1 def 2 begincodespacerange <00> <80> <8140> <9FFC> endcodespacerange\n\
              1 begincidrange <20> <7e> 231 endcidrange 1 begincidchar <8140> 633 endcidchar",
        );
        assert!(map.is_vertical);
        assert_eq!((map.cid(0x22), map.cid(0x8140), map.cid(0x99)), (Some(233), Some(633), None));
        assert_eq!((map.code_length(b"A\x81"), map.code_length(b"\x81\x40"), map.code_length(b"\x81\x00")), (1, 2, 1));
        assert_eq!(CharacterMap::default().code_length(b"ab"), 2);
    }
}
