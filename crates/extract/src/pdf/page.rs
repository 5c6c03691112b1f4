//! One page: from its objects to lines of text.

use super::fonts::Fonts;
use super::geometry::Frame;
use super::glyphs::Line;
use super::interpreter::Interpreter;
use super::objects::{dictionary, get, inherited, name, numbers};
use super::streams::Budget;
use crate::{ExtractError, guard};
use pdf_extract::{Dictionary, Document, Object, ObjectId};

/// The most annotations of a page that are drawn.
const ANNOTATIONS: usize = 2_000;

/// What was found on a page.
#[derive(Default)]
pub(super) struct Page {
    pub(super) lines: Vec<Line>,
    /// Whether there is text that could not be read.
    pub(super) is_incomplete: bool,
    /// How much of it its largest picture covers, 0 to 1.
    picture_share: f64,
}

impl Page {
    /// Whether it is a picture with hardly any text, such as a scan without a layer of recognised text.
    pub(super) fn is_picture(&self) -> bool {
        const CHARACTERS: usize = 16;
        const SHARE: f64 = 0.4;
        let characters: usize = self.lines.iter().map(|line| line.text.chars().count()).sum();
        self.picture_share >= SHARE && characters < CHARACTERS
    }
}

/// Reads a page. What makes a parser underneath panic costs the page, not the file.
pub(super) fn read(
    document: &Document,
    id: ObjectId,
    fonts: &Fonts,
    budget: &Budget<'_>,
) -> Result<Page, ExtractError> {
    let lost = || Ok(Page { is_incomplete: true, ..Page::default() });
    let Ok(page) = document.get_dictionary(id) else { return lost() };
    guard::catch(|| run(document, page, fonts, budget)).unwrap_or_else(lost)
}

fn run(document: &Document, page: &Dictionary, fonts: &Fonts, budget: &Budget<'_>) -> Result<Page, ExtractError> {
    let frame = Frame::of(document, page);
    let mut interpreter = Interpreter::new(document, fonts, budget, frame);
    let mut content = Vec::new();
    for stream in contents(document, page) {
        match budget.unpack(stream)? {
            Some(part) if content.is_empty() => content = part,
            Some(part) => content.extend_from_slice(&part),
            None => interpreter.is_incomplete = true,
        }
        // A stream may end within a line, but not within a word.
        content.push(b'\n');
    }
    let resources = inherited(document, page, b"Resources").and_then(|object| object.as_dict().ok());
    interpreter.run(&content, resources)?;
    annotations(document, page, &mut interpreter)?;
    budget.take_text(interpreter.collector.text_bytes())?;
    Ok(Page {
        is_incomplete: interpreter.is_incomplete,
        picture_share: interpreter.picture_share,
        lines: interpreter.collector.into_lines(&frame),
    })
}

fn contents<'d>(document: &'d Document, page: &'d Dictionary) -> Vec<&'d pdf_extract::Stream> {
    match get(document, page, b"Contents") {
        Some(Object::Stream(stream)) => vec![stream],
        Some(Object::Array(parts)) => {
            parts.iter().filter_map(|part| document.dereference(part).ok()?.1.as_stream().ok()).collect()
        }
        _ => Vec::new(),
    }
}

/// What was written into form fields and text boxes.
fn annotations<'d>(
    document: &'d Document,
    page: &'d Dictionary,
    interpreter: &mut Interpreter<'d, '_>,
) -> Result<(), ExtractError> {
    let Some(Object::Array(all)) = get(document, page, b"Annots") else { return Ok(()) };
    interpreter.collector.begin_overlay();
    for annotation in all.iter().take(ANNOTATIONS) {
        let annotation = document.dereference(annotation).ok().and_then(|(_, annotation)| annotation.as_dict().ok());
        let Some(annotation) = annotation else { continue };
        let is_text = matches!(name(document, annotation, b"Subtype"), Some(b"Widget" | b"FreeText"));
        // Hidden, or not to be viewed (ISO 32000-1, table 165).
        let flags = get(document, annotation, b"F").and_then(|flags| flags.as_i64().ok()).unwrap_or(0);
        if !is_text || flags & 0b10_0010 != 0 {
            continue;
        }
        let normal = dictionary(document, annotation, b"AP").and_then(|all| get(document, all, b"N"));
        let place = get(document, annotation, b"Rect").and_then(|rect| numbers(document, rect));
        if let (Some(Object::Stream(form)), Some(place)) = (normal, place) {
            interpreter.annotation(form, place)?;
        }
    }
    Ok(())
}
