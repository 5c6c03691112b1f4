//! Tokens to blocks.

use super::encodings::{of_charset, of_code_page};
use super::state::{Destination, Format, State, character, destination, info_destination};
use super::tokens::Token;
use crate::blocks::{Blocks, clean_title};
use crate::docx::style_by_name;
use crate::properties::{Properties, clean_author};
use crate::{Dated, ExtractError, Limits};
use domain::{Block, BlockKind};
use encoding_rs::{Encoding, WINDOWS_1252};
use jiff::civil::DateTime;
use std::collections::HashMap;

/// How deep groups may nest.
const DEPTH: usize = 1_000;

/// The most cells in a row.
const COLUMNS: usize = 2_000;

/// How many fonts and styles are kept.
const TABLE: usize = 10_000;

/// Reads a file.
pub(super) struct Reader<'a> {
    blocks: Blocks<'a>,
    limits: &'a Limits,
    state: State,
    groups: Vec<State>,
    default_encoding: &'static Encoding,
    default_font: i32,
    /// The encoding of fonts, and whether they are symbols.
    fonts: HashMap<i32, (Option<&'static Encoding>, bool)>,
    /// The heading level of styles.
    styles: HashMap<i32, u8>,
    style: (i32, Option<u8>, String),
    /// Bytes of text that were not decoded yet.
    bytes: Vec<u8>,
    /// Characters that are left out after `\u`, and the first half of a pair of those.
    left_out: usize,
    high: Option<u16>,
    /// Whether `\*` came just before.
    is_optional: bool,
    text: String,
    cells: Vec<String>,
    has_mark: bool,
    /// Notes that are open: how deep their group is, and the text around them.
    open_note: Option<(usize, String)>,
    notes: Vec<String>,
    info: String,
    date: [i32; 5],
    properties: Properties,
    is_closed: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self {
            blocks: Blocks::new(limits),
            limits,
            state: State {
                destination: Destination::Body,
                font: 0,
                alternatives: 1,
                is_hidden: false,
                is_deleted: false,
                paragraph: Format::default(),
            },
            groups: Vec::new(),
            default_encoding: WINDOWS_1252,
            default_font: 0,
            fonts: HashMap::new(),
            styles: HashMap::new(),
            style: (0, None, String::new()),
            bytes: Vec::new(),
            left_out: 0,
            high: None,
            is_optional: false,
            text: String::new(),
            cells: Vec::new(),
            has_mark: false,
            open_note: None,
            notes: Vec::new(),
            info: String::new(),
            date: [0; 5],
            properties: Properties::default(),
            is_closed: false,
        }
    }

    /// The blocks, what the file says about itself, and whether it was whole.
    pub(super) fn finish(mut self) -> Result<(Vec<Block>, Properties, bool), ExtractError> {
        self.decode()?;
        self.finish_row()?;
        self.finish_paragraph()?;
        Ok((self.blocks.into_vec(), self.properties, self.is_closed))
    }

    pub(super) fn read(&mut self, token: Token<'_>) -> Result<(), ExtractError> {
        // What comes after the last group is no part of the document.
        if self.is_closed {
            return Ok(());
        }
        let is_optional = std::mem::take(&mut self.is_optional);
        if let Token::Byte(byte) = token {
            return if self.left_out > 0 {
                self.left_out -= 1;
                Ok(())
            } else {
                self.byte(byte)
            };
        }
        self.decode()?;
        match token {
            Token::Open => {
                self.left_out = 0;
                if self.groups.len() >= DEPTH {
                    return Err(ExtractError::damaged(format!("its groups nest deeper than {DEPTH}")));
                }
                self.groups.push(self.state);
                Ok(())
            }
            Token::Close => self.close(),
            Token::Symbol(b'*') => {
                self.is_optional = true;
                Ok(())
            }
            Token::Symbol(_) if self.left_out > 0 => {
                self.left_out -= 1;
                Ok(())
            }
            Token::Symbol(b'~') => self.write(" "),
            Token::Symbol(b'_') => self.write("-"),
            Token::Symbol(b'\r' | b'\n') => self.word("par", None, false),
            Token::Symbol(symbol @ (b'{' | b'}' | b'\\')) => self.byte(symbol),
            Token::Symbol(_) | Token::Byte(_) => Ok(()),
            Token::Word(word, number) => self.word(word, number, is_optional),
        }
    }

    fn close(&mut self) -> Result<(), ExtractError> {
        self.left_out = 0;
        if self.open_note.as_ref().is_some_and(|(depth, _)| *depth == self.groups.len())
            && let Some((_, around)) = self.open_note.take()
        {
            self.notes.push(std::mem::replace(&mut self.text, around));
            self.limits.check_blocks(self.notes.len())?;
        }
        let closed = self.state.destination;
        let Some(outer) = self.groups.pop() else { return Ok(()) };
        self.state = outer;
        if closed != outer.destination {
            let time = || self.date_time().map(Dated::Local);
            match closed {
                Destination::Title => self.properties.title = clean_title(&self.info),
                Destination::Author => self.properties.author = clean_author(&self.info),
                Destination::Created => self.properties.created_at = time(),
                Destination::Modified => self.properties.modified_at = time(),
                _ => {}
            }
        }
        self.is_closed = self.groups.is_empty();
        Ok(())
    }

    fn word(&mut self, word: &str, number: Option<i32>, is_optional: bool) -> Result<(), ExtractError> {
        if self.state.destination == Destination::Skipped {
            return Ok(());
        }
        if self.state.destination == Destination::Info {
            self.info.clear();
            self.date = [0; 5];
            self.state.destination = info_destination(word);
            return Ok(());
        }
        if word == "footnote" && self.open_note.is_none() {
            self.open_note = Some((self.groups.len(), std::mem::take(&mut self.text)));
            return Ok(());
        }
        if let Some(found) = destination(word) {
            self.has_mark |= matches!(word, "pntext" | "listtext");
            self.state.destination = found;
            return Ok(());
        }
        if is_optional {
            self.state.destination = Destination::Skipped;
            return Ok(());
        }
        let is_on = number != Some(0);
        match word {
            "u" => return self.unicode(number.unwrap_or(0)),
            "uc" => self.state.alternatives = usize::try_from(number.unwrap_or(1)).unwrap_or(1).min(16),
            "ansicpg" => self.default_encoding = of_code_page(number.unwrap_or(0)),
            "mac" => self.default_encoding = of_code_page(10_000),
            "deff" => {
                self.default_font = number.unwrap_or(0);
                self.state.font = self.default_font;
            }
            // In the table of fonts it is the one that is described.
            "f" => self.state.font = number.unwrap_or(0),
            "fcharset" if self.state.destination == Destination::Fonts && self.fonts.len() < TABLE => {
                let number = number.unwrap_or(0);
                self.fonts.insert(self.state.font, (of_charset(number), number == 2));
            }
            "s" if self.state.destination == Destination::Styles => {
                self.style = (number.unwrap_or(0), None, String::new());
            }
            "outlinelevel" if self.state.destination == Destination::Styles => self.style.1 = level(number),
            "yr" => self.date[0] = number.unwrap_or(0),
            "mo" => self.date[1] = number.unwrap_or(0),
            "dy" => self.date[2] = number.unwrap_or(0),
            "hr" => self.date[3] = number.unwrap_or(0),
            "min" => self.date[4] = number.unwrap_or(0),
            "plain" => {
                self.state.font = self.default_font;
                (self.state.is_hidden, self.state.is_deleted) = (false, false);
            }
            "v" => self.state.is_hidden = is_on,
            "deleted" => self.state.is_deleted = is_on,
            "pard" => self.state.paragraph = Format::default(),
            "s" => self.state.paragraph.style = number.unwrap_or(0),
            "outlinelevel" => self.state.paragraph.outline_level = level(number),
            "ls" => self.state.paragraph.is_list = is_on,
            "intbl" | "itap" => self.state.paragraph.in_table = is_on,
            "cell" if self.state.destination == Destination::Body => {
                let cell = std::mem::take(&mut self.text);
                self.cells.push(cell);
                self.has_mark = false;
                // No program writes so many columns; without their end they would pile up.
                if self.cells.len() >= COLUMNS {
                    return self.finish_row();
                }
            }
            "row" | "nestrow" if self.state.destination == Destination::Body => {
                return if word == "row" { self.finish_row() } else { self.write(" ") };
            }
            "par" | "sect" | "page" if self.state.destination == Destination::Body => {
                if self.state.paragraph.in_table || self.open_note.is_some() {
                    return self.write(" ");
                }
                self.finish_row()?;
                return self.finish_paragraph();
            }
            _ => {
                if let Some(text) = character(word) {
                    return self.write(text);
                }
            }
        }
        Ok(())
    }

    fn byte(&mut self, byte: u8) -> Result<(), ExtractError> {
        // Pictures are long runs of digits.
        if matches!(self.state.destination, Destination::Skipped | Destination::Fonts | Destination::Info) {
            return Ok(());
        }
        let is_symbol = self.fonts.get(&self.state.font).is_some_and(|(_, is_symbol)| *is_symbol);
        if is_symbol && byte >= 0x80 {
            // Of the symbols only the bullet is text.
            return if byte == 0xb7 { self.write("•") } else { Ok(()) };
        }
        self.bytes.push(byte);
        self.limits.check_text(self.bytes.len() as u64)
    }

    /// Turns the bytes until now into text: their encoding may change now.
    fn decode(&mut self) -> Result<(), ExtractError> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.bytes);
        let encoding = self.fonts.get(&self.state.font).and_then(|(encoding, _)| *encoding);
        let (text, _) = encoding.unwrap_or(self.default_encoding).decode_without_bom_handling(&bytes);
        self.write(&text)?;
        self.bytes = bytes;
        self.bytes.clear();
        Ok(())
    }

    /// A unit of UTF-16, as a signed number.
    fn unicode(&mut self, number: i32) -> Result<(), ExtractError> {
        self.left_out = self.state.alternatives;
        let unit = (number & 0xffff) as u16;
        let units = [self.high.take().unwrap_or(unit), unit];
        let units = if units[0] == unit { &units[1..] } else { &units[..] };
        if (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
            return Ok(());
        }
        let text: String = char::decode_utf16(units.iter().copied()).map(|c| c.unwrap_or('\u{fffd}')).collect();
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> Result<(), ExtractError> {
        let target = match self.state.destination {
            Destination::Body if self.state.is_hidden || self.state.is_deleted => return Ok(()),
            Destination::Body => &mut self.text,
            Destination::Title | Destination::Author => &mut self.info,
            Destination::Styles => return self.style_name(text),
            _ => return Ok(()),
        };
        target.push_str(text);
        self.limits.check_text(target.len() as u64)
    }

    /// The names of styles end with a semicolon.
    fn style_name(&mut self, text: &str) -> Result<(), ExtractError> {
        for c in text.chars() {
            if c != ';' {
                self.style.2.push(c);
                continue;
            }
            let (number, level, name) = std::mem::take(&mut self.style);
            let level = level.map(|level| level + 1).or_else(|| style_by_name(&name));
            if self.styles.len() < TABLE {
                self.styles.extend(level.map(|level| (number, level)));
            }
        }
        self.limits.check_text(self.style.2.len() as u64)
    }

    fn finish_paragraph(&mut self) -> Result<(), ExtractError> {
        let text = std::mem::take(&mut self.text);
        let format = self.state.paragraph;
        let level = format.outline_level.map(|level| level + 1).or_else(|| self.styles.get(&format.style).copied());
        let has_mark = std::mem::take(&mut self.has_mark);
        let kind = match level {
            Some(level) => BlockKind::Heading(level.clamp(1, 6)),
            None if format.is_list || has_mark => BlockKind::ListItem,
            None => BlockKind::Paragraph,
        };
        self.blocks.push(kind, &text, None)?;
        self.write_notes()
    }

    fn finish_row(&mut self) -> Result<(), ExtractError> {
        let cells = std::mem::take(&mut self.cells);
        if cells.is_empty() {
            return Ok(());
        }
        self.blocks.push_row(&cells, None)?;
        self.write_notes()
    }

    fn write_notes(&mut self) -> Result<(), ExtractError> {
        for note in std::mem::take(&mut self.notes) {
            self.blocks.push(BlockKind::Paragraph, &note, None)?;
        }
        Ok(())
    }

    fn date_time(&self) -> Option<DateTime> {
        let [year, month, day, hour, minute] = self.date.map(|number| i16::try_from(number).unwrap_or(-1));
        let small = |number: i16| i8::try_from(number).ok();
        DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, 0, 0).ok()
    }
}

/// An outline level: 9 is running text.
fn level(number: Option<i32>) -> Option<u8> {
    number.and_then(|level| u8::try_from(level).ok()).filter(|level| *level < 9)
}
