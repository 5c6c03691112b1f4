//! One page: from its objects to lines of text.

use super::flatten::{Flat, flatten};
use super::glyphs::{Collector, Line};
use super::streams::Budget;
use crate::{ExtractError, guard};
use pdf_extract::content::{Content, Operation};
use pdf_extract::{Dictionary, Document, Object, ObjectId, Stream};

/// What was found on a page.
pub(super) struct Page {
    pub(super) lines: Vec<Line>,
    /// Whether there is text that could not be read.
    pub(super) is_incomplete: bool,
}

pub(super) fn read(document: &Document, id: ObjectId, budget: &mut Budget<'_>) -> Result<Page, ExtractError> {
    let flat = guard::catch(|| flatten(document, id, budget));
    let Some(flat) = flat else { return Ok(Page { lines: Vec::new(), is_incomplete: true }) };
    let flat = flat?;
    if flat.fonts.is_empty() {
        return Ok(Page { lines: Vec::new(), is_incomplete: flat.is_incomplete });
    }
    if let Some(lines) = show(&flat, &flat.operations, budget)? {
        return Ok(Page { lines, is_incomplete: flat.is_incomplete });
    }
    // Some font made the library panic. Find out which ones do, and go without them.
    let mut bad = Vec::new();
    for number in 0..flat.fonts.len() {
        if show(&flat, &without(&flat.operations, |font| font != number), budget)?.is_none() {
            bad.push(number);
        }
    }
    let lines = show(&flat, &without(&flat.operations, |font| bad.contains(&font)), budget)?.unwrap_or_default();
    Ok(Page { lines, is_incomplete: true })
}

/// The operators without what is shown in some fonts.
fn without(operations: &[Operation], is_left_out: impl Fn(usize) -> bool) -> Vec<Operation> {
    let mut shown = true;
    let mut kept = Vec::new();
    for operation in operations {
        match operation.operator.as_str() {
            // The mark that tells the font of what is shown from here on.
            "m" => {
                shown = operation
                    .operands
                    .first()
                    .and_then(|font| font.as_i64().ok())
                    .and_then(|font| usize::try_from(font).ok())
                    .is_some_and(|font| !is_left_out(font));
            }
            // Selecting a font is what reads it.
            "Tf" => {
                let number = operation
                    .operands
                    .first()
                    .and_then(|name| name.as_name().ok())
                    .and_then(|name| std::str::from_utf8(name).ok()?.parse().ok());
                if number.is_none_or(&is_left_out) {
                    continue;
                }
            }
            "Tj" | "TJ" if !shown => continue,
            _ => {}
        }
        kept.push(operation.clone());
    }
    kept
}

/// Runs the operators through the font library; `None` if it panics.
fn show(flat: &Flat, operations: &[Operation], budget: &mut Budget<'_>) -> Result<Option<Vec<Line>>, ExtractError> {
    let Ok(content) = (Content { operations }).encode() else { return Ok(None) };
    let document = single_page(flat, content);
    let bold: Vec<bool> = flat.fonts.iter().map(|font| font.is_bold).collect();
    let mut collector = Collector::new(bold, budget.text_left());
    let result = guard::catch(|| pdf_extract::output_doc_page(&document, &mut collector, 1));
    match result {
        None => Ok(None),
        Some(Err(_)) if !collector.is_full() => Ok(None),
        Some(_) => {
            // One more than allowed if there was no end of it.
            budget.take_text(collector.text_bytes())?;
            Ok(Some(collector.into_lines()))
        }
    }
}

/// A document of one page with these operators and fonts, and nothing that refers to anything else.
fn single_page(flat: &Flat, content: Vec<u8>) -> Document {
    let mut fonts = Dictionary::new();
    for (number, font) in flat.fonts.iter().enumerate() {
        fonts.set(number.to_string(), Object::Dictionary(font.dictionary.clone()));
    }
    let dictionary = |entries: Vec<(&str, Object)>| {
        Object::Dictionary(entries.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value)).collect())
    };
    let named = |name: &str| Object::Name(name.as_bytes().to_vec());
    let numbers = [0, 0, 612, 792].map(Object::Integer).to_vec();
    let mut document = Document::new();
    document.trailer.set("Root", Object::Reference((1, 0)));
    document.objects.insert((1, 0), dictionary(vec![("Type", named("Catalog")), ("Pages", Object::Reference((2, 0)))]));
    let kids = Object::Array(vec![Object::Reference((3, 0))]);
    document
        .objects
        .insert((2, 0), dictionary(vec![("Type", named("Pages")), ("Kids", kids), ("Count", Object::Integer(1))]));
    let page = vec![
        ("Type", named("Page")),
        ("MediaBox", Object::Array(numbers)),
        ("Resources", dictionary(vec![("Font", Object::Dictionary(fonts))])),
        ("Contents", Object::Reference((4, 0))),
    ];
    document.objects.insert((3, 0), dictionary(page));
    document.objects.insert((4, 0), Object::Stream(Stream::new(Dictionary::new(), content)));
    document
}
