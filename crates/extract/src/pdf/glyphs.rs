//! Glyphs to lines.

use pdf_extract::{ColorSpace, MediaBox, OutputDev, OutputError, Path, PathOp, Transform};
use unicode_normalization::UnicodeNormalization;

/// Distances in units of the font size: how far a baseline may move within a line, how wide a space is at least, how
/// wide the space between two cells of a table.
const SAME_BASELINE: f64 = 0.45;
const SPACE: f64 = 0.16;
const CELL: f64 = 1.1;

/// A piece of text on one baseline, at positions in points; y grows upwards.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) baseline: f64,
    /// Font size of most of its characters.
    pub(super) size: f64,
    pub(super) is_bold: bool,
    /// Quarter turns against the reading direction.
    pub(super) turn: u8,
    /// Whether it stands beside the line before it, on the same baseline.
    pub(super) is_beside: bool,
    characters: usize,
    bold_characters: usize,
    sized_characters: usize,
}

impl Line {
    /// With one sign for the row of dots that leads to a page number.
    fn without_leaders(mut self) -> Self {
        const DOTS: usize = 5;
        let mut text = String::with_capacity(self.text.len());
        let mut rest = self.text.as_str();
        while let Some(at) = rest.find('.') {
            let end = rest[at..].find(|c| c != '.' && c != ' ').map_or(rest.len(), |length| at + length);
            if rest[at..end].matches('.').count() >= DOTS {
                text.push_str(rest[..at].trim_end());
                text.push_str(" … ");
            } else {
                text.push_str(&rest[..end]);
            }
            rest = &rest[end..];
        }
        text.push_str(rest);
        self.text = text;
        self
    }
}

/// Receives the glyphs of a page.
pub(super) struct Collector {
    bold: Vec<bool>,
    is_bold: bool,
    lines: Vec<Line>,
    text_bytes: u64,
    most_bytes: u64,
}

impl Collector {
    /// `bold` says for each font of the page whether it is; more than `most_bytes` of text end the page.
    pub(super) fn new(bold: Vec<bool>, most_bytes: u64) -> Self {
        Self { bold, is_bold: false, lines: Vec::new(), text_bytes: 0, most_bytes }
    }

    pub(super) fn is_full(&self) -> bool {
        self.text_bytes > self.most_bytes
    }

    pub(super) fn text_bytes(&self) -> u64 {
        self.text_bytes
    }

    /// The lines in the order of the page's content. Turned ones come last, unless most of the page is turned.
    pub(super) fn into_lines(self) -> Vec<Line> {
        let mut counts = [0_usize; 4];
        for line in &self.lines {
            counts[usize::from(line.turn)] += line.characters;
        }
        let upright = (0..4_u8).rev().max_by_key(|&turn| counts[usize::from(turn)]).unwrap_or(0);
        let (mut lines, turned): (Vec<Line>, Vec<Line>) = self
            .lines
            .into_iter()
            .filter(|line| !line.text.trim().is_empty())
            .map(Line::without_leaders)
            .partition(|line| line.turn == upright);
        lines.extend(turned);
        lines
    }

    fn add(&mut self, glyph: &Glyph, text: &str) {
        let Some(line) = self.lines.last_mut() else { return self.begin(glyph, text, false) };
        let size = line.size.max(glyph.size);
        let moved = (glyph.baseline - line.baseline).abs();
        let gap = glyph.left - line.right;
        if line.turn != glyph.turn || moved > SAME_BASELINE * size || gap < -size {
            return self.begin(glyph, text, false);
        }
        // Printing a glyph twice, slightly moved, makes it look bold.
        if gap < -0.5 * (glyph.right - glyph.left) && line.text.ends_with(text) && !text.trim().is_empty() {
            line.is_bold = true;
            return;
        }
        if gap > CELL * size {
            return self.begin(glyph, text, true);
        }
        if gap > SPACE * size && !line.text.ends_with(' ') && !text.starts_with(' ') {
            line.text.push(' ');
        }
        line.text.push_str(text);
        line.right = line.right.max(glyph.right);
        let counted = usize::from(!text.trim().is_empty());
        line.characters += counted;
        line.bold_characters += if self.is_bold { counted } else { 0 };
        line.is_bold = line.bold_characters * 10 >= line.characters * 9;
        // The size of the majority (Boyer and Moore 1981).
        if (line.size - glyph.size).abs() < 0.05 {
            line.sized_characters += counted;
        } else if line.sized_characters > 1 {
            line.sized_characters -= counted;
        } else {
            (line.size, line.baseline, line.sized_characters) = (glyph.size, glyph.baseline, 1);
        }
    }

