//! Rewrites `ToUnicode` character maps into a plain form: the font library panics on maps that are only slightly
//! unusual, and expands ranges of any size.

use std::collections::BTreeMap;
use std::fmt::Write;

/// The most codes of one map: all that two bytes can hold.
const CODES: usize = 1 << 16;

/// Reads a map (ISO 32000-1, section 9.10.3) as far as it makes sense, and writes it with single codes only. `None`
/// if nothing in it makes sense.
pub(super) fn rewrite(map: &[u8]) -> Option<Vec<u8>> {
    let codes = read(map);
    if codes.is_empty() {
        return None;
    }
    let mut text = String::from("/CIDInit /ProcSet findresource begin\nbegincmap\n");
    let entries: Vec<_> = codes.into_iter().collect();
    for part in entries.chunks(100) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} beginbfchar", part.len());
        for (code, units) in part {
            let _ = write!(text, "<{code:04X}> <");
            for unit in units {
                let _ = write!(text, "{unit:04X}");
            }
            text.push_str(">\n");
        }
        text.push_str("endbfchar\n");
    }
    text.push_str("endcmap\nend\n");
    Some(text.into_bytes())
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Hex(Vec<u8>),
    Open,
    Close,
    Word(Vec<u8>),
}

fn read(map: &[u8]) -> BTreeMap<u32, Vec<u16>> {
    let tokens = tokens(map);
    let mut codes = BTreeMap::new();
    let mut at = 0;
    let mut section: &[u8] = b"";
    while let Some(token) = tokens.get(at) {
        match (token, section) {
            (Token::Word(word), _) => {
                section = if word.starts_with(b"begin") { word } else { b"" };
                at += 1;
            }
            (Token::Hex(code), b"beginbfchar") => {
                if let Some(Token::Hex(text)) = tokens.get(at + 1) {
                    insert(&mut codes, number(code), utf16(text));
                    at += 1;
                }
                at += 1;
            }
            (Token::Hex(low), b"beginbfrange") => {
                let Some(Token::Hex(high)) = tokens.get(at + 1) else {
                    at += 1;
                    continue;
                };
                let (low, high) = (number(low), number(high).min(number(low).saturating_add(0xffff)));
                at += 2;
                match tokens.get(at) {
                    Some(Token::Hex(text)) => {
                        let first = utf16(text);
                        for code in low..=high {
                            insert(&mut codes, code, shifted(&first, code - low));
                        }
                        at += 1;
                    }
                    Some(Token::Open) => {
                        at += 1;
                        let mut code = low;
                        while let Some(Token::Hex(text)) = tokens.get(at) {
                            if code <= high {
                                insert(&mut codes, code, utf16(text));
                            }
                            code = code.saturating_add(1);
                            at += 1;
                        }
                    }
                    _ => {}
                }
            }
            _ => at += 1,
        }
    }
    codes
}

fn insert(codes: &mut BTreeMap<u32, Vec<u16>>, code: u32, units: Option<Vec<u16>>) {
    if let Some(units) = units.filter(|_| code <= 0xffff && codes.len() < CODES) {
        codes.insert(code, units);
    }
}

fn number(hex: &[u8]) -> u32 {
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

fn tokens(map: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = map;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'<' if after.starts_with(b"<") => rest = &after[1..],
            b'<' => {
                let end = after.iter().position(|&byte| byte == b'>').unwrap_or(after.len());
                tokens.push(Token::Hex(hex(&after[..end])));
                rest = after.get(end + 1..).unwrap_or_default();
            }
            b'[' => tokens.push(Token::Open),
            b']' => tokens.push(Token::Close),
            b'%' => {
                let end = after.iter().position(|&byte| byte == b'\n' || byte == b'\r').unwrap_or(after.len());
                rest = &after[end..];
            }
            _ if byte.is_ascii_alphabetic() => {
                let end = after.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(after.len());
                let mut word = vec![byte];
                word.extend_from_slice(&after[..end]);
                tokens.push(Token::Word(word));
                rest = &after[end..];
            }
            _ => {}
        }
    }
    tokens
}

fn hex(digits: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = digits
        .iter()
        .filter_map(|&byte| char::from(byte).to_digit(16))
        .filter_map(|digit| u8::try_from(digit).ok())
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(map: &str, expected: &[(u32, &str)]) {
        let found: Vec<(u32, String)> =
            read(map.as_bytes()).into_iter().map(|(code, units)| (code, String::from_utf16(&units).unwrap())).collect();
        let found: Vec<(u32, &str)> = found.iter().map(|(code, text)| (*code, text.as_str())).collect();
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
        assert!(read(b"beginbfrange <00000000> <FFFFFFFF> <0000> endbfrange").len() <= CODES);
        assert_eq!(rewrite(b"nothing"), None);
    }
}
