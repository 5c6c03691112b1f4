//! Collects blocks: normalises their text and keeps it under the limit.

use crate::{ExtractError, Limits};
use domain::{Block, BlockKind, Location};
use unicode_normalization::UnicodeNormalization;

/// The longest heading, in characters: it goes into every passage below it, and into every prompt with one of them.
const LONGEST_HEADING: usize = 300;

/// The longest title, in characters.
const LONGEST_TITLE: usize = 500;

/// The blocks of one file as they are found.
pub(crate) struct Blocks<'a> {
    blocks: Vec<Block>,
    text_bytes: u64,
    limits: &'a Limits,
}

impl<'a> Blocks<'a> {
    pub(crate) fn new(limits: &'a Limits) -> Self {
        Self { blocks: Vec::new(), text_bytes: 0, limits }
    }

    /// Adds a block; one without any text is left out.
    pub(crate) fn push(&mut self, kind: BlockKind, text: &str, page: Option<u32>) -> Result<(), ExtractError> {
        self.push_at(kind, text, Location::on_page(page))
    }

    /// Adds a block whose place is known more closely; one without any text is left out, and a heading that is too long
    /// for one is a paragraph.
    pub(crate) fn push_at(&mut self, kind: BlockKind, text: &str, location: Location) -> Result<(), ExtractError> {
        // A first look at the raw size: normalising can grow a text, and a huge one should not get that far.
        self.limits.check_text(self.text_bytes.saturating_add(text.len() as u64 / 4))?;
        let text = match kind {
            BlockKind::Preformatted => preformatted(text),
            _ => running(text),
        };
        if text.is_empty() {
            return Ok(());
        }
        let kind = match kind {
            BlockKind::Heading(_) if text.chars().nth(LONGEST_HEADING).is_some() => BlockKind::Paragraph,
            kind => kind,
        };
        self.text_bytes += text.len() as u64;
        self.limits.check_text(self.text_bytes)?;
        self.limits.check_blocks(self.blocks.len() + 1)?;
        self.blocks.push(Block { kind, text, location });
        Ok(())
    }

    /// Adds a table row; empty cells keep their place, a row of nothing but empty cells is left out.
    pub(crate) fn push_row(&mut self, cells: &[String], page: Option<u32>) -> Result<(), ExtractError> {
        self.push_row_at(cells, Location::on_page(page))
    }

    /// Adds a table row whose place is known more closely.
    pub(crate) fn push_row_at(&mut self, cells: &[String], location: Location) -> Result<(), ExtractError> {
        let cells: Vec<String> = cells.iter().map(|cell| running(cell)).collect();
        if cells.iter().all(String::is_empty) {
            return Ok(());
        }
        self.push_at(BlockKind::TableRow, cells.join(" | ").trim_end_matches([' ', '|']), location)
    }

    pub(crate) fn as_slice(&self) -> &[Block] {
        &self.blocks
    }

    pub(crate) fn into_vec(self) -> Vec<Block> {
        self.blocks
    }
}

/// The text of the first heading of level 1.
pub(crate) fn first_heading(blocks: &[Block]) -> Option<String> {
    blocks.iter().find(|block| block.kind == BlockKind::Heading(1)).map(|block| block.text.clone())
}

/// A title as a person would want to see it: none rather than what programs put there by themselves.
pub(crate) fn clean_title(title: &str) -> Option<String> {
    let title = running(title);
    let title = title.strip_prefix("Microsoft Word - ").unwrap_or(&title).trim();
    let lower = title.to_lowercase();
    let by_itself = [
        "untitled",
        "unknown title",
        "word document",
        "document",
        "document1",
        "about:blank",
        "ohne titel",
        "unbenannt",
    ];
    let file_name = [".doc", ".docx", ".pdf", ".html", ".indd", ".tex"].iter().any(|end| lower.ends_with(end));
    let shown = title.chars().any(char::is_alphanumeric) && !by_itself.contains(&lower.as_str()) && !file_name;
    shown.then(|| cut_title(title))
}

/// As much of a text as a title may be long.
pub(crate) fn cut_title(text: &str) -> String {
    text.chars().take(LONGEST_TITLE).collect()
}

/// A name that somebody gave a file, as people may be shown it: on one line, without control characters and without
/// characters that cannot be seen or that turn the direction of what stands around them. Empty if nothing is left.
#[must_use]
pub fn shown_name(name: &str) -> String {
    running(name)
}

/// Running text in Unicode NFC: white space collapsed to single spaces, ends trimmed, characters without a shape of
/// their own dropped.
pub(crate) fn running(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut space = false;
    for c in text.nfc().filter(|&c| !is_invisible(c)) {
        if c.is_whitespace() || c.is_control() {
            space = true;
            continue;
        }
        if space && !result.is_empty() {
            result.push(' ');
        }
        space = false;
        result.push(c);
    }
    result
}

