//! Lines that were recognised in a picture become blocks: paragraphs, rows of tables and headings by their geometry.

use crate::ExtractError;
use crate::blocks::Blocks;
use crate::host::Line;
use crate::outline::{HEADING_CHARS, could_be_heading, list_item, section_depth};
use domain::{Area, BlockKind, Location};

/// A line in pixels of its picture, where a height can be compared with a width.
#[derive(Clone)]
struct Placed {
    text: String,
    area: Area,
    left: f32,
    right: f32,
    top: f32,
    bottom: f32,
}

impl Placed {
    fn height(&self) -> f32 {
        self.bottom - self.top
    }

    fn middle(&self) -> f32 {
        (self.top + self.bottom) / 2.0
    }

    /// Whether the other stands to the right in the same row.
    fn is_beside(&self, next: &Self) -> bool {
        let shared = self.bottom.min(next.bottom) - self.top.max(next.top);
        shared > 0.5 * self.height().min(next.height()) && next.left >= self.right - 0.5 * self.height()
    }
}

/// Writes the lines of one picture, which are in reading order. `size` is its width and height in pixels.
pub(crate) fn write(
    lines: Vec<Line>,
    size: (u32, u32),
    page: Option<u32>,
    blocks: &mut Blocks<'_>,
) -> Result<(), ExtractError> {
    let (wide, high) = (size.0 as f32 / 10_000.0, size.1 as f32 / 10_000.0);
    let lines = lines.into_iter().map(|Line { text, area, .. }| Placed {
        text,
        area,
        left: f32::from(area.left) * wide,
        right: f32::from(area.right) * wide,
        top: f32::from(area.top) * high,
        bottom: f32::from(area.bottom) * high,
    });
    let lines: Vec<Placed> = lines.filter(|line| !line.text.trim().is_empty()).collect();
    let setting = Setting::of(&lines);
    let mut rest = lines.as_slice();
    while !rest.is_empty() {
        let row = 1 + rest.windows(2).take_while(|pair| pair[0].is_beside(&pair[1])).count();
        let count = if row > 1 { row } else { setting.paragraph(rest) };
        let (taken, after) = rest.split_at(count);
        let area = taken.iter().map(|line| line.area).reduce(Area::around);
        let location = Location { page, area, cells: None };
        if row > 1 {
            let cells: Vec<&str> = taken.iter().map(|line| line.text.trim()).collect();
            blocks.push_at(BlockKind::TableRow, &cells.join(" | "), location)?;
        } else {
            let text = join(taken);
            let (kind, text) = setting.kind(taken, &text);
            blocks.push_at(kind, text, location)?;
        }
        rest = after;
    }
    Ok(())
}

/// The lines of a paragraph as one, words that were parted at the end of a line put together.
fn join(lines: &[Placed]) -> String {
    let mut text = String::new();
    for line in lines {
        let next = line.text.trim();
        let is_parted = text.ends_with('-')
            && text.chars().rev().nth(1).is_some_and(char::is_alphabetic)
            && next.starts_with(char::is_lowercase);
        if is_parted {
            text.pop();
        } else if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(next);
    }
    text
}

/// What all lines of a picture together say.
struct Setting {
    /// The height of most lines, and the distance from one to the next within a paragraph.
    height: f32,
    pitch: f32,
    /// The farthest that lines reach to the right, by where they begin.
    ends: Vec<(f32, f32)>,
}

impl Setting {
    fn of(lines: &[Placed]) -> Self {
        let median = |mut values: Vec<f32>| {
            values.sort_by(f32::total_cmp);
            values.get(values.len() / 2).copied()
        };
        let height = median(lines.iter().map(Placed::height).collect()).unwrap_or(1.0);
        let pitches = lines.windows(2).filter_map(|pair| {
            let pitch = pair[1].middle() - pair[0].middle();
            let is_below = (pair[0].left - pair[1].left).abs() < height && !pair[0].is_beside(&pair[1]);
            (is_below && (0.0..2.0 * height).contains(&pitch)).then_some(pitch)
        });
        let pitch = median(pitches.collect()).unwrap_or(1.1 * height);
        let mut ends: Vec<(f32, f32)> = Vec::new();
        for line in lines {
            match ends.iter_mut().find(|(left, _)| (left - line.left).abs() < 2.0 * height) {
                Some((_, end)) => *end = end.max(line.right),
                None => ends.push((line.left, line.right)),
            }
        }
        Self { height, pitch, ends }
    }

