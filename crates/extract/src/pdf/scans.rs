//! Scanned pages: the pictures that a page draws, put together as they are shown (ISO 32000-1, sections 8.3 and 8.9).

mod canvas;
mod samples;

use super::geometry::{Frame, Matrix};
use super::objects::{dictionary, get, inherited, name, numbers};
use super::streams::Budget;
use crate::blocks::Blocks;
use crate::host::{Host, Line, Picture};
use crate::{ExtractError, Limits, guard, recognised};
use canvas::Canvas;
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

/// What was recognised on pages that are pictures.
pub(super) struct Scans {
    /// Page number, its lines, and the width and height of the picture that they were recognised in.
    pages: Vec<(usize, Vec<Line>, (u32, u32))>,
    is_switched_off: bool,
}

impl Scans {
    /// Recognises what is on those of the `pages` whose numbers, from 1 and rising, are in `wanted`.
    pub(super) fn recognise(
        document: &Document,
        pages: &[ObjectId],
        wanted: &[usize],
        limits: &Limits,
        host: &mut dyn Host,
    ) -> Result<Self, ExtractError> {
        let mut scans = Self { pages: Vec::new(), is_switched_off: false };
        for &number in wanted {
            let Some(&id) = pages.get(number - 1) else { continue };
            let Some(picture) = picture(document, id, limits) else { continue };
            match host.recognize(&picture)? {
                Some(lines) if lines.is_empty() => {}
                Some(lines) => scans.pages.push((number, lines, (picture.width, picture.height))),
                None => {
                    scans.is_switched_off = true;
                    break;
                }
            }
        }
        Ok(scans)
    }

    pub(super) fn has_found_on(&self, number: usize) -> bool {
        self.pages.iter().any(|(page, ..)| *page == number)
    }

    pub(super) fn has_text(&self) -> bool {
        !self.pages.is_empty()
    }

    /// Why a file of nothing but pictures gave no text.
    pub(super) fn reason(&self) -> &'static str {
        if self.is_switched_off {
            "its pages are pictures, such as scans, and text recognition (OCR) is switched off here; switch it on or \
             run it on the file first"
        } else {
            "text recognition (OCR) found none on its pages; if they are scans, scan them again with 300 dpi"
        }
    }

    pub(super) fn write(self, blocks: &mut Blocks<'_>) -> Result<(), ExtractError> {
        for (page, lines, size) in self.pages {
            recognised::write(lines, size, u32::try_from(page).ok(), blocks)?;
        }
        Ok(())
    }
}

/// The page as its pictures show it, upright; `None` if they cover little of it or none can be decoded.
fn picture(document: &Document, page: ObjectId, limits: &Limits) -> Option<Picture> {
    // A budget of its own: the pictures of a long scan are unpacked one after the other and never kept.
    guard::catch(|| {
        let budget = Budget::new(limits);
        let dictionary = document.get_dictionary(page).ok()?;
        let frame = Frame::of(document, dictionary);
        // The canvas begins in the upper left corner.
        let to_page = frame.matrix.then(&Matrix::new([1.0, 0.0, 0.0, -1.0, 0.0, frame.height]));
        let mut walk = Walk { document, budget: &budget, placed: Vec::new(), operators: 0 };
        let mut content = Vec::new();
        for id in document.get_page_contents(page) {
            let stream = document.get_object(id).and_then(Object::as_stream).ok()?;
            content.extend(walk.budget.unpack(stream).ok()??);
            content.push(b'\n');
        }
        let resources = inherited(document, dictionary, b"Resources").and_then(|object| object.as_dict().ok());
        walk.content(&content, resources, to_page, 0);
        draw(document, &walk.placed, (frame.width, frame.height), limits)
    })?
}

/// Draws the pictures on a page of this size in points.
fn draw(document: &Document, placed: &[Placed<'_>], size: (f64, f64), limits: &Limits) -> Option<Picture> {
    let covered: f64 = placed.iter().map(|placed| placed.matrix.stretch()).sum();
    if covered < LEAST_SHARE * size.0 * size.1 {
        return None;
    }
    // As fine as the finest picture.
    let number = |placed: &Placed<'_>, key: &[u8]| {
        u32::try_from(get(document, &placed.stream.dict, key)?.as_i64().ok()?).ok().filter(|number| *number > 0)
    };
    let fineness = |placed: &Placed<'_>| {
        let pixels = f64::from(number(placed, b"Width")?) * f64::from(number(placed, b"Height")?);
        Some((pixels / placed.matrix.stretch().max(1.0)).sqrt())
    };
    let finest = placed.iter().filter_map(fineness).fold(1.0, f64::max).min(FINEST);
    let mut canvas = Canvas::new(size, finest.min((PIXELS / (size.0 * size.1)).sqrt()))?;
    let mut drawn = 0;
    for placed in placed {
        // Each is dropped before the next is decoded.
        let budget = Budget::new(limits);
        let decoded = guard::catch(|| samples::decode(document, placed.stream, placed.resources, &budget, limits));
        if let Some(samples) = decoded.flatten() {
            canvas.draw(&samples.picture, samples.is_mask, &placed.matrix);
            drawn += 1;
        }
    }
    (drawn > 0).then(|| canvas.into_picture())
}

/// Follows the operators of a page that say where pictures are drawn.
struct Walk<'d, 'b> {
    document: &'d Document,
    budget: &'b Budget<'b>,
    placed: Vec<Placed<'d>>,
    operators: usize,
}

impl<'d> Walk<'d, '_> {
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
                "cm" => current = matrix(&operation.operands).map_or(current, |matrix| matrix.then(&current)),
                "Do" => self.object(&operation.operands, resources, current, depth),
                _ => {}
            }
        }
    }

    fn object(&mut self, operands: &[Object], resources: Option<&'d Dictionary>, current: Matrix, depth: usize) {
        let document = self.document;
        let stream = || {
            let objects = dictionary(document, resources?, b"XObject")?;
            get(document, objects, operands.first()?.as_name().ok()?)?.as_stream().ok()
        };
        let Some(stream) = stream() else { return };
        let kind = name(document, &stream.dict, b"Subtype");
        if kind == Some(b"Image") {
            if current.stretch().is_finite() && current.stretch() > 0.0 {
                self.placed.push(Placed { stream, resources, matrix: current });
            }
        } else if kind == Some(b"Form") && depth < FORM_DEPTH {
            let Ok(Some(content)) = self.budget.unpack(stream) else { return };
            let matrix = get(document, &stream.dict, b"Matrix").and_then(|matrix| numbers(document, matrix));
            let inner = matrix.map_or(current, |matrix| Matrix::new(matrix).then(&current));
            let own = dictionary(document, &stream.dict, b"Resources");
            self.content(&content, own.or(resources), inner, depth + 1);
        }
    }
}

fn matrix(operands: &[Object]) -> Option<Matrix> {
    let numbers: Vec<f64> = operands.iter().filter_map(super::objects::number).collect();
    <[f64; 6]>::try_from(numbers).ok().map(Matrix::new)
}