    fn begin(&mut self, glyph: &Glyph, text: &str, is_beside: bool) {
        // Spaces between the cells of a table or at the start of a line say nothing.
        if text.trim().is_empty() {
            return;
        }
        self.lines.push(Line {
            text: text.to_owned(),
            left: glyph.left,
            right: glyph.right,
            baseline: glyph.baseline,
            size: glyph.size,
            is_bold: self.is_bold,
            turn: glyph.turn,
            is_beside,
            characters: 1,
            bold_characters: usize::from(self.is_bold),
            sized_characters: 1,
        });
    }
}

/// Where a glyph stands, turned so that it reads from left to right.
struct Glyph {
    left: f64,
    right: f64,
    baseline: f64,
    size: f64,
    turn: u8,
}

impl Glyph {
    /// `None` for text that is not along one of the sides of the page, such as a watermark across it.
    fn new(matrix: &Transform, width: f64, spacing: f64, font_size: f64) -> Option<Self> {
        let scale = matrix.m11.hypot(matrix.m12);
        let size = (font_size * matrix.m21.hypot(matrix.m22)).abs();
        let advance = (width * font_size + spacing.max(0.0)) * scale;
        let (x, y) = (matrix.m31, matrix.m32);
        let slanted = matrix.m11.abs().min(matrix.m12.abs()) > 0.1 * scale;
        let is_finite = [x, y, size, advance].iter().all(|number| number.is_finite());
        if slanted || !is_finite || size <= 0.0 {
            return None;
        }
        let (left, baseline, turn) = match () {
            () if matrix.m11.abs() >= matrix.m12.abs() && matrix.m11 * font_size >= 0.0 => (x, y, 0),
            () if matrix.m11.abs() >= matrix.m12.abs() => (-x, -y, 2),
            () if matrix.m12 > 0.0 => (y, -x, 1),
            () => (-y, x, 3),
        };
        Some(Self { left, right: left + advance.abs(), baseline, size, turn })
    }
}

impl OutputDev for Collector {
    fn begin_page(&mut self, _: u32, _: &MediaBox, _: Option<(f64, f64, f64, f64)>) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn output_character(
        &mut self,
        matrix: &Transform,
        width: f64,
        spacing: f64,
        font_size: f64,
        text: &str,
    ) -> Result<(), OutputError> {
        self.text_bytes += text.len() as u64;
        if self.is_full() {
            return Err(OutputError::FormatError(std::fmt::Error));
        }
        if let Some(glyph) = Glyph::new(matrix, width, spacing, font_size) {
            let text: String = text.chars().flat_map(without_ligature).filter(|c| !c.is_control()).collect();
            if !text.is_empty() {
                self.add(&glyph, &text);
            }
        }
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    /// Strokes carry the number of the font in use from here on.
    fn stroke(&mut self, _: &Transform, _: &ColorSpace, _: &[f64], path: &Path) -> Result<(), OutputError> {
        if let Some(PathOp::MoveTo(number, _)) = path.ops.first() {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let number = *number as usize;
            self.is_bold = self.bold.get(number).copied().unwrap_or(false);
        }
        Ok(())
    }
}

/// The letters of a ligature, any other character as it is.
fn without_ligature(c: char) -> impl Iterator<Item = char> {
    let is_ligature = matches!(c, '\u{fb00}'..='\u{fb06}' | '\u{fb13}'..='\u{fb17}' | 'ĳ' | 'Ĳ' | 'ŉ');
    let letters = is_ligature.then(|| std::iter::once(c).nfkc());
    letters.into_iter().flatten().chain((!is_ligature).then_some(c))
}

/// A line for tests; each character is half as wide as it is high.
#[cfg(test)]
pub(super) fn line(text: &str, left: f64, baseline: f64, size: f64) -> Line {
    let characters = text.chars().count();
    let right = left + characters as f64 * size * 0.5;
    let text = text.to_owned();
    Line {
        text,
        left,
        right,
        baseline,
        size,
        is_bold: false,
        turn: 0,
        is_beside: false,
        characters,
        bold_characters: 0,
        sized_characters: characters,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaders_become_one_sign() {
        for (text, expected) in [
            ("2.1 Leave . . . . . . . 14", "2.1 Leave … 14"),
            ("Leave.......3", "Leave … 3"),
            ("Wait... 2.5 days. End.", "Wait... 2.5 days. End."),
        ] {
            assert_eq!(line(text, 0.0, 0.0, 10.0).without_leaders().text, expected);
        }
    }

    #[test]
    fn ligatures_are_letters_and_other_signs_stay() {
        let text: String = "ﬁnd ﬄ ½ ² Å".chars().flat_map(without_ligature).collect();
        assert_eq!(text, "find ffl ½ ² Å");
    }
}
