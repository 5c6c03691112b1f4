//! Glyphs to lines.

use super::fonts::Font;
use super::geometry::{Frame, Matrix};
use domain::Area;
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
    /// Set in letters of one width, as programs and their output are.
    pub(super) is_fixed: bool,
    /// Quarter turns against the reading direction.
    pub(super) turn: u8,
    /// Whether it stands beside the line before it, on the same baseline.
    pub(super) is_beside: bool,
    /// Whether it is known to be a line of a column of running text, and no cell of a table.
    pub(super) is_in_column: bool,
    /// Where it is on the page.
    pub(super) area: Area,
    /// The spaces that were not written but left: place in the text, and width in points.
    gaps: Vec<(usize, f64)>,
    /// Where its last glyph begins.
    last_left: f64,
    characters: usize,
    bold_characters: usize,
    fixed_characters: usize,
    sized_characters: usize,
}

const NOWHERE: Area = Area { left: 0, top: 0, right: 0, bottom: 0 };

impl Line {
    /// Whether so much of it is set in letters of one width, in tenths.
    pub(super) fn is_fixed_to(&self, tenths: usize) -> bool {
        self.is_fixed || self.fixed_characters * 10 >= self.characters * tenths && self.fixed_characters > 0
    }

    /// Left, bottom, right and top on the page, turned back.
    fn sides(&self) -> [f64; 4] {
        // About as far as letters go below and above the baseline.
        let (low, high) = (self.baseline - 0.22 * self.size, self.baseline + 0.78 * self.size);
        match self.turn {
            1 => [-high, self.left, -low, self.right],
            2 => [-self.right, -high, -self.left, -low],
            3 => [low, -self.right, high, -self.left],
            _ => [self.left, low, self.right, high],
        }
    }

    /// Takes the spaces out of words with l e t t e r  s p a c i n g: there, only the wider gaps divide words.
    fn with_words(mut self) -> Self {
        const LETTERS: usize = 4;
        let words = self.text.split(' ').filter(|word| !word.is_empty());
        let (single, all) = words.fold((0, 0), |(single, all), word| {
            (single + usize::from(word.chars().count() == 1 && word.chars().all(char::is_alphabetic)), all + 1)
        });
        if single < LETTERS || single * 10 < all * 7 || self.gaps.len() < LETTERS - 1 {
            return self;
        }
        let mut widths: Vec<f64> = self.gaps.iter().map(|(_, width)| *width).collect();
        widths.sort_by(f64::total_cmp);
        let between_letters = widths[widths.len() / 4];
        for (at, width) in self.gaps.iter().rev() {
            if *width < 1.6 * between_letters && self.text[*at..].starts_with(' ') {
                self.text.remove(*at);
            }
        }
        self.gaps.clear();
        self
    }

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
    lines: Vec<Line>,
    /// Where the lines begin that were laid over the page, whatever stands around them.
    overlay: Option<usize>,
    text_bytes: u64,
    most_bytes: u64,
}

impl Collector {
    /// More than `most_bytes` of text end the page.
    pub(super) fn new(most_bytes: u64) -> Self {
        Self { lines: Vec::new(), overlay: None, text_bytes: 0, most_bytes }
    }

    pub(super) fn is_full(&self) -> bool {
        self.text_bytes > self.most_bytes
    }

    pub(super) fn text_bytes(&self) -> u64 {
        self.text_bytes
    }

    /// What comes from here on is laid over the page, such as the content of form fields.
    pub(super) fn begin_overlay(&mut self) {
        self.overlay = Some(self.lines.len());
    }

    /// Puts the lines of the overlay behind what stands above them or on their left.
    fn settle_overlay(&mut self) {
        // More than any form has: they stay at the end.
        const LINES: usize = 4_000;
        let Some(from) = self.overlay.filter(|from| *from < self.lines.len()) else { return };
        if self.lines.len() > LINES {
            return;
        }
        for mut line in self.lines.split_off(from) {
            let at = self.lines.iter().position(|other| other.baseline < line.baseline - 0.5 * line.size);
            let at = at.unwrap_or(self.lines.len());
            let before = at.checked_sub(1).and_then(|before| self.lines.get(before));
            line.is_beside = before.is_some_and(|before| {
                (before.baseline - line.baseline).abs() < 0.5 * line.size && before.right <= line.left
            });
            self.lines.insert(at, line);
        }
    }

    /// Takes a glyph: the matrix of text space without the font's size, the width and what comes after it in text
    /// space. One without text only takes its place.
    pub(super) fn show(&mut self, matrix: &Matrix, width: f64, spacing: f64, size: f64, text: &str, font: &Font) {
        self.text_bytes += text.len() as u64;
        if self.is_full() {
            return;
        }
        let Some(glyph) = Glyph::new(matrix, width, spacing, size, font) else { return };
        if text.chars().any(|c| c.is_control() || is_ligature(c)) {
            let text: String = text.chars().flat_map(without_ligature).filter(|c| !c.is_control()).collect();
            self.add(&glyph, &text);
        } else {
            self.add(&glyph, text);
        }
    }

