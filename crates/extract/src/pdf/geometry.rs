//! Coordinates: matrices, and the part of a page that is shown.

use super::objects::{get, inherited, number, numbers};
use domain::Area;
use pdf_extract::{Dictionary, Document};

/// `[a b 0; c d 0; e f 1]` (ISO 32000-1, section 8.3.3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Matrix {
    pub(super) a: f64,
    pub(super) b: f64,
    pub(super) c: f64,
    pub(super) d: f64,
    pub(super) e: f64,
    pub(super) f: f64,
}

impl Matrix {
    pub(super) const IDENTITY: Self = Self { a: 1.0, b: 0.0, c: 0.0, d: 1.0, e: 0.0, f: 0.0 };

    pub(super) const fn new([a, b, c, d, e, f]: [f64; 6]) -> Self {
        Self { a, b, c, d, e, f }
    }

    pub(super) const fn translation(e: f64, f: f64) -> Self {
        Self { e, f, ..Self::IDENTITY }
    }

    /// First this one, then `next`.
    pub(super) fn then(&self, next: &Self) -> Self {
        Self {
            a: self.a * next.a + self.b * next.c,
            b: self.a * next.b + self.b * next.d,
            c: self.c * next.a + self.d * next.c,
            d: self.c * next.b + self.d * next.d,
            e: self.e * next.a + self.f * next.c + next.e,
            f: self.e * next.b + self.f * next.d + next.f,
        }
    }

    pub(super) fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        (x * self.a + y * self.c + self.e, x * self.b + y * self.d + self.f)
    }

    /// The area that a square of 1 has afterwards.
    pub(super) fn stretch(&self) -> f64 {
        (self.a * self.d - self.b * self.c).abs()
    }
}

/// A page as it is shown: turned, and cut to its box. Its lower left corner is the origin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// From the page's own coordinates to those of what is shown, in points.
    pub(super) matrix: Matrix,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Frame {
    /// The crop box within the media box, `Rotate` and `UserUnit` (ISO 32000-1, table 30).
    pub(super) fn of(document: &Document, page: &Dictionary) -> Self {
        const LETTER: [f64; 4] = [0.0, 0.0, 612.0, 792.0];
        let media = page_box(document, page, b"MediaBox").unwrap_or(LETTER);
        let crop = page_box(document, page, b"CropBox").and_then(|crop| intersection(crop, media)).unwrap_or(media);
        let unit = get(document, page, b"UserUnit").and_then(number).filter(|unit| (0.001..=75_000.0).contains(unit));
        let turn = inherited(document, page, b"Rotate").and_then(number).unwrap_or(0.0).rem_euclid(360.0);
        let [left, bottom, right, top] = crop;
        let (width, height) = (right - left, top - bottom);
        let (turned, width, height) = match () {
            () if turn == 90.0 => ([0.0, -1.0, 1.0, 0.0, -bottom, right], height, width),
            () if turn == 180.0 => ([-1.0, 0.0, 0.0, -1.0, right, top], width, height),
            () if turn == 270.0 => ([0.0, 1.0, -1.0, 0.0, top, -left], height, width),
            () => ([1.0, 0.0, 0.0, 1.0, -left, -bottom], width, height),
        };
        let unit = unit.unwrap_or(1.0);
        let scale = Matrix::new([unit, 0.0, 0.0, unit, 0.0, 0.0]);
        Self { matrix: Matrix::new(turned).then(&scale), width: width * unit, height: height * unit }
    }

    /// A box of `[left, bottom, right, top]` in ten-thousandths; `None` if nothing of it is shown.
    pub(super) fn area(&self, [left, bottom, right, top]: [f64; 4]) -> Option<Area> {
        if right < 0.0 || top < 0.0 || left > self.width || bottom > self.height {
            return None;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let share = |part: f64, of: f64| (part / of * 10_000.0).clamp(0.0, 10_000.0).round() as u16;
        Some(Area {
            left: share(left, self.width),
            top: share(self.height - top, self.height),
            right: share(right, self.width),
            bottom: share(self.height - bottom, self.height),
        })
    }
}

fn page_box(document: &Document, page: &Dictionary, key: &[u8]) -> Option<[f64; 4]> {
    let [x, y, other_x, other_y] = numbers::<4>(document, inherited(document, page, key)?)?;
    let sorted = [x.min(other_x), y.min(other_y), x.max(other_x), y.max(other_y)];
    (sorted[2] - sorted[0] >= 1.0 && sorted[3] - sorted[1] >= 1.0).then_some(sorted)
}

fn intersection(one: [f64; 4], other: [f64; 4]) -> Option<[f64; 4]> {
    let both = [one[0].max(other[0]), one[1].max(other[1]), one[2].min(other[2]), one[3].min(other[3])];
    (both[2] - both[0] >= 1.0 && both[3] - both[1] >= 1.0).then_some(both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdf_extract::Object;

    fn check(rotate: i64, expected: [u16; 4]) {
        let mut page = Dictionary::new();
        let numbers = |numbers: [i64; 4]| Object::Array(numbers.map(Object::Integer).to_vec());
        page.set("MediaBox", numbers([0, 0, 1000, 1000]));
        page.set("CropBox", numbers([100, 200, 300, 600]));
        page.set("Rotate", Object::Integer(rotate));
        let frame = Frame::of(&Document::new(), &page);
        // The lower left tenth of what is shown before it is turned.
        let (one, other) = (frame.matrix.apply(100.0, 200.0), frame.matrix.apply(120.0, 240.0));
        let area = frame.area([one.0.min(other.0), one.1.min(other.1), one.0.max(other.0), one.1.max(other.1)]);
        let area = area.unwrap();
        assert_eq!([area.left, area.top, area.right, area.bottom], expected, "{rotate}");
    }

    #[test]
    fn areas_are_those_of_the_page_as_it_is_shown() {
        check(0, [0, 9_000, 1_000, 10_000]);
        check(90, [0, 0, 1_000, 1_000]);
        check(180, [9_000, 0, 10_000, 1_000]);
        check(-90, [9_000, 9_000, 10_000, 10_000]);
    }
}