    /// How many of the lines are one paragraph.
    fn paragraph(&self, lines: &[Placed]) -> usize {
        let mut count = 1;
        while let (Some(line), Some(next)) = (lines.get(count - 1), lines.get(count)) {
            let is_row = lines.get(count + 1).is_some_and(|after| next.is_beside(after));
            if is_row || !self.goes_on(line, next) {
                break;
            }
            count += 1;
        }
        count
    }

    fn goes_on(&self, line: &Placed, next: &Placed) -> bool {
        let text = next.text.trim();
        let ratio = line.height() / next.height().max(1.0);
        if !(0.7..1.43).contains(&ratio) || list_item(text).is_some() || section_depth(text).is_some() {
            return false;
        }
        if section_depth(line.text.trim()).is_some() && could_be_heading(line.text.trim()) {
            return false;
        }
        let pitch = next.middle() - line.middle();
        let is_lower = text.starts_with(char::is_lowercase);
        // From the end of one column to the beginning of the next.
        if pitch < 0.0 {
            return is_lower && !line.text.trim_end().ends_with(['.', '!', '?', ':']);
        }
        let indent = (next.left - line.left).abs() < 3.0 * self.height;
        let end = self.ends.iter().find(|(left, _)| (left - line.left).abs() < 2.0 * self.height);
        let ends_early = end.is_some_and(|(left, end)| line.right < end - 0.2 * (end - left));
        indent && pitch < 1.3 * self.pitch.max(line.height() * 0.8) && (is_lower || !ends_early)
    }

    fn kind<'t>(&self, lines: &[Placed], text: &'t str) -> (BlockKind, &'t str) {
        let height = lines.iter().map(Placed::height).sum::<f32>() / lines.len() as f32;
        let is_short = lines.len() <= 2 && text.chars().count() <= HEADING_CHARS && could_be_heading(text);
        match section_depth(text) {
            _ if is_short && height > 1.7 * self.height => (BlockKind::Heading(1), text),
            Some(depth) if is_short && lines.len() == 1 => (BlockKind::Heading(depth.saturating_add(1).min(6)), text),
            _ if is_short && height > 1.35 * self.height => (BlockKind::Heading(2), text),
            _ => list_item(text).map_or((BlockKind::Paragraph, text), |item| (BlockKind::ListItem, item)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn line(left: u16, top: u16, right: u16, height: u16, text: &str) -> Line {
        Line { text: text.into(), area: Area { left, top, right, bottom: top + height }, confidence: 0.9 }
    }

    #[test]
    fn lines_become_headings_paragraphs_items_and_rows() {
        let lines = vec![
            line(1000, 500, 5000, 380, "Safety on the quay"),
            line(1000, 1000, 9000, 150, "Everybody on the quay wears a hel-"),
            line(1000, 1160, 8900, 150, "met and a vest, as the rules of the port"),
            line(1000, 1320, 3000, 150, "say."),
            line(1000, 1480, 9000, 150, "Visitors get both at the gate and give them"),
            line(1000, 1640, 3000, 150, "back there."),
            line(1000, 1900, 2500, 150, "• Helmet"),
            line(1000, 2060, 2500, 150, "• Vest"),
            line(1000, 2400, 2500, 150, "Gate"),
            line(5000, 2400, 6000, 150, "Hours"),
        ];
        let limits = Limits::default();
        let mut blocks = Blocks::new(&limits);
        write(lines, (1000, 1000), Some(2), &mut blocks).unwrap();
        let found: Vec<_> = blocks.as_slice().iter().map(|block| (block.kind, block.text.as_str())).collect();
        let expected = [
            (BlockKind::Heading(1), "Safety on the quay"),
            (BlockKind::Paragraph, "Everybody on the quay wears a helmet and a vest, as the rules of the port say."),
            (BlockKind::Paragraph, "Visitors get both at the gate and give them back there."),
            (BlockKind::ListItem, "Helmet"),
            (BlockKind::ListItem, "Vest"),
            (BlockKind::TableRow, "Gate | Hours"),
        ];
        assert_eq!(found, expected);
        let location = blocks.as_slice()[1].location;
        assert_eq!(location.page, Some(2));
        assert_eq!(location.area, Some(Area { left: 1000, top: 1000, right: 9000, bottom: 1470 }));
    }
}
