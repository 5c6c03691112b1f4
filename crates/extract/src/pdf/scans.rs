//! Scanned pages: the pictures that a page draws, put together as they are shown (ISO 32000-1, sections 8.3 and 8.9).

mod canvas;
mod samples;

use super::flatten::inherited;
use super::glyphs;
use super::streams::Budget;
use crate::blocks::Blocks;
use crate::host::{Host, Line, Picture};
use crate::{ExtractError, Limits, guard, recognised};
use canvas::{Canvas, Matrix};
use pdf_extract::content::Content;
use pdf_extract::{Dictionary, Document, Object, ObjectId, Stream};

/// How many pictures of a page are looked at, and how deep forms may be drawn within forms.
const PICTURES: usize = 64;
const FORM_DEPTH: usize = 8;
/// The most operators of a page that are followed.
const OPERATORS: usize = 200_000;
/// Pictures that cover less of the page are no scan of it.
const LEAST_SHARE: f64 = 0.2;
/// The finest grid, in pixels a point: 300 dots an inch. Recognition gains nothing from more.
const FINEST: f64 = 300.0 / 72.0;
/// The most pixels of a page.
const PIXELS: f64 = 20e6;

/// A picture and where the page draws it: the unit square goes through the matrix.
struct Placed<'d> {
    stream: &'d Stream,
    resources: Option<&'d Dictionary>,
    matrix: Matrix,
}

/// What was recognised on pages without text of their own.
pub(super) struct Scans {
    /// For each page its lines, and the width and height of the picture that they were recognised in.
    pages: Vec<Option<(Vec<Line>, (u32, u32))>>,
    is_switched_off: bool,
}

impl Scans {
    /// Recognises what is on the pages that have hardly any text in `lines`.
    pub(super) fn recognise(
        document: &Document,
        pages: &[ObjectId],
        lines: &[Vec<glyphs::Line>],
        limits: &Limits,
        host: &mut dyn Host,
    ) -> Result<Self, ExtractError> {
        /// A stamp or a page number over a scan is no text of its own.
        const LETTERS: usize = 40;
        let mut scans = Self { pages: vec![None; pages.len()], is_switched_off: false };
        for (place, &id) in pages.iter().enumerate() {
            let letters: usize = lines[place].iter().map(|line| line.text.len()).sum();
            if letters >= LETTERS || scans.is_switched_off {
                continue;
            }
            let Some(picture) = picture(document, id, limits) else { continue };
            match host.recognize(&picture)? {
                Some(found) if !found.is_empty() => {
                    scans.pages[place] = Some((found, (picture.width, picture.height)));
                }
                Some(_) => {}
                None => scans.is_switched_off = true,
            }
        }
        Ok(scans)
    }

    /// For each page whether something was recognised on it.
    pub(super) fn found(&self) -> impl Iterator<Item = bool> {
        self.pages.iter().map(Option::is_some)
    }

    pub(super) fn has_text(&self) -> bool {
        self.found().any(|is_found| is_found)
    }

    /// Why a file of nothing but pictures gave no text.
    pub(super) fn reason(&self) -> &'static str {
        if self.is_switched_off {
            "its pages are pictures, such as scans, and text recognition (OCR) is switched off here; switch it on or run it on the file first"
        } else {
            "its pages are pictures in which text recognition (OCR) found none; if there is some, scan it again with 300 dpi"
        }
    }

    pub(super) fn write(self, blocks: &mut Blocks<'_>) -> Result<(), ExtractError> {
        for (page, scan) in (1..).zip(self.pages) {
            if let Some((lines, size)) = scan {
                recognised::write(lines, size, Some(page), blocks)?;
            }
        }
        Ok(())
    }
}

/// The page as its pictures show it, upright; `None` if they cover little of it or none can be decoded.
fn picture(document: &Document, page: ObjectId, limits: &Limits) -> Option<Picture> {
    // A budget of its own: the pictures of a long scan are unpacked one after the other and never kept.
    guard::catch(|| {
        let mut budget = Budget::new(limits);
        let dictionary = document.get_dictionary(page).ok()?;
        let (to_page, size) = page_matrix(document, dictionary)?;
        let mut walk = Walk { document, budget: &mut budget, placed: Vec::new(), operators: 0 };
        let mut content = Vec::new();
        for id in document.get_page_contents(page) {
            let stream = document.get_object(id).and_then(Object::as_stream).ok()?;
            content.extend(walk.budget.unpack(stream).ok()??);
            content.push(b'\n');
        }
        let resources = inherited(document, dictionary, b"Resources").and_then(|object| object.as_dict().ok());
        walk.content(&content, resources, to_page, 0);
        draw(document, &walk.placed, size, limits)
    })?
}

