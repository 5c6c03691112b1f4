//! Rewrites the content of a page to its text operators alone, with forms put in where they are drawn.

use super::fonts::{self, Font};
use super::streams::Budget;
use crate::ExtractError;
use pdf_extract::content::{Content, Operation};
use pdf_extract::{Dictionary, Document, Object, ObjectId, Stream};
use std::collections::HashMap;

/// How deep forms may be drawn within forms, and graphics states saved.
const FORM_DEPTH: usize = 16;
const STATE_DEPTH: usize = 128;
/// The most operators of a page after rewriting, and bytes of one content stream: parsed, it takes fifty times as much.
const OPERATORS: usize = 1_000_000;
const CONTENT_BYTES: usize = 16 << 20;

/// The text operators of one page.
pub(super) struct Flat {
    pub(super) operations: Vec<Operation>,
    /// The fonts that they name `0`, `1`, and so on.
    pub(super) fonts: Vec<Font>,
    /// Whether something was left out that may have been text.
    pub(super) is_incomplete: bool,
}

/// Rewrites a page. Before every change of font it draws a stroke from (n, 0), which tells the receiver that font n
/// is in use from there on.
pub(super) fn flatten(document: &Document, page: ObjectId, budget: &mut Budget<'_>) -> Result<Flat, ExtractError> {
    let mut writer = Writer {
        document,
        budget,
        flat: Flat { operations: Vec::new(), fonts: Vec::new(), is_incomplete: false },
        known: HashMap::new(),
        font: None,
        marked: None,
        states: Vec::new(),
        ignored_states: 0,
        pagination: Vec::new(),
    };
    let Ok(dictionary) = document.get_dictionary(page) else {
        writer.flat.is_incomplete = true;
        return Ok(writer.flat);
    };
    if let Some(turn) = rotation(document, dictionary) {
        writer.push("cm", turn.iter().map(|&number| Object::Integer(number)).collect());
    }
    let mut content = Vec::new();
    for id in document.get_page_contents(page) {
        let Ok(stream) = document.get_object(id).and_then(Object::as_stream) else { continue };
        match writer.budget.unpack(stream)? {
            Some(part) => content.extend_from_slice(&part),
            None => writer.flat.is_incomplete = true,
        }
        content.push(b'\n');
    }
    let resources = inherited(document, dictionary, b"Resources").and_then(|object| object.as_dict().ok());
    writer.content(&content, resources, 0)?;
    Ok(writer.flat)
}

/// A value of the page or of the nodes above it (ISO 32000-1, section 7.7.3.4).
pub(super) fn inherited<'d>(document: &'d Document, page: &'d Dictionary, key: &[u8]) -> Option<&'d Object> {
    const TREE_DEPTH: usize = 64;
    let mut node = page;
    for _ in 0..TREE_DEPTH {
        if let Ok(value) = node.get(key) {
            return document.dereference(value).ok().map(|(_, value)| value);
        }
        node = document.dereference(node.get(b"Parent").ok()?).ok()?.1.as_dict().ok()?;
    }
    None
}

/// The matrix that turns a page as `Rotate` asks for; where its corner comes to lie does not matter here.
fn rotation(document: &Document, page: &Dictionary) -> Option<[i64; 6]> {
    match inherited(document, page, b"Rotate")?.as_i64().ok()?.rem_euclid(360) {
        90 => Some([0, -1, 1, 0, 0, 0]),
        180 => Some([-1, 0, 0, -1, 0, 0]),
        270 => Some([0, 1, -1, 0, 0, 0]),
        _ => None,
    }
}

#[derive(PartialEq, Eq, Hash)]
enum FontKey {
    Shared(ObjectId),
    /// A dictionary inside the resources, known by where it lies.
    Inline(*const Dictionary),
}

struct Writer<'d, 'b, 'l> {
    document: &'d Document,
    budget: &'b mut Budget<'l>,
    flat: Flat,
    known: HashMap<FontKey, usize>,
    /// The current font, the one that was last told, and those of the saved graphics states.
    font: Option<usize>,
    marked: Option<usize>,
    states: Vec<Option<usize>>,
    ignored_states: usize,
    /// For each open marked content, whether it is a header or footer of the pages.
    pagination: Vec<bool>,
}

impl<'d> Writer<'d, '_, '_> {
    fn content(&mut self, content: &[u8], resources: Option<&'d Dictionary>, depth: usize) -> Result<(), ExtractError> {
        if content.len() > CONTENT_BYTES {
            self.flat.is_incomplete = true;
            return Ok(());
        }
        let Ok(content) = Content::decode(content) else {
            self.flat.is_incomplete = true;
            return Ok(());
        };
        for operation in content.operations {
            if self.flat.operations.len() > OPERATORS {
                self.flat.is_incomplete = true;
                return Ok(());
            }
            self.operation(operation, resources, depth)?;
        }
        Ok(())
    }