/// Text whose lines matter, in Unicode NFC: line ends become line feeds, tabs stay, empty lines at both ends and
/// spaces at the ends of lines go.
fn preformatted(text: &str) -> String {
    let text: String = text.replace("\r\n", "\n").replace('\r', "\n");
    let text: String = text
        .nfc()
        .filter(|&c| !is_invisible(c) && (!c.is_control() || c == '\n' || c == '\t'))
        .map(|c| if c == '\u{2028}' || c == '\u{2029}' { '\n' } else { c })
        .collect();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(0);
    let last = lines.iter().rposition(|line| !line.is_empty()).map_or(first, |last| last + 1);
    lines[first..last].join("\n")
}

/// Soft hyphens, zero-width spaces, byte order marks, direction marks, invisible operators, fillers, tags, variation
/// selectors and non-characters. The zero-width joiners stay: several scripts need them. So do the two selectors
/// between text and emoji.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_text_is_nfc_without_controls_and_double_spaces() {
        assert_eq!(
            running(" Cafe\u{301}\u{a0}\u{a0}am\tHafen\r\nzwei\u{7} \u{ad}x\u{200b}y "),
            "Café am Hafen zwei xy"
        );
        assert_eq!(running("\u{0}\n\t"), "");
    }

    #[test]
    fn what_cannot_be_seen_is_dropped_and_what_scripts_need_stays() {
        for unseen in [
            '\u{61c}',
            '\u{180e}',
            '\u{2061}',
            '\u{2064}',
            '\u{206a}',
            '\u{206f}',
            '\u{3164}',
            '\u{fe00}',
            '\u{fe0d}',
            '\u{ffa0}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e0fff}',
        ] {
            assert_eq!(running(&format!("a{unseen}b")), "ab", "{}", unseen.escape_unicode());
            assert_eq!(preformatted(&format!("a{unseen}b")), "ab", "{}", unseen.escape_unicode());
        }
        for needed in ["a\u{200c}b", "a\u{200d}b", "\u{2764}\u{fe0e}", "\u{2764}\u{fe0f}"] {
            assert_eq!(running(needed), needed);
        }
    }

    #[test]
    fn a_name_is_shown_on_one_line_in_its_own_direction() {
        assert_eq!(shown_name("rep\u{202e}fdp\u{200b}\u{1b}[2J\n.exe"), "repfdp [2J .exe");
        assert_eq!(shown_name("\u{200b}\u{2067}"), "");
    }

    #[test]
    fn a_heading_that_is_too_long_for_one_is_a_paragraph() {
        let limits = Limits::default();
        let mut blocks = Blocks::new(&limits);
        let longest = "ä".repeat(LONGEST_HEADING);
        blocks.push(BlockKind::Heading(1), &format!("{longest}b"), None).unwrap();
        blocks.push(BlockKind::Heading(2), &format!(" {longest} "), None).unwrap();
        let found: Vec<_> = blocks.as_slice().iter().map(|block| (block.kind, block.text.as_str())).collect();
        let whole = format!("{longest}b");
        assert_eq!(found, [(BlockKind::Paragraph, whole.as_str()), (BlockKind::Heading(2), longest.as_str())]);
        assert_eq!(first_heading(blocks.as_slice()), None);
    }

    #[test]
    fn preformatted_text_keeps_lines_and_indents() {
        assert_eq!(preformatted("\r\n\r\n  a  \r\n\tb\u{1b}\rc\n\n"), "  a\n\tb\nc");
    }

    #[test]
    fn rows_keep_empty_cells_in_place() {
        let limits = Limits::default();
        let mut blocks = Blocks::new(&limits);
        blocks.push_row(&["a".into(), " ".into(), "c\n d".into(), String::new()], Some(3)).unwrap();
        blocks.push_row(&[" ".into(), String::new()], Some(3)).unwrap();
        let texts: Vec<_> = blocks.as_slice().iter().map(|block| block.text.as_str()).collect();
        assert_eq!(texts, ["a | | c d"]);
    }

    #[test]
    fn text_beyond_the_limit_is_refused() {
        let limits = Limits { text_bytes: 10, ..Limits::default() };
        let mut blocks = Blocks::new(&limits);
        blocks.push(BlockKind::Paragraph, "123456", None).unwrap();
        let error = blocks.push(BlockKind::Paragraph, "12345", None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the file is too large: its text is more than the limit of 10 bytes; split it into smaller files"
        );
    }

    #[test]
    fn titles_that_programs_invent_are_dropped() {
        for invented in ["", " Untitled ", "Word Document", "scan0001.pdf", "---"] {
            assert_eq!(clean_title(invented), None, "{invented}");
        }
        assert_eq!(clean_title("Microsoft Word - Crane rules").as_deref(), Some("Crane rules"));
        let long = "Crane ".repeat(10_000);
        assert_eq!(clean_title(&long).map(|title| title.chars().count()), Some(LONGEST_TITLE));
    }
}
