//! Font dictionaries in a form that the font library reads without panicking: every reference resolved, every value
//! checked, nothing in them that is not needed for text.

use super::cmap;
use super::streams::Budget;
use crate::ExtractError;
use pdf_extract::{Dictionary, Document, Object, Stream};

/// The most codes or glyphs of one font.
const GLYPHS: usize = 1 << 16;

/// A font that was checked.
pub(super) struct Font {
    pub(super) dictionary: Dictionary,
    pub(super) is_bold: bool,
    /// Whether its codes can be told as characters at all.
    pub(super) is_readable: bool,
}

pub(super) fn check(document: &Document, font: &Dictionary, budget: &mut Budget<'_>) -> Result<Font, ExtractError> {
    let subtype = name(document, font, b"Subtype").unwrap_or_default();
    let to_unicode = match get(document, font, b"ToUnicode") {
        Some(Object::Stream(stream)) => budget.unpack(stream)?.and_then(|map| cmap::rewrite(&map)),
        _ => None,
    };
    let has_map = to_unicode.is_some();
    let mut checked = Dictionary::new();
    checked.set("Type", named("Font"));
    checked.set("BaseFont", Object::Name(name(document, font, b"BaseFont").unwrap_or_else(|| b"Helvetica".to_vec())));
    if let Some(map) = to_unicode {
        checked.set("ToUnicode", Object::Stream(Stream::new(Dictionary::new(), map)));
    }
    let mut descriptor = get(document, font, b"FontDescriptor").and_then(|object| object.as_dict().ok());
    let is_readable = if subtype == b"Type0" {
        let descendant = get(document, font, b"DescendantFonts")
            .and_then(|fonts| document.dereference(fonts.as_array().ok()?.first()?).ok())
            .and_then(|(_, font)| font.as_dict().ok());
        descriptor = descendant.and_then(|font| get(document, font, b"FontDescriptor")?.as_dict().ok());
        composite(document, font, descendant, &mut checked, budget)? && has_map
    } else {
        simple(document, font, &subtype, has_map, &mut checked, budget)?;
        true
    };
    let is_bold = is_bold(document, font, descriptor);
    Ok(Font { dictionary: checked, is_bold, is_readable })
}

fn simple(
    document: &Document,
    font: &Dictionary,
    subtype: &[u8],
    has_map: bool,
    checked: &mut Dictionary,
    budget: &mut Budget<'_>,
) -> Result<(), ExtractError> {
    let is_type3 = subtype == b"Type3";
    // A font of drawings (Type 3) is a simple font as far as text goes.
    checked.set("Subtype", named(if subtype == b"TrueType" || is_type3 { "TrueType" } else { "Type1" }));
    let encoding = match get(document, font, b"Encoding") {
        Some(Object::Name(name)) => Some(Object::Name(known_encoding(name).to_vec())),
        Some(Object::Dictionary(encoding)) => Some(Object::Dictionary(differences(document, encoding))),
        // Codes that are missing in the map are looked up in the encoding.
        _ if has_map || is_type3 => Some(named("WinAnsiEncoding")),
        _ => None,
    };
    let has_encoding = encoding.is_some();
    if let Some(encoding) = encoding {
        checked.set("Encoding", encoding);
    }
    let scale = if is_type3 { 1000.0 * type3_unit(document, font) } else { 1.0 };
    widths(document, font, scale, checked);

    let mut checked_descriptor = Dictionary::new();
    if let Some(descriptor) = get(document, font, b"FontDescriptor").and_then(|object| object.as_dict().ok()) {
        if let Some(width) = get(document, descriptor, b"MissingWidth").and_then(number) {
            checked_descriptor.set("MissingWidth", Object::Real(width));
        }
        // The font program itself is asked only where nothing else names the characters.
        let program = match () {
            () if has_map => None,
            () if !has_encoding && subtype != b"TrueType" => {
                Some("FontFile").filter(|key| descriptor.has(key.as_bytes())).or(Some("FontFile3"))
            }
            () => Some("FontFile3"),
        };
        let program = program.and_then(|key| Some((key, get(document, descriptor, key.as_bytes())?.as_stream().ok()?)));
        if let Some((key, stream)) = program
            && let Some(content) = budget.unpack(stream)?
        {
            let mut dictionary = Dictionary::new();
            dictionary.set("Subtype", Object::Name(name(document, &stream.dict, b"Subtype").unwrap_or_default()));
            checked_descriptor.set(key, Object::Stream(Stream::new(dictionary, content)));
        }
    }
    checked.set("FontDescriptor", Object::Dictionary(checked_descriptor));
    Ok(())
}

/// Fills in a composite font; says whether its codes can be split.
fn composite(
    document: &Document,
    font: &Dictionary,
    descendant: Option<&Dictionary>,
    checked: &mut Dictionary,
    budget: &mut Budget<'_>,
) -> Result<bool, ExtractError> {
    checked.set("Subtype", named("Type0"));
    let (encoding, is_known) = match get(document, font, b"Encoding") {
        Some(Object::Name(name)) => (named("Identity-H"), name == b"Identity-H" || name == b"Identity-V"),
        Some(Object::Stream(stream)) => match budget.unpack(stream)? {
            Some(map) => (Object::Stream(Stream::new(Dictionary::new(), map)), true),
            None => (named("Identity-H"), false),
        },
        _ => (named("Identity-H"), true),
    };
    checked.set("Encoding", encoding);
    let mut child = Dictionary::new();
    child.set("FontDescriptor", Object::Dictionary(Dictionary::new()));
    if let Some(descendant) = descendant {
        if let Some(width) = get(document, descendant, b"DW").and_then(number) {
            #[allow(clippy::cast_possible_truncation)]
            child.set("DW", Object::Integer(width as i64));
        }
        if let Some(Object::Array(widths)) = get(document, descendant, b"W") {
            child.set("W", Object::Array(glyph_widths(document, widths)));
        }
    }
    checked.set("DescendantFonts", Object::Array(vec![Object::Dictionary(child)]));
    Ok(is_known)
}