/// Draws the pictures on a page of this size in points.
fn draw(document: &Document, placed: &[Placed<'_>], size: (f64, f64), limits: &Limits) -> Option<Picture> {
    let covered: f64 = placed.iter().map(|placed| placed.matrix.area()).sum();
    if covered < LEAST_SHARE * size.0 * size.1 {
        return None;
    }
    // As fine as the finest picture.
    let number = |placed: &Placed<'_>, key: &[u8]| {
        let (_, value) = document.dereference(placed.stream.dict.get(key).ok()?).ok()?;
        u32::try_from(value.as_i64().ok()?).ok().filter(|number| *number > 0)
    };
    let fineness = |placed: &Placed<'_>| {
        let pixels = f64::from(number(placed, b"Width")?) * f64::from(number(placed, b"Height")?);
        Some((pixels / placed.matrix.area().max(1.0)).sqrt())
    };
    let finest = placed.iter().filter_map(fineness).fold(1.0, f64::max).min(FINEST);
    let mut canvas = Canvas::new(size, finest.min((PIXELS / (size.0 * size.1)).sqrt()))?;
    let mut drawn = 0;
    for placed in placed {
        // Each is dropped before the next is decoded.
        let mut budget = Budget::new(limits);
        let decoded = guard::catch(|| samples::decode(document, placed.stream, placed.resources, &mut budget));
        if let Some(samples) = decoded.flatten() {
            canvas.draw(&samples.picture, samples.is_mask, placed.matrix);
            drawn += 1;
        }
    }
    (drawn > 0).then(|| canvas.into_picture())
}

/// From the page's own coordinates to points from the upper left corner of the page as it is shown, and its width and
/// height there.
fn page_matrix(document: &Document, page: &Dictionary) -> Option<(Matrix, (f64, f64))> {
    let rectangle = |key: &[u8]| {
        let corners: Vec<f64> = inherited(document, page, key)?
            .as_array()
            .ok()?
            .iter()
            .filter_map(|number| document.dereference(number).ok()?.1.as_float().ok().map(f64::from))
            .collect();
        let &[x, y, other_x, other_y] = corners.as_slice() else { return None };
        let (left, right, bottom, top) = (x.min(other_x), x.max(other_x), y.min(other_y), y.max(other_y));
        ((1.0..20_000.0).contains(&(right - left)) && (1.0..20_000.0).contains(&(top - bottom))).then_some((
            left,
            bottom,
            right - left,
            top - bottom,
        ))
    };
    let (left, bottom, width, height) = rectangle(b"CropBox").or_else(|| rectangle(b"MediaBox"))?;
    let upright = Matrix([1.0, 0.0, 0.0, -1.0, -left, bottom + height]);
    let turn = inherited(document, page, b"Rotate").and_then(|turn| turn.as_i64().ok()).unwrap_or(0);
    Some(match turn.rem_euclid(360) {
        90 => (upright.then(Matrix([0.0, 1.0, -1.0, 0.0, height, 0.0])), (height, width)),
        180 => (upright.then(Matrix([-1.0, 0.0, 0.0, -1.0, width, height])), (width, height)),
        270 => (upright.then(Matrix([0.0, -1.0, 1.0, 0.0, 0.0, width])), (height, width)),
        _ => (upright, (width, height)),
    })
}

/// Follows the operators of a page that say where pictures are drawn.
struct Walk<'d, 'b, 'l> {
    document: &'d Document,
    budget: &'b mut Budget<'l>,
    placed: Vec<Placed<'d>>,
    operators: usize,
}

impl<'d> Walk<'d, '_, '_> {
    fn content(&mut self, content: &[u8], resources: Option<&'d Dictionary>, start: Matrix, depth: usize) {
        let Ok(content) = Content::decode(content) else { return };
        let (mut current, mut saved) = (start, Vec::new());
        for operation in content.operations {
            self.operators += 1;
            if self.operators > OPERATORS || self.placed.len() >= PICTURES {
                return;
            }
            match operation.operator.as_str() {
                "q" if saved.len() < OPERATORS => saved.push(current),
                "Q" => current = saved.pop().unwrap_or(start),
                "cm" => current = Matrix::of(&operation.operands).map_or(current, |matrix| matrix.then(current)),
                "Do" => self.object(&operation.operands, resources, current, depth),
                _ => {}
            }
        }
    }

    fn object(&mut self, operands: &[Object], resources: Option<&'d Dictionary>, current: Matrix, depth: usize) {
        let document = self.document;
        let follow = |object: &'d Object| document.dereference(object).ok().map(|(_, object)| object);
        let stream = || {
            let objects = follow(resources?.get(b"XObject").ok()?)?.as_dict().ok()?;
            follow(objects.get(operands.first()?.as_name().ok()?).ok()?)?.as_stream().ok()
        };
        let Some(stream) = stream() else { return };
        let kind = stream.dict.get(b"Subtype").ok().and_then(follow).and_then(|kind| kind.as_name().ok());
        if kind == Some(b"Image") {
            if current.area().is_finite() && current.area() > 0.0 {
                self.placed.push(Placed { stream, resources, matrix: current });
            }
        } else if kind == Some(b"Form") && depth < FORM_DEPTH {
            let Ok(Some(content)) = self.budget.unpack(stream) else { return };
            let matrix = stream.dict.get(b"Matrix").and_then(Object::as_array).ok().and_then(|m| Matrix::of(m));
            let own = stream.dict.get(b"Resources").ok().and_then(follow).and_then(|own| own.as_dict().ok());
            let inner = matrix.map_or(current, |matrix| matrix.then(current));
            self.content(&content, own.or(resources), inner, depth + 1);
        }
    }
}
