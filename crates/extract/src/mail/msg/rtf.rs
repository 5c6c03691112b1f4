//! The text of a message that has it only as compressed rich text: decompression (MS-OXRTFCP), and the HTML or plain
//! text that Outlook wraps in it (MS-OXRTFEX).

use crate::encoding;
use crate::mail::mime::Text;
use encoding_rs::{Encoding, WINDOWS_1252};

/// What the dictionary holds at the beginning (MS-OXRTFCP, section 2.1.2.1).
const PRESET: &[u8; 207] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \
\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

/// Size of the dictionary.
const DICTIONARY: usize = 4096;

/// How deep groups may nest.
const DEPTH: usize = 200;

/// Groups without text of the message.
const SKIPPED: [&str; 9] =
    ["fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "header", "footer", "listtable"];

/// Reads compressed rich text; `None` if it is damaged.
pub(crate) fn read(compressed: &[u8]) -> Option<Text> {
    let (text, is_markup) = unwrap(&decompress(compressed)?);
    Some(if is_markup { Text { plain: None, markup: Some(text) } } else { Text { plain: Some(text), markup: None } })
}

/// Section 3.1.3: runs of eight tokens, each a byte or a reference into the last 4096 bytes. It grows at most eightfold.
fn decompress(bytes: &[u8]) -> Option<Vec<u8>> {
    let kind = bytes.get(8..12)?;
    let mut input = bytes.get(16..)?.iter().copied();
    if kind == b"MELA" {
        return Some(input.collect());
    }
    if kind != b"LZFu" {
        return None;
    }
    let mut dictionary = [b' '; DICTIONARY];
    dictionary[..PRESET.len()].copy_from_slice(PRESET);
    let mut end = PRESET.len();
    let mut output = Vec::new();
    'runs: while let Some(control) = input.next() {
        for bit in 0..8 {
            if control >> bit & 1 == 0 {
                let Some(byte) = input.next() else { break 'runs };
                output.push(byte);
                dictionary[end] = byte;
                end = (end + 1) % DICTIONARY;
                continue;
            }
            let (Some(high), Some(low)) = (input.next(), input.next()) else { break 'runs };
            let reference = u16::from_be_bytes([high, low]);
            let start = usize::from(reference >> 4);
            if start == end {
                break 'runs;
            }
            for offset in 0..usize::from(reference & 15) + 2 {
                let byte = dictionary[(start + offset) % DICTIONARY];
                output.push(byte);
                dictionary[end] = byte;
                end = (end + 1) % DICTIONARY;
            }
        }
    }
    Some(output)
}

/// What holds inside a group.
#[derive(Clone, Copy)]
struct Group {
    /// Text in it is not of the message.
    is_skipped: bool,
    /// `\htmlrtf`: it stands in the HTML already.
    is_doubled: bool,
    /// How many characters stand for one of `\u`.
    stand_ins: usize,
}

struct Reader {
    text: String,
    /// Characters of the code page that are not decoded yet: some take two bytes.
    pending: Vec<u8>,
    code_page: &'static Encoding,
    groups: Vec<Group>,
    /// Groups that are open beyond the depth that is followed.
    deeper: usize,
    group: Group,
    /// Whether the group began with `\*`: unknown ones are skipped.
    is_optional: bool,
    is_markup: bool,
    /// Characters still to skip after `\u`.
    skip: usize,
}

/// The HTML, or else the text, and which of them it is.
fn unwrap(rtf: &[u8]) -> (String, bool) {
    let mut reader = Reader {
        text: String::new(),
        pending: Vec::new(),
        code_page: WINDOWS_1252,
        groups: Vec::new(),
        deeper: 0,
        group: Group { is_skipped: false, is_doubled: false, stand_ins: 1 },
        is_optional: false,
        is_markup: false,
        skip: 0,
    };
    let mut rest = rtf;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'{' => reader.open(after),
            b'}' => reader.close(after),
            b'\\' => reader.control(after),
            b'\r' | b'\n' | 0 => after,
            byte => {
                reader.byte(byte);
                after
            }
        };
    }
    reader.flush();
    (reader.text, reader.is_markup)
}

