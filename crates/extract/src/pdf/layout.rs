//! Lines of all pages to blocks.

use super::glyphs::Line;
use super::headings::{self, Candidate};
use super::listing::{self, Part};
use super::paragraphs::{self, Setting};
use super::rows::{self, Item};
use super::{columns, drop_caps, order};
use crate::ExtractError;
use crate::blocks::Blocks;
use crate::outline::{list_item, section_depth};
use domain::{Area, BlockKind, Location};

/// A piece of a page, its lines joined.
enum Piece {
    Text { text: String, size: f64, is_bold: bool, lines: usize, area: Area },
    Row(Vec<String>, Area),
    Listing(String, Area),
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
            Piece::Listing(text, area) => blocks.push_at(BlockKind::Preformatted, text, location(*area))?,
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
    let lines = order::sort(columns::untangle(drop_caps::join(lines)));
    let parts = if setting.is_mostly_fixed { vec![Part::Lines(lines)] } else { listing::split(lines) };
    for part in parts {
        match part {
            Part::Listing(text, area) => add(Piece::Listing(text, area)),
            Part::Lines(lines) => read_lines(lines, setting, &mut add),
        }
    }
}

fn read_lines(lines: Vec<Line>, setting: &Setting, add: &mut impl FnMut(Piece)) {
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
    for item in rows::group(lines, setting) {
        match item {
            Item::Line(line) => open.push(line),
            Item::Row(cells, area) => {
                finish(&mut open, add);
                add(Piece::Row(cells, area));
            }
        }
    }
    finish(&mut open, add);
}

/// Puts sentences together again that the end of a column or of the page cut; they stay on the page where they begin.
fn join_across(pieces: &mut Vec<(u32, Piece)>, first: usize, setting: &Setting) {
    let mut at = first.max(1);
    while at < pieces.len() {
        let (before, after) = pieces.split_at_mut(at);
        let (Some((_, above)), Some((_, below))) = (before.last_mut(), after.first()) else { return };
        if (at == first || above.is_higher_than(below)) && above.take_rest(below, setting) {
            pieces.remove(at);
        } else {
            at += 1;
        }
    }
}

impl Piece {
    fn candidate(&self) -> Option<Candidate<'_>> {
        match self {
            Self::Text { text, size, is_bold, lines, .. } => {
                Some(Candidate { text: text.trim(), size: *size, is_bold: *is_bold, lines: *lines })
            }
            Self::Row(..) | Self::Listing(..) => None,
        }
    }

    /// Whether `next` begins on the right, above the end of this one: in the next column.
    fn is_higher_than(&self, next: &Self) -> bool {
        match (self, next) {
            (Self::Text { area, .. }, Self::Text { area: next, .. }) => {
                next.top < area.bottom && next.left >= area.right
            }
            _ => false,
        }
    }

    /// Appends the rest of a sentence, if `next` is that.
    fn take_rest(&mut self, next: &Self, setting: &Setting) -> bool {
        let (
            Self::Text { text, size, is_bold, lines, .. },
            Self::Text { text: next, size: next_size, is_bold: next_bold, lines: next_lines, .. },
        ) = (self, next)
        else {
            return false;
        };
        let is_open = !text.trim_end().ends_with(['.', '!', '?', ':', ';', '"', '”', '“', ')']);
        let goes_on = next.trim_start().starts_with(char::is_lowercase) && list_item(next).is_none();
        let is_same = (*size - next_size).abs() < 0.5 && *is_bold == *next_bold;
        if !is_open || !goes_on || !is_same || section_depth(text).is_some() {
            return false;
        }
        paragraphs::append(text, next, setting);
        *lines += next_lines;
        true
    }
}