/// `W` (ISO 32000-1, section 9.7.4.3) with lists only: `first [width …]`, none of them longer than a font can be.
fn glyph_widths(document: &Document, widths: &[Object]) -> Vec<Object> {
    let resolved: Vec<&Object> =
        widths.iter().filter_map(|object| Some(document.dereference(object).ok()?.1)).collect();
    let mut checked = Vec::new();
    let (mut at, mut glyphs) = (0, 0_usize);
    while let (Some(&first), Some(&second)) = (resolved.get(at), resolved.get(at + 1)) {
        let Ok(cid @ 0..=0xffff) = first.as_i64() else {
            at += 1;
            continue;
        };
        let list: Vec<Object> = if let Ok(list) = second.as_array() {
            at += 2;
            list.iter()
                .take(GLYPHS)
                .filter_map(|width| number(document.dereference(width).ok()?.1))
                .map(Object::Real)
                .collect()
        } else {
            let last = second.as_i64().unwrap_or(cid).clamp(cid, 0xffff);
            let width = resolved.get(at + 2).and_then(|width| number(width)).unwrap_or(1000.0);
            at += 3;
            (cid..=last).map(|_| Object::Real(width)).collect()
        };
        glyphs += list.len();
        if glyphs > 4 * GLYPHS {
            break;
        }
        checked.push(Object::Integer(cid));
        checked.push(Object::Array(list));
    }
    checked
}

fn widths(document: &Document, font: &Dictionary, scale: f32, checked: &mut Dictionary) {
    let first = get(document, font, b"FirstChar")
        .and_then(|first| first.as_i64().ok())
        .filter(|first| (0..256).contains(first));
    let (Some(first), Some(Object::Array(widths))) = (first, get(document, font, b"Widths")) else { return };
    let widths: Vec<Object> = widths
        .iter()
        .take(256)
        .map(|width| {
            Object::Real(document.dereference(width).ok().and_then(|(_, width)| number(width)).unwrap_or(0.0) * scale)
        })
        .collect();
    if widths.is_empty() {
        return;
    }
    checked.set("FirstChar", Object::Integer(first));
    checked.set("LastChar", Object::Integer(first + widths.len() as i64 - 1));
    checked.set("Widths", Object::Array(widths));
}

/// The width of a unit of glyph space of a Type 3 font, in text space.
fn type3_unit(document: &Document, font: &Dictionary) -> f32 {
    let matrix = get(document, font, b"FontMatrix").and_then(|matrix| matrix.as_array().ok());
    let unit = matrix.and_then(|matrix| number(document.dereference(matrix.first()?).ok()?.1));
    unit.filter(|unit| unit.is_finite() && *unit > 0.0).unwrap_or(0.001)
}

fn known_encoding(name: &[u8]) -> &[u8] {
    match name {
        b"MacRomanEncoding" | b"MacExpertEncoding" => name,
        // StandardEncoding and whatever else differ from it in few signs.
        _ => b"WinAnsiEncoding",
    }
}

fn differences(document: &Document, encoding: &Dictionary) -> Dictionary {
    let mut checked = Dictionary::new();
    if let Some(Object::Name(base)) = get(document, encoding, b"BaseEncoding") {
        checked.set("BaseEncoding", Object::Name(known_encoding(base).to_vec()));
    }
    if let Some(Object::Array(all)) = get(document, encoding, b"Differences") {
        let mut code = 0_i64;
        let mut kept = Vec::new();
        for object in all.iter().take(4 * GLYPHS).filter_map(|object| Some(document.dereference(object).ok()?.1)) {
            match object {
                Object::Integer(next) => {
                    code = *next;
                    kept.push(Object::Integer(code.clamp(0, 255)));
                }
                Object::Name(_) if (0..256).contains(&code) => {
                    kept.push(object.clone());
                    code += 1;
                }
                _ => {}
            }
        }
        checked.set("Differences", Object::Array(kept));
    }
    checked
}

fn is_bold(document: &Document, font: &Dictionary, descriptor: Option<&Dictionary>) -> bool {
    let name =
        name(document, font, b"BaseFont").map(|name| String::from_utf8_lossy(&name).to_lowercase()).unwrap_or_default();
    if ["bold", "black", "heavy", "demi"].iter().any(|weight| name.contains(weight)) {
        return true;
    }
    let Some(descriptor) = descriptor else { return false };
    let weight = get(document, descriptor, b"FontWeight").and_then(number);
    // Flag 19 is ForceBold (ISO 32000-1, table 123).
    let flags = get(document, descriptor, b"Flags").and_then(|flags| flags.as_i64().ok()).unwrap_or(0);
    weight.is_some_and(|weight| weight >= 600.0) || flags & (1 << 18) != 0
}

fn get<'d>(document: &'d Document, dictionary: &'d Dictionary, key: &[u8]) -> Option<&'d Object> {
    Some(document.dereference(dictionary.get(key).ok()?).ok()?.1)
}

fn name(document: &Document, dictionary: &Dictionary, key: &[u8]) -> Option<Vec<u8>> {
    get(document, dictionary, key)?.as_name().ok().map(<[u8]>::to_vec)
}

fn named(name: &str) -> Object {
    Object::Name(name.as_bytes().to_vec())
}

fn number(object: &Object) -> Option<f32> {
    object.as_float().ok().filter(|number| number.is_finite())
}