impl Reader {
    fn open<'r>(&mut self, rest: &'r [u8]) -> &'r [u8] {
        self.flush();
        self.skip = 0;
        if self.groups.len() < DEPTH {
            self.groups.push(self.group);
        } else {
            self.deeper += 1;
        }
        rest
    }

    fn close<'r>(&mut self, rest: &'r [u8]) -> &'r [u8] {
        self.flush();
        self.skip = 0;
        if self.deeper > 0 {
            self.deeper -= 1;
        } else if let Some(outer) = self.groups.pop() {
            self.group = outer;
        }
        rest
    }

    /// A control word or symbol after its backslash.
    fn control<'r>(&mut self, rest: &'r [u8]) -> &'r [u8] {
        let letters = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (word, after) = rest.split_at(letters);
        if letters == 0 {
            return self.symbol(rest);
        }
        let sign = usize::from(after.first() == Some(&b'-'));
        let digits = after[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, after) = after.split_at(if digits > 0 { sign + digits } else { 0 });
        let after = after.strip_prefix(b" ").unwrap_or(after);
        let number = std::str::from_utf8(number).ok().and_then(|number| number.parse::<i32>().ok());
        self.word(std::str::from_utf8(word).unwrap_or_default(), number);
        after
    }

    fn symbol<'r>(&mut self, rest: &'r [u8]) -> &'r [u8] {
        let Some((&symbol, after)) = rest.split_first() else { return rest };
        match symbol {
            b'\'' => {
                let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                    self.byte(byte);
                }
                return after.get(2..).unwrap_or_default();
            }
            b'*' => self.is_optional = true,
            b'\\' | b'{' | b'}' => self.byte(symbol),
            b'~' => self.char('\u{a0}'),
            b'_' => self.char('-'),
            _ => {}
        }
        after
    }

    fn word(&mut self, word: &str, number: Option<i32>) {
        let is_optional = std::mem::take(&mut self.is_optional);
        match word {
            "ansicpg" => {
                let page = number.and_then(|page| u64::try_from(page).ok()).and_then(encoding::of_code_page);
                self.code_page = page.unwrap_or(self.code_page);
            }
            "fromhtml" => self.is_markup = number != Some(0),
            "htmlrtf" => {
                self.flush();
                self.group.is_doubled = number != Some(0);
            }
            "htmltag" => {}
            "par" | "line" | "row" => self.char('\n'),
            "tab" | "cell" => self.char('\t'),
            "uc" => self.group.stand_ins = number.and_then(|count| usize::try_from(count).ok()).unwrap_or(1),
            "u" => {
                // Negative above 32767; surrogates come in pairs and are given up.
                let code = number.map(|number| (number as u32) & 0xffff);
                self.char(code.and_then(char::from_u32).unwrap_or('\u{fffd}'));
                self.skip = self.group.stand_ins.min(8);
            }
            "emdash" => self.char('—'),
            "endash" => self.char('–'),
            "lquote" => self.char('‘'),
            "rquote" => self.char('’'),
            "ldblquote" => self.char('“'),
            "rdblquote" => self.char('”'),
            "bullet" => self.char('•'),
            word if is_optional || SKIPPED.contains(&word) => self.group.is_skipped = true,
            _ => {}
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.skip > 0 {
            self.skip -= 1;
        } else if !self.group.is_skipped && !self.group.is_doubled {
            self.pending.push(byte);
        }
    }

    fn char(&mut self, c: char) {
        self.flush();
        if !self.group.is_skipped && !self.group.is_doubled {
            self.text.push(c);
        }
    }

    fn flush(&mut self) {
        self.text.push_str(&self.code_page.decode_without_bom_handling(&self.pending).0);
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification() {
        // MS-OXRTFCP, section 4.1.1.
        let compressed = [
            0x2d, 0, 0, 0, 0x2b, 0, 0, 0, 0x4c, 0x5a, 0x46, 0x75, 0xf1, 0xc5, 0xc7, 0xa7, 0x03, 0x00, 0x0a, 0x00, 0x72,
            0x63, 0x70, 0x67, 0x31, 0x32, 0x35, 0x42, 0x32, 0x0a, 0xf3, 0x20, 0x68, 0x65, 0x6c, 0x09, 0x00, 0x20, 0x62,
            0x77, 0x05, 0xb0, 0x6c, 0x64, 0x7d, 0x0a, 0x80, 0x0f, 0xa0,
        ];
        let plain = decompress(&compressed).unwrap();
        assert_eq!(String::from_utf8_lossy(&plain), "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n");
        assert_eq!(read(&compressed).unwrap().plain.as_deref(), Some("hello world"));
        assert_eq!(decompress(b"too short"), None);
    }

    #[test]
    fn wrapped_html_comes_out() {
        let rtf = br"{\rtf1\ansi\ansicpg1252\fromhtml1 {\fonttbl{\f0 Arial;}}{\*\htmltag64 <p>}\htmlrtf {\b \htmlrtf0 Gr\'fc\'dfe \u8364?\{{\*\htmltag72 </p>}\htmlrtf }\htmlrtf0 {\*\mhtmltag x}}";
        assert_eq!(unwrap(rtf), ("<p>Grüße €{</p>".to_owned(), true));
        assert_eq!(unwrap(br"{\rtf1 a\par b\tab {\*\unknown x}\'zz c}}}"), ("a\nb\t c".to_owned(), false));
        let deep = "{".repeat(100_000);
        assert_eq!(unwrap(deep.as_bytes()).0, "");
    }
}
