//! Composite fonts: codes of several bytes (ISO 32000-1, section 9.7).

use super::Code;
use crate::ExtractError;
use crate::pdf::cmap::{self, CharacterMap};
use crate::pdf::objects::{dictionary, get, name, number};
use crate::pdf::streams::Budget;
use pdf_extract::{Dictionary, Document, Object};
use std::collections::HashMap;
use ttf_parser::Face;

/// The most codes or glyphs of one font.
const GLYPHS: usize = 1 << 16;

pub(super) struct Composite {
    encoding: Encoding,
    to_unicode: HashMap<u32, Box<str>>,
    /// Text by glyph number, from the font program; only where nothing else says it.
    by_glyph: HashMap<u32, Box<str>>,
    /// Widths by glyph number, in thousandths.
    widths: HashMap<u32, f64>,
    default_width: f64,
    /// All characters of an encoding that this font says without a map of its own, by code.
    decoded: HashMap<u32, Box<str>>,
}

/// How strings are split into codes, and codes become numbers of glyphs.
enum Encoding {
    /// Two bytes are the number.
    Identity {
        is_vertical: bool,
    },
    Embedded(CharacterMap),
    /// A predefined map (section 9.7.5.2) whose codes are characters of this encoding.
    Characters {
        encoding: &'static encoding_rs::Encoding,
        is_vertical: bool,
    },
    /// Another predefined map.
    Unknown,
}

impl Composite {
    pub(super) fn read(
        document: &Document,
        font: &Dictionary,
        descendant: Option<&Dictionary>,
        budget: &Budget<'_>,
    ) -> Result<Self, ExtractError> {
        let to_unicode = match get(document, font, b"ToUnicode") {
            Some(Object::Stream(stream)) => budget.unpack(stream)?.map(|map| CharacterMap::read(&map).texts),
            _ => None,
        };
        let to_unicode = to_unicode.unwrap_or_default();
        let encoding = match get(document, font, b"Encoding") {
            Some(Object::Name(name)) => predefined(name),
            Some(Object::Stream(stream)) => match budget.unpack(stream)? {
                Some(map) => Encoding::Embedded(CharacterMap::read(&map)),
                None => Encoding::Unknown,
            },
            _ => Encoding::Identity { is_vertical: false },
        };
        let mut composite = Self {
            encoding,
            to_unicode,
            by_glyph: HashMap::new(),
            widths: HashMap::new(),
            default_width: 1000.0,
            decoded: HashMap::new(),
        };
        if let Some(descendant) = descendant {
            composite.default_width = get(document, descendant, b"DW").and_then(number).unwrap_or(1000.0);
            if let Some(Object::Array(widths)) = get(document, descendant, b"W") {
                composite.widths = glyph_widths(document, widths);
            }
            let has_codes = matches!(composite.encoding, Encoding::Identity { .. } | Encoding::Embedded(_));
            if has_codes && composite.to_unicode.is_empty() {
                composite.by_glyph = characters_of_program(document, descendant, budget)?;
            }
        }
        if let Encoding::Characters { encoding, .. } = composite.encoding {
            composite.decoded = decoded(encoding);
        }
        Ok(composite)
    }

    pub(super) fn is_readable(&self) -> bool {
        let has_text = !self.to_unicode.is_empty() || !self.by_glyph.is_empty() || !self.decoded.is_empty();
        has_text && !matches!(self.encoding, Encoding::Unknown)
    }

    pub(super) fn is_vertical(&self) -> bool {
        match &self.encoding {
            Encoding::Identity { is_vertical } | Encoding::Characters { is_vertical, .. } => *is_vertical,
            Encoding::Embedded(map) => map.is_vertical,
            Encoding::Unknown => false,
        }
    }

    /// The first code of a string, and the rest.
    pub(super) fn split<'f>(&'f self, bytes: &'f [u8]) -> Option<(Code<'f>, &'f [u8])> {
        let &lead = bytes.first()?;
        let length = match &self.encoding {
            Encoding::Embedded(map) => map.code_length(bytes),
            Encoding::Characters { encoding, .. } if *encoding != encoding_rs::UTF_16BE => {
                let is_kana = *encoding == encoding_rs::SHIFT_JIS && (0xa0..0xe0).contains(&lead);
                if lead < 0x81 || is_kana { 1 } else { 2 }
            }
            _ => 2,
        };
        let (code, rest) = bytes.split_at(length.min(bytes.len()));
        let is_space = code == b" ";
        let code = cmap::number(code);
        let cid = match &self.encoding {
            Encoding::Embedded(map) => map.cid(code).unwrap_or(code),
            _ => code,
        };
        let text = self.to_unicode.get(&code).or_else(|| self.decoded.get(&code)).or_else(|| self.by_glyph.get(&cid));
        let text = text.map_or("", |text| text);
        let width = match &self.encoding {
            // Their glyph numbers are not known, but in all of them Latin letters are half as wide.
            Encoding::Characters { .. } => {
                if text.is_ascii() {
                    500.0
                } else {
                    self.default_width
                }
            }
            _ => self.widths.get(&cid).copied().unwrap_or(self.default_width),
        };
        let width = if self.is_vertical() { 1.0 } else { width / 1000.0 };
        Some((Code { text, width, is_space }, rest))
    }
}

