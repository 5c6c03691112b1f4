//! Lines of all pages to blocks.

use super::glyphs::Line;
use super::headings::{self, Candidate};
use super::paragraphs::{self, Setting};
use super::rows::{self, Item};
use crate::ExtractError;
use crate::blocks::Blocks;
use crate::outline::{list_item, section_depth};
use domain::{Area, BlockKind, Location};

/// A piece of a page, its lines joined.
enum Piece {
    Text { text: String, size: f64, is_bold: bool, lines: usize, area: Area },
    Row(Vec<String>, Area),
}

/// Writes the pages as blocks.
pub(super) fn write(pages: Vec<Vec<Line>>, blocks: &mut Blocks<'_>) -> Result<(), ExtractError> {
    let setting = Setting::of(pages.iter().map(Vec::as_slice));
    let mut pieces: Vec<(u32, Piece)> = Vec::new();
    for (page, lines) in (1..).zip(pages) {
        let first = pieces.len();
        read_page(lines, &setting, |piece| pieces.push((page, piece)));
        join_across(&mut pieces, first, &setting);
    }
    let candidates: Vec<Option<Candidate<'_>>> = pieces.iter().map(|(_, piece)| piece.candidate()).collect();
    let levels = headings::levels(&candidates, setting.body_size);
    for ((page, piece), level) in pieces.iter().zip(levels) {
        let location = |area: Area| Location { area: Some(area), ..Location::on_page(Some(*page)) };
        match piece {
            Piece::Row(cells, area) => blocks.push_row_at(cells, location(*area))?,
            Piece::Text { text, area, .. } => {
                let text = text.trim();
                let (kind, text) = match (level, list_item(text)) {
                    (Some(level), _) => (BlockKind::Heading(level), text),
                    (None, Some(item)) => (BlockKind::ListItem, item),
                    (None, None) => (BlockKind::Paragraph, text),
                };
                blocks.push_at(kind, text, location(*area))?;
            }
        }
    }
    Ok(())
}

fn read_page(lines: Vec<Line>, setting: &Setting, mut add: impl FnMut(Piece)) {
    let mut open: Vec<Line> = Vec::new();
    let finish = |lines: &mut Vec<Line>, add: &mut dyn FnMut(Piece)| {
        for paragraph in paragraphs::split(std::mem::take(lines), setting) {
            let Some(first) = paragraph.lines.first() else { continue };
            let is_bold = paragraph.lines.iter().all(|line| line.is_bold);
            let area = paragraph.lines.iter().fold(first.area, |area, line| area.around(line.area));
            let (text, size, lines) = (paragraph.text(setting), first.size, paragraph.lines.len());
            add(Piece::Text { text, size, is_bold, lines, area });
        }
    };
    for item in rows::group(lines) {
        match item {
            Item::Line(line) => open.push(line),
            Item::Row(cells, area) => {
                finish(&mut open, &mut add);
                add(Piece::Row(cells, area));
            }
        }
    }
    finish(&mut open, &mut add);
}

/// Puts a sentence together again that the end of the page cut; it stays on the page where it begins.
fn join_across(pieces: &mut Vec<(u32, Piece)>, first: usize, setting: &Setting) {
    if first == 0 || first >= pieces.len() {
        return;
    }
    let (before, after) = pieces.split_at_mut(first);
    let (
        Some((_, Piece::Text { text, size, is_bold, lines, .. })),
        Some((_, Piece::Text { text: next, size: next_size, is_bold: next_bold, lines: next_lines, .. })),
    ) = (before.last_mut(), after.first())
    else {
        return;
    };
    let is_open = !text.trim_end().ends_with(['.', '!', '?', ':', ';', '"', '”', '“', ')']);
    let goes_on = next.trim_start().starts_with(char::is_lowercase) && list_item(next).is_none();
    if is_open && goes_on && (*size - next_size).abs() < 0.5 && *is_bold == *next_bold && section_depth(text).is_none()
    {
        paragraphs::append(text, next, setting);
        *lines += next_lines;
        pieces.remove(first);
    }
}

impl Piece {
    fn candidate(&self) -> Option<Candidate<'_>> {
        match self {
            Self::Text { text, size, is_bold, lines, .. } => {
                Some(Candidate { text: text.trim(), size: *size, is_bold: *is_bold, lines: *lines })
            }
            Self::Row(..) => None,
        }
    }
}