    /// The lines in the order of the page's content. Turned ones come last, unless most of the page is turned. What
    /// lies outside of what is shown is left out.
    pub(super) fn into_lines(mut self, frame: &Frame) -> Vec<Line> {
        self.settle_overlay();
        let mut counts = [0_usize; 4];
        for line in &self.lines {
            counts[usize::from(line.turn)] += line.characters;
        }
        let upright = (0..4_u8).rev().max_by_key(|&turn| counts[usize::from(turn)]).unwrap_or(0);
        let (mut lines, turned): (Vec<Line>, Vec<Line>) = self
            .lines
            .into_iter()
            .filter(|line| !line.text.trim().is_empty())
            .filter_map(|mut line| {
                line.area = frame.area(line.sides())?;
                Some(line.with_words().without_leaders())
            })
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
        if text.is_empty() {
            line.right = line.right.max(glyph.right);
            return;
        }
        let is_blank = text.trim().is_empty();
        // Printing a glyph twice, slightly moved, makes it look bold.
        if gap < -0.5 * (glyph.right - glyph.left) && line.text.ends_with(text) && !is_blank {
            line.is_bold = true;
            return;
        }
        if gap > CELL * size {
            return self.begin(glyph, text, true);
        }
        // TeX draws an accent, moves back, and draws the letter under it.
        let is_under = glyph.left < (line.last_left + line.right) / 2.0 && text.starts_with(char::is_alphabetic);
        if let Some(accent) = line.text.chars().next_back().and_then(combining).filter(|_| is_under) {
            line.text.pop();
            line.text.push_str(text);
            line.text.push(accent);
            line.right = line.right.max(glyph.right);
            return;
        }
        line.last_left = glyph.left;
        if gap > SPACE * size && !line.text.ends_with(' ') && !text.starts_with(' ') {
            line.gaps.push((line.text.len(), gap));
            line.text.push(' ');
        } else if glyph.is_note_after(line, text) {
            line.text.push(' ');
        }
        line.text.push_str(text);
        line.right = line.right.max(glyph.right);
        let counted = usize::from(!is_blank);
        line.characters += counted;
        line.bold_characters += if glyph.is_bold { counted } else { 0 };
        line.fixed_characters += if glyph.is_fixed { counted } else { 0 };
        line.is_bold = line.bold_characters * 10 >= line.characters * 9;
        line.is_fixed = line.fixed_characters * 10 >= line.characters * 9;
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
            last_left: glyph.left,
            baseline: glyph.baseline,
            size: glyph.size,
            is_bold: glyph.is_bold,
            is_fixed: glyph.is_fixed,
            turn: glyph.turn,
            is_beside,
            is_in_column: false,
            area: NOWHERE,
            gaps: Vec::new(),
            characters: 1,
            bold_characters: usize::from(glyph.is_bold),
            fixed_characters: usize::from(glyph.is_fixed),
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
    is_bold: bool,
    is_fixed: bool,
}

impl Glyph {
    /// `None` for text that is not along one of the sides of the page, such as a watermark across it.
    fn new(matrix: &Matrix, width: f64, spacing: f64, font_size: f64, font: &Font) -> Option<Self> {
        let scale = matrix.a.hypot(matrix.b);
        let size = (font_size * matrix.c.hypot(matrix.d)).abs();
        let advance = (width * font_size + spacing.max(0.0)) * scale;
        let (x, y) = (matrix.e, matrix.f);
        let slanted = matrix.a.abs().min(matrix.b.abs()) > 0.1 * scale;
        let is_finite = [x, y, size, advance].iter().all(|number| number.is_finite());
        if slanted || !is_finite || size <= 0.0 {
            return None;
        }
        let (left, baseline, turn) = match () {
            // Columns of text from right to left are lines of a page that is turned.
            () if font.is_vertical => (-y, x, 3),
            () if matrix.a.abs() >= matrix.b.abs() && matrix.a * font_size >= 0.0 => (x, y, 0),
            () if matrix.a.abs() >= matrix.b.abs() => (-x, -y, 2),
            () if matrix.b > 0.0 => (y, -x, 1),
            () => (-y, x, 3),
        };
        let (is_bold, is_fixed) = (font.is_bold, font.is_fixed);
        Some(Self { left, right: left + advance.abs(), baseline, size, turn, is_bold, is_fixed })
    }

    /// Whether this is the raised number of a note behind a word, which would else read as a part of it.
    fn is_note_after(&self, line: &Line, text: &str) -> bool {
        const UNITS: [&str; 6] = ["mm", "cm", "dm", "km", "m", "ft"];
        let is_raised = self.size < 0.85 * line.size && self.baseline > line.baseline + 0.15 * line.size;
        let is_mark = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '†' | '‡'));
        let last = line.text.rsplit(' ').next().unwrap_or_default();
        let word = last.trim_start_matches(|c: char| !c.is_alphabetic());
        // Raised numbers may follow each other; and a power belongs to its base.
        let goes_on = last.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '†' | '‡'));
        is_raised && is_mark && !goes_on && !UNITS.contains(&word) && word.chars().count() > 1
    }
}

/// The accent that joins the letter before it, for one that stands alone.
fn combining(accent: char) -> Option<char> {
    Some(match accent {
        '`' => '\u{300}',
        '´' => '\u{301}',
        '^' | 'ˆ' => '\u{302}',
        '~' | '˜' => '\u{303}',
        '¯' => '\u{304}',
        '˘' => '\u{306}',
        '˙' => '\u{307}',
        '¨' => '\u{308}',
        '˚' => '\u{30a}',
        '˝' => '\u{30b}',
        'ˇ' => '\u{30c}',
        '¸' => '\u{327}',
        _ => return None,
    })
}

fn is_ligature(c: char) -> bool {
    matches!(c, '\u{fb00}'..='\u{fb06}' | '\u{fb13}'..='\u{fb17}' | 'ĳ' | 'Ĳ' | 'ŉ')
}

/// The letters of a ligature, any other character as it is.
fn without_ligature(c: char) -> impl Iterator<Item = char> {
    let letters = is_ligature(c).then(|| std::iter::once(c).nfkc());
    letters.into_iter().flatten().chain((!is_ligature(c)).then_some(c))
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
        is_fixed: false,
        turn: 0,
        is_beside: false,
        is_in_column: false,
        area: NOWHERE,
        gaps: Vec::new(),
        last_left: left,
        characters,
        bold_characters: 0,
        fixed_characters: 0,
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