fn predefined(name: &[u8]) -> Encoding {
    let name = String::from_utf8_lossy(name);
    let is_vertical = name.ends_with("-V");
    if name.starts_with("Identity") {
        return Encoding::Identity { is_vertical };
    }
    let has = |part: &str| name.contains(part);
    let encoding = match () {
        () if has("UCS2") || has("UTF16") => encoding_rs::UTF_16BE,
        () if has("RKSJ") => encoding_rs::SHIFT_JIS,
        () if has("GBK") || name.starts_with("GB-EUC") || name.starts_with("GBpc") => encoding_rs::GBK,
        () if has("B5") || name.starts_with("ETen") || name.starts_with("HKscs") => encoding_rs::BIG5,
        () if name.starts_with("KSC") => encoding_rs::EUC_KR,
        () if name == "EUC-H" || name == "EUC-V" => encoding_rs::EUC_JP,
        () => return Encoding::Unknown,
    };
    Encoding::Characters { encoding, is_vertical }
}

/// All codes of one or two bytes.
fn decoded(encoding: &'static encoding_rs::Encoding) -> HashMap<u32, Box<str>> {
    let mut all = HashMap::new();
    let mut add = |code: u32, bytes: &[u8]| {
        if let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(bytes) {
            let mut characters = text.chars();
            if let (Some(c), None) = (characters.next(), characters.next())
                && !c.is_control()
            {
                all.insert(code, text.as_ref().into());
            }
        }
    };
    for code in 0..=0xffff_u16 {
        let bytes = code.to_be_bytes();
        if encoding != encoding_rs::UTF_16BE && bytes[0] == 0 {
            add(u32::from(code), &bytes[1..]);
        } else {
            add(u32::from(code), &bytes);
        }
    }
    all
}

/// `W` (ISO 32000-1, section 9.7.4.3): `first [width …]` or `first last width`.
fn glyph_widths(document: &Document, widths: &[Object]) -> HashMap<u32, f64> {
    let resolved: Vec<&Object> =
        widths.iter().filter_map(|object| Some(document.dereference(object).ok()?.1)).collect();
    let mut found = HashMap::new();
    let mut at = 0;
    while let (Some(&first), Some(&second)) = (resolved.get(at), resolved.get(at + 1)) {
        let Some(cid) = first.as_i64().ok().and_then(|cid| u32::try_from(cid).ok()).filter(|cid| *cid <= 0xffff) else {
            at += 1;
            continue;
        };
        if let Ok(list) = second.as_array() {
            at += 2;
            let widths = list.iter().take(GLYPHS).map(|width| number(document.dereference(width).ok()?.1));
            found.extend((cid..).zip(widths).filter_map(|(cid, width)| Some((cid, width?))));
        } else {
            let last = second.as_i64().ok().and_then(|last| u32::try_from(last).ok()).unwrap_or(cid).min(0xffff);
            if let Some(width) = resolved.get(at + 2).and_then(|width| number(width)) {
                found.extend((cid..=last).map(|cid| (cid, width)));
            }
            at += 3;
        }
        // Ranges that overlap without end would keep this busy.
        if at > 4 * GLYPHS {
            break;
        }
    }
    found
}

/// Text by glyph number, read backwards from the embedded TrueType program's own character map.
fn characters_of_program(
    document: &Document,
    font: &Dictionary,
    budget: &Budget<'_>,
) -> Result<HashMap<u32, Box<str>>, ExtractError> {
    let none = Ok(HashMap::new());
    let Some(descriptor) = dictionary(document, font, b"FontDescriptor") else { return none };
    let program = ["FontFile2", "FontFile3"].iter().find_map(|key| get(document, descriptor, key.as_bytes()));
    let Some(Object::Stream(program)) = program else { return none };
    let Some(program) = budget.unpack(program)? else { return none };
    let Ok(face) = Face::parse(&program, 0) else { return none };
    let mut by_glyph: HashMap<u32, Box<str>> = HashMap::new();
    // Asked for each character: the other way round, a hostile map could name billions.
    for c in '\u{20}'..='\u{ffff}' {
        if let Some(glyph) = face.glyph_index(c).filter(|glyph| glyph.0 != 0) {
            by_glyph.entry(u32::from(glyph.0)).or_insert_with(|| c.to_string().into());
        }
    }
    // Between the numbers in the text and those of the program may be a table.
    let table = match get(document, font, b"CIDToGIDMap") {
        Some(Object::Stream(table)) if name(document, font, b"Subtype") == Some(b"CIDFontType2") => {
            budget.unpack(table)?
        }
        _ => None,
    };
    let Some(table) = table else { return Ok(by_glyph) };
    let pairs = (0..).zip(table.chunks_exact(2)).take(GLYPHS);
    Ok(pairs.filter_map(|(cid, glyph)| Some((cid, by_glyph.get(&cmap::number(glyph))?.clone()))).collect())
}