    fn operation(
        &mut self,
        operation: Operation,
        resources: Option<&'d Dictionary>,
        depth: usize,
    ) -> Result<(), ExtractError> {
        let Operation { operator, mut operands } = operation;
        match operator.as_str() {
            "BT" | "ET" | "T*" => self.push(&operator, Vec::new()),
            "Tc" | "Tw" | "Tz" | "TL" | "Ts" => self.push_numbers(&operator, operands, 1),
            "Td" | "TD" => self.push_numbers(&operator, operands, 2),
            "Tm" | "cm" => self.push_numbers(&operator, operands, 6),
            "Tf" => self.select_font(&operands, resources)?,
            "Tj" => self.show(operands.pop()),
            "TJ" => self.show_array(operands.pop()),
            // ISO 32000-1, table 109: both are shorthands.
            "'" => {
                self.push("T*", Vec::new());
                self.show(operands.pop());
            }
            "\"" if operands.len() == 3 => {
                let text = operands.pop();
                let character = operands.split_off(1);
                self.push_numbers("Tw", operands, 1);
                self.push_numbers("Tc", character, 1);
                self.push("T*", Vec::new());
                self.show(text);
            }
            "q" => self.save(),
            "Q" => self.restore(),
            "BMC" => self.pagination.push(false),
            "BDC" => {
                let is_artifact = operands.first().and_then(|tag| tag.as_name().ok()) == Some(b"Artifact");
                let kind = operands.get(1).and_then(|list| list.as_dict().ok()?.get(b"Type").ok()?.as_name().ok());
                self.pagination.push(is_artifact && kind == Some(b"Pagination"));
            }
            "EMC" => {
                self.pagination.pop();
            }
            "Do" => self.draw(&operands, resources, depth)?,
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, operator: &str, operands: Vec<Object>) {
        self.flat.operations.push(Operation::new(operator, operands));
    }

    fn push_numbers(&mut self, operator: &str, operands: Vec<Object>, count: usize) {
        if operands.len() == count && operands.iter().all(|operand| operand.as_float().is_ok_and(f32::is_finite)) {
            self.push(operator, operands);
        }
    }

    fn save(&mut self) {
        if self.states.len() >= STATE_DEPTH {
            self.ignored_states += 1;
            return;
        }
        self.states.push(self.font);
        self.push("q", Vec::new());
    }

    fn restore(&mut self) {
        if self.ignored_states > 0 {
            self.ignored_states -= 1;
        } else if let Some(font) = self.states.pop() {
            self.font = font;
            self.push("Q", Vec::new());
        }
    }

    fn select_font(&mut self, operands: &[Object], resources: Option<&'d Dictionary>) -> Result<(), ExtractError> {
        let [name, size] = operands else { return Ok(()) };
        let (Ok(name), true) = (name.as_name(), size.as_float().is_ok_and(f32::is_finite)) else { return Ok(()) };
        let document = self.document;
        let entry = resources.and_then(|resources| dictionary(document, resources, b"Font")?.get(name).ok());
        let font = entry.and_then(|entry| document.dereference(entry).ok()?.1.as_dict().ok());
        let (Some(entry), Some(font)) = (entry, font) else {
            self.font = None;
            return Ok(());
        };
        let key = entry.as_reference().map_or(FontKey::Inline(std::ptr::from_ref(font)), FontKey::Shared);
        let number = match self.known.get(&key) {
            Some(&number) => number,
            None => {
                let number = self.flat.fonts.len();
                self.flat.fonts.push(fonts::check(document, font, self.budget)?);
                self.known.insert(key, number);
                number
            }
        };
        self.font = Some(number);
        self.push("Tf", vec![Object::Name(number.to_string().into_bytes()), size.clone()]);
        Ok(())
    }

    fn show(&mut self, text: Option<Object>) {
        if let Some(text @ Object::String(..)) = text
            && self.begin_text()
        {
            self.push("Tj", vec![text]);
        }
    }

    fn show_array(&mut self, texts: Option<Object>) {
        if let Some(Object::Array(mut texts)) = texts
            && self.begin_text()
        {
            texts.retain(|text| matches!(text, Object::String(..)) || text.as_float().is_ok_and(f32::is_finite));
            self.push("TJ", vec![Object::Array(texts)]);
        }
    }

    /// Says whether text can be shown now, and tells the font.
    fn begin_text(&mut self) -> bool {
        let Some(number) = self.font else {
            self.flat.is_incomplete = true;
            return false;
        };
        if self.pagination.contains(&true) {
            return false;
        }
        if !self.flat.fonts[number].is_readable {
            self.flat.is_incomplete = true;
            return false;
        }
        if self.marked != Some(number) {
            self.marked = Some(number);
            self.push("m", vec![Object::Integer(number as i64), Object::Integer(0)]);
            self.push("S", Vec::new());
        }
        true
    }

    fn draw(
        &mut self,
        operands: &[Object],
        resources: Option<&'d Dictionary>,
        depth: usize,
    ) -> Result<(), ExtractError> {
        let document = self.document;
        let form = operands.first().and_then(|name| {
            let entry = dictionary(document, resources?, b"XObject")?.get(name.as_name().ok()?).ok()?;
            document.dereference(entry).ok()?.1.as_stream().ok()
        });
        let Some(form) = form.filter(|form| is_form(document, form)) else { return Ok(()) };
        if depth >= FORM_DEPTH {
            self.flat.is_incomplete = true;
            return Ok(());
        }
        let Some(content) = self.budget.unpack(form)? else {
            self.flat.is_incomplete = true;
            return Ok(());
        };
        let (states, font, pagination) = (self.states.len(), self.font, self.pagination.len());
        self.save();
        if let Ok(matrix) = form.dict.get(b"Matrix").and_then(Object::as_array) {
            self.push_numbers("cm", matrix.clone(), 6);
        }
        let own = dictionary(document, &form.dict, b"Resources");
        self.content(&content, own.or(resources), depth + 1)?;
        while self.states.len() > states || self.ignored_states > 0 {
            self.restore();
        }
        self.font = font;
        self.pagination.truncate(pagination);
        Ok(())
    }
}

fn dictionary<'d>(document: &'d Document, parent: &'d Dictionary, key: &[u8]) -> Option<&'d Dictionary> {
    document.dereference(parent.get(key).ok()?).ok()?.1.as_dict().ok()
}

fn is_form(document: &Document, stream: &Stream) -> bool {
    let subtype = stream.dict.get(b"Subtype").and_then(|subtype| document.dereference(subtype));
    subtype.is_ok_and(|(_, subtype)| subtype.as_name().is_ok_and(|name| name == b"Form"))
}
