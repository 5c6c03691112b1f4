//! Runs the content of a page as far as text goes: where which glyph stands (ISO 32000-1, sections 8.4 and 9).

use super::content::{Token, Tokens};
use super::fonts::{Font, Fonts};
use super::geometry::{Frame, Matrix};
use super::glyphs::Collector;
use super::objects::{dictionary, get, name, numbers, text_string};
use super::streams::Budget;
use crate::ExtractError;
use pdf_extract::{Dictionary, Document, Object, Stream};
use std::sync::Arc;

/// How deep forms may be drawn within forms, and graphics states saved; operands of one operator.
const FORM_DEPTH: usize = 16;
const STATE_DEPTH: usize = 128;
const OPERANDS: usize = 1 << 16;
/// The most operators of a page with all of its forms, and bytes of one content stream.
const OPERATORS: usize = 4_000_000;
const CONTENT_BYTES: usize = 64 << 20;

/// The graphics state, as far as text depends on it.
#[derive(Clone)]
struct State {
    matrix: Matrix,
    font: Option<Arc<Font>>,
    size: f64,
    character_spacing: f64,
    word_spacing: f64,
    scaling: f64,
    leading: f64,
    rise: f64,
}

/// An open piece of marked content (section 14.6).
enum Marked {
    Other,
    /// A header or footer of the pages.
    Pagination,
    /// It reads otherwise than its glyphs; the text is taken when the first of them is shown.
    ActualText(Option<String>),
}

pub(super) struct Interpreter<'d, 'b> {
    document: &'d Document,
    fonts: &'b Fonts,
    budget: &'b Budget<'b>,
    pub(super) collector: Collector,
    frame: Frame,
    state: State,
    states: Vec<State>,
    ignored_states: usize,
    text_matrix: Matrix,
    line_matrix: Matrix,
    marked: Vec<Marked>,
    operators: usize,
    /// Whether something was left out that may have been text.
    pub(super) is_incomplete: bool,
    /// How much of the page its largest picture covers, 0 to 1.
    pub(super) picture_share: f64,
}

impl<'d, 'b> Interpreter<'d, 'b> {
    pub(super) fn new(document: &'d Document, fonts: &'b Fonts, budget: &'b Budget<'b>, frame: Frame) -> Self {
        Self {
            document,
            fonts,
            budget,
            collector: Collector::new(budget.text_left()),
            frame,
            state: State {
                matrix: frame.matrix,
                font: None,
                size: 0.0,
                character_spacing: 0.0,
                word_spacing: 0.0,
                scaling: 1.0,
                leading: 0.0,
                rise: 0.0,
            },
            states: Vec::new(),
            ignored_states: 0,
            text_matrix: Matrix::IDENTITY,
            line_matrix: Matrix::IDENTITY,
            marked: Vec::new(),
            operators: 0,
            is_incomplete: false,
            picture_share: 0.0,
        }
    }

    pub(super) fn run(&mut self, content: &[u8], resources: Option<&'d Dictionary>) -> Result<(), ExtractError> {
        self.content(content, resources, 0)
    }

    fn content(&mut self, content: &[u8], resources: Option<&'d Dictionary>, depth: usize) -> Result<(), ExtractError> {
        if content.len() > CONTENT_BYTES {
            self.is_incomplete = true;
            return Ok(());
        }
        let mut tokens = Tokens::new(content);
        let mut operands: Vec<Token<'_>> = Vec::new();
        while let Some(token) = tokens.next() {
            let Token::Operator(operator) = token else {
                if operands.len() < OPERANDS {
                    operands.push(token);
                }
                continue;
            };
            self.operators += 1;
            if self.operators > OPERATORS || self.collector.is_full() {
                self.is_incomplete = true;
                return Ok(());
            }
            if operator == b"ID" {
                tokens.skip_picture();
                self.picture();
            } else {
                self.operation(operator, &operands, resources, depth)?;
            }
            operands.clear();
        }
        Ok(())
    }

