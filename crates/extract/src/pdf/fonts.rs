//! Fonts as far as text goes: what their codes say, and how wide they are. Each font of a file is read once.

mod composite;
mod names;
mod simple;

use super::objects::{dictionary, get, name, number};
use super::streams::Budget;
use crate::ExtractError;
use composite::Composite;
use pdf_extract::{Dictionary, Document, Object, ObjectId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The fonts of a file, shared by all who read its pages.
#[derive(Default)]
pub(super) struct Fonts {
    known: Mutex<HashMap<Key, Option<Arc<Font>>>>,
}

#[derive(PartialEq, Eq, Hash)]
enum Key {
    Shared(ObjectId),
    /// A dictionary inside the resources, known by where it lies.
    Inline(usize),
}

/// A font that was read.
pub(super) struct Font {
    pub(super) is_bold: bool,
    /// Whether all of its letters are of one width.
    pub(super) is_fixed: bool,
    pub(super) is_vertical: bool,
    /// Whether its codes can be told as characters at all.
    pub(super) is_readable: bool,
    kind: Kind,
}

enum Kind {
    /// One byte a code.
    Simple(Vec<Shape>),
    Composite(Box<Composite>),
}

/// What a code of a simple font says, and its width in text space, where the font's size is 1.
#[derive(Debug, Clone, Default)]
struct Shape {
    text: Box<str>,
    width: f64,
}

/// A code of a string that is shown.
pub(super) struct Code<'f> {
    pub(super) text: &'f str,
    /// In text space, where the font's size is 1.
    pub(super) width: f64,
    /// Whether it is the single byte 32, which word spacing widens.
    pub(super) is_space: bool,
}

impl Fonts {
    /// The font that an entry of the resources stands for.
    pub(super) fn get(
        &self,
        document: &Document,
        entry: &Object,
        budget: &Budget<'_>,
    ) -> Result<Option<Arc<Font>>, ExtractError> {
        let Some(font) = document.dereference(entry).ok().and_then(|(_, font)| font.as_dict().ok()) else {
            return Ok(None);
        };
        let key = entry.as_reference().map_or(Key::Inline(std::ptr::from_ref(font).addr()), Key::Shared);
        // Whoever needs the same font meanwhile waits rather than reading it a second time.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(font) = known.get(&key) {
            return Ok(font.clone());
        }
        let font = Some(Arc::new(Font::read(document, font, budget)?));
        known.insert(key, font.clone());
        Ok(font)
    }
}

impl Font {
    fn read(document: &Document, font: &Dictionary, budget: &Budget<'_>) -> Result<Self, ExtractError> {
        let is_composite = name(document, font, b"Subtype") == Some(b"Type0");
        let descendant = get(document, font, b"DescendantFonts")
            .and_then(|fonts| document.dereference(fonts.as_array().ok()?.first()?).ok())
            .and_then(|(_, font)| font.as_dict().ok());
        let described = if is_composite { descendant } else { Some(font) };
        let descriptor = described.and_then(|font| dictionary(document, font, b"FontDescriptor"));
        let (kind, is_readable, is_vertical) = if is_composite {
            let composite = Composite::read(document, font, descendant, budget)?;
            let (is_readable, is_vertical) = (composite.is_readable(), composite.is_vertical());
            (Kind::Composite(Box::new(composite)), is_readable, is_vertical)
        } else {
            let shapes = simple::read(document, font, budget)?;
            let is_readable = shapes.iter().any(|shape| !shape.text.is_empty());
            (Kind::Simple(shapes), is_readable, false)
        };
        let base = name(document, font, b"BaseFont").unwrap_or_default();
        let base = String::from_utf8_lossy(base).to_lowercase();
        Ok(Self {
            is_bold: is_bold(document, &base, descriptor),
            is_fixed: is_fixed(document, &base, descriptor),
            is_vertical,
            is_readable,
            kind,
        })
    }

    /// The codes of a string.
    pub(super) fn codes<'f>(&'f self, bytes: &'f [u8]) -> impl Iterator<Item = Code<'f>> {
        let mut rest = bytes;
        std::iter::from_fn(move || match &self.kind {
            Kind::Simple(shapes) => {
                let (&byte, after) = rest.split_first()?;
                rest = after;
                let shape = &shapes[usize::from(byte)];
                Some(Code { text: &shape.text, width: shape.width, is_space: byte == b' ' })
            }
            Kind::Composite(composite) => {
                let (code, after) = composite.split(rest)?;
                rest = after;
                Some(code)
            }
        })
    }
}

fn flags(document: &Document, descriptor: Option<&Dictionary>) -> i64 {
    descriptor.and_then(|descriptor| get(document, descriptor, b"Flags")?.as_i64().ok()).unwrap_or(0)
}

fn is_bold(document: &Document, base: &str, descriptor: Option<&Dictionary>) -> bool {
    let short = base.rsplit('+').next().unwrap_or(base);
    // TeX's bold fonts carry it in their short names, and its copies of Times and Helvetica call it medium.
    let is_tex =
        ["cm", "ec", "sf", "lm", "tc", "la"].iter().any(|start| short.starts_with(start)) && short.contains("bx");
    let is_nimbus = short.starts_with("nimbus") && (short.ends_with("-medi") || short.ends_with("-mediital"));
    if is_tex || is_nimbus || ["bold", "black", "heavy", "demi"].iter().any(|weight| base.contains(weight)) {
        return true;
    }
    let weight = descriptor.and_then(|descriptor| number(get(document, descriptor, b"FontWeight")?));
    // Flag 19 is ForceBold (ISO 32000-1, table 123).
    weight.is_some_and(|weight| weight >= 600.0) || flags(document, descriptor) & (1 << 18) != 0
}

fn is_fixed(document: &Document, base: &str, descriptor: Option<&Dictionary>) -> bool {
    let base = base.rsplit('+').next().unwrap_or(base);
    let by_name = ["courier", "mono", "consol", "typewriter"].iter().any(|word| base.contains(word))
        || ["cmtt", "cmsltt", "sftt", "sfsltt", "nimbusmon", "menlo"].iter().any(|start| base.starts_with(start));
    by_name || flags(document, descriptor) & 1 != 0
}

fn named(name: &str) -> Object {
    Object::Name(name.as_bytes().to_vec())
}