    fn operation(
        &mut self,
        operator: &[u8],
        operands: &[Token<'_>],
        resources: Option<&'d Dictionary>,
        depth: usize,
    ) -> Result<(), ExtractError> {
        match operator {
            b"BT" => self.set_text_matrix(Matrix::IDENTITY),
            b"T*" => self.next_line(0.0, -self.state.leading),
            b"Td" => {
                if let Some([x, y]) = last_numbers(operands) {
                    self.next_line(x, y);
                }
            }
            b"TD" => {
                if let Some([x, y]) = last_numbers(operands) {
                    self.state.leading = -y;
                    self.next_line(x, y);
                }
            }
            b"Tm" => {
                if let Some(matrix) = last_numbers(operands) {
                    self.set_text_matrix(Matrix::new(matrix));
                }
            }
            b"Tj" => self.show_all(operands),
            b"TJ" => self.show_all(operands),
            b"'" => {
                self.next_line(0.0, -self.state.leading);
                self.show_all(operands);
            }
            b"\"" => {
                if let [Token::Number(word), Token::Number(character), Token::Text(_)] = operands {
                    (self.state.word_spacing, self.state.character_spacing) = (*word, *character);
                    self.next_line(0.0, -self.state.leading);
                    self.show_all(&operands[2..]);
                }
            }
            b"Tf" => self.select_font(operands, resources)?,
            b"Tc" | b"Tw" | b"Tz" | b"TL" | b"Ts" => {
                let Some([value]) = last_numbers(operands) else { return Ok(()) };
                match operator {
                    b"Tc" => self.state.character_spacing = value,
                    b"Tw" => self.state.word_spacing = value,
                    b"Tz" => self.state.scaling = value / 100.0,
                    b"TL" => self.state.leading = value,
                    _ => self.state.rise = value,
                }
            }
            b"cm" => {
                if let Some(matrix) = last_numbers(operands) {
                    self.state.matrix = Matrix::new(matrix).then(&self.state.matrix);
                }
            }
            b"q" => self.save(),
            b"Q" => self.restore(),
            b"BMC" => self.mark(Marked::Other),
            b"BDC" => self.mark(self.marked(operands, resources)),
            b"EMC" => {
                self.marked.pop();
            }
            b"Do" => self.draw(operands, resources, depth)?,
            _ => {}
        }
        Ok(())
    }

    fn set_text_matrix(&mut self, matrix: Matrix) {
        (self.text_matrix, self.line_matrix) = (matrix, matrix);
    }

    fn next_line(&mut self, x: f64, y: f64) {
        self.set_text_matrix(Matrix::translation(x, y).then(&self.line_matrix));
    }

    fn save(&mut self) {
        if self.states.len() >= STATE_DEPTH {
            self.ignored_states += 1;
        } else {
            self.states.push(self.state.clone());
        }
    }

    fn restore(&mut self) {
        if self.ignored_states > 0 {
            self.ignored_states -= 1;
        } else if let Some(state) = self.states.pop() {
            self.state = state;
        }
    }

    fn mark(&mut self, marked: Marked) {
        if self.marked.len() < STATE_DEPTH {
            self.marked.push(marked);
        }
    }

    fn marked(&self, operands: &[Token<'_>], resources: Option<&'d Dictionary>) -> Marked {
        let is_artifact = matches!(operands.first(), Some(Token::Name(tag)) if tag.as_ref() == b"Artifact");
        // The properties stand here, or in the resources under a name.
        if let [_, Token::Name(key)] = operands {
            let properties = resources.and_then(|resources| {
                dictionary(self.document, dictionary(self.document, resources, b"Properties")?, key)
            });
            let Some(properties) = properties else { return Marked::Other };
            if is_artifact && name(self.document, properties, b"Type") == Some(b"Pagination") {
                return Marked::Pagination;
            }
            return match get(self.document, properties, b"ActualText") {
                Some(Object::String(text, _)) => Marked::ActualText(Some(text_string(text))),
                _ => Marked::Other,
            };
        }
        let value = |key: &[u8]| {
            let pair = operands.windows(2).find(|pair| matches!(&pair[0], Token::Name(name) if name.as_ref() == key));
            pair.map(|pair| &pair[1])
        };
        if is_artifact && matches!(value(b"Type"), Some(Token::Name(kind)) if kind.as_ref() == b"Pagination") {
            return Marked::Pagination;
        }
        match value(b"ActualText") {
            Some(Token::Text(text)) => Marked::ActualText(Some(text_string(text))),
            _ => Marked::Other,
        }
    }

    fn select_font(&mut self, operands: &[Token<'_>], resources: Option<&'d Dictionary>) -> Result<(), ExtractError> {
        let [Token::Name(key), Token::Number(size)] = operands else { return Ok(()) };
        self.state.size = *size;
        let entry = resources.and_then(|resources| dictionary(self.document, resources, b"Font")?.get(key).ok());
        self.state.font = match entry {
            Some(entry) => self.fonts.get(self.document, entry, self.budget)?,
            None => None,
        };
        Ok(())
    }

    /// Shows strings with the numbers between them that move what follows.
    fn show_all(&mut self, operands: &[Token<'_>]) {
        let Some(font) = self.state.font.clone().filter(|font| font.is_readable) else {
            self.is_incomplete = true;
            return;
        };
        for operand in operands {
            match operand {
                Token::Text(text) => self.show(text, &font),
                Token::Number(number) => {
                    let back = -number / 1000.0 * self.state.size;
                    if font.is_vertical {
                        self.advance(0.0, back);
                    } else {
                        self.advance(back * self.state.scaling, 0.0);
                    }
                }
                _ => {}
            }
        }
    }

    fn advance(&mut self, x: f64, y: f64) {
        (self.text_matrix.e, self.text_matrix.f) = self.text_matrix.apply(x, y);
    }

    fn show(&mut self, bytes: &[u8], font: &Font) {
        let State { size, character_spacing, word_spacing, scaling, rise, .. } = self.state;
        let is_pagination = self.marked.iter().any(|marked| matches!(marked, Marked::Pagination));
        for code in font.codes(bytes) {
            let spacing = character_spacing + if code.is_space { word_spacing } else { 0.0 };
            let (x, y) = if font.is_vertical {
                (0.0, -code.width * size + spacing)
            } else {
                ((code.width * size + spacing) * scaling, 0.0)
            };
            if !is_pagination {
                let actual = self.marked.iter_mut().rev().find_map(|marked| match marked {
                    Marked::ActualText(text) => Some(text.take()),
                    _ => None,
                });
                // Only the first glyph says what all of them read; the rest have a place, but no text.
                let actual = actual.map(Option::unwrap_or_default);
                let text = actual.as_deref().unwrap_or(code.text);
                let matrix = Matrix::new([scaling, 0.0, 0.0, 1.0, 0.0, rise]).then(&self.text_matrix);
                let matrix = matrix.then(&self.state.matrix);
                self.collector.show(&matrix, code.width, spacing, size, text, font);
            }
            self.advance(x, y);
        }
    }

    fn draw(
        &mut self,
        operands: &[Token<'_>],
        resources: Option<&'d Dictionary>,
        depth: usize,
    ) -> Result<(), ExtractError> {
        let [Token::Name(key)] = operands else { return Ok(()) };
        let form = resources.and_then(|resources| {
            get(self.document, dictionary(self.document, resources, b"XObject")?, key)?.as_stream().ok()
        });
        let Some(form) = form else { return Ok(()) };
        match name(self.document, &form.dict, b"Subtype") {
            Some(b"Form") => self.form(form, resources, depth),
            Some(b"Image") => {
                self.picture();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Draws a form where the current matrix puts it.
    fn form(&mut self, form: &'d Stream, resources: Option<&'d Dictionary>, depth: usize) -> Result<(), ExtractError> {
        if depth >= FORM_DEPTH {
            self.is_incomplete = true;
            return Ok(());
        }
        let Some(content) = self.budget.unpack(form)? else {
            self.is_incomplete = true;
            return Ok(());
        };
        let (states, marked) = (self.states.len(), self.marked.len());
        let outside = (self.state.clone(), self.text_matrix, self.line_matrix, self.ignored_states);
        if let Some(matrix) = form.dict.get(b"Matrix").ok().and_then(|matrix| numbers(self.document, matrix)) {
            self.state.matrix = Matrix::new(matrix).then(&self.state.matrix);
        }
        let own = dictionary(self.document, &form.dict, b"Resources");
        self.content(&content, own.or(resources), depth + 1)?;
        self.states.truncate(states);
        self.marked.truncate(marked);
        (self.state, self.text_matrix, self.line_matrix, self.ignored_states) = outside;
        Ok(())
    }

    /// Draws the appearance of a form field or a note in its place (section 12.5.5, algorithm 8.1).
    pub(super) fn annotation(&mut self, form: &'d Stream, place: [f64; 4]) -> Result<(), ExtractError> {
        let document = self.document;
        let numbers_of = |key: &[u8]| form.dict.get(key).ok().and_then(|found| numbers(document, found));
        let matrix = form.dict.get(b"Matrix").ok().and_then(|matrix| numbers(document, matrix));
        let matrix = matrix.map_or(Matrix::IDENTITY, Matrix::new);
        let Some([left, bottom, right, top]) = numbers_of(b"BBox") else { return Ok(()) };
        let corners = [(left, bottom), (left, top), (right, bottom), (right, top)].map(|(x, y)| matrix.apply(x, y));
        let (x, y) = corners.iter().fold((f64::INFINITY, f64::INFINITY), |low, at| (low.0.min(at.0), low.1.min(at.1)));
        let before = self.state.clone();
        // The scale is left out: both boxes are of one size unless a program was careless.
        let (left, bottom) = (place[0].min(place[2]), place[1].min(place[3]));
        self.state.matrix = Matrix::translation(left - x, bottom - y).then(&self.frame.matrix);
        let done = self.form(form, None, 0);
        self.state = before;
        done
    }

    /// A picture fills the unit square of its coordinates.
    fn picture(&mut self) {
        let share = self.state.matrix.stretch() / (self.frame.width * self.frame.height);
        self.picture_share = self.picture_share.max(share.min(1.0));
    }
}

/// The operands, if they are `N` numbers.
fn last_numbers<const N: usize>(operands: &[Token<'_>]) -> Option<[f64; N]> {
    if operands.len() != N {
        return None;
    }
    let mut numbers = [0.0; N];
    for (place, operand) in operands.iter().enumerate() {
        let Token::Number(number) = operand else { return None };
        numbers[place] = *number;
    }
    Some(numbers)
}
