//! Simple fonts: one byte a code (ISO 32000-1, section 9.6). The font library tells what the names of their glyphs
//! mean, which glyphs an embedded program has, and how wide the standard fonts are. It panics on what it does not
//! know, so it is asked once for each font, about a copy whose values were checked.

use super::{Shape, named, names};
use crate::pdf::cmap::CharacterMap;
use crate::pdf::objects::{dictionary, get, name, number};
use crate::pdf::streams::Budget;
use crate::{ExtractError, guard};
use pdf_extract::{
    ColorSpace, Dictionary, Document, MediaBox, Object, OutputDev, OutputError, Path, Stream, Transform,
};

/// Reads what the 256 codes say.
pub(super) fn read(document: &Document, font: &Dictionary, budget: &Budget<'_>) -> Result<Vec<Shape>, ExtractError> {
    let subtype = name(document, font, b"Subtype").unwrap_or_default();
    let is_type3 = subtype == b"Type3";
    let map = match get(document, font, b"ToUnicode") {
        Some(Object::Stream(stream)) => budget.unpack(stream)?.map(|map| CharacterMap::read(&map).texts),
        _ => None,
    };
    let map = map.unwrap_or_default();

    let mut plain = Dictionary::new();
    plain.set("Type", named("Font"));
    plain.set("BaseFont", Object::Name(name(document, font, b"BaseFont").unwrap_or(b"Helvetica").to_vec()));
    // A font of drawings (Type 3) is a simple font as far as text goes.
    plain.set("Subtype", named(if subtype == b"TrueType" || is_type3 { "TrueType" } else { "Type1" }));
    let scale = if is_type3 { 1000.0 * type3_unit(document, font) } else { 1.0 };
    let descriptor = dictionary(document, font, b"FontDescriptor");
    let missing = descriptor.and_then(|descriptor| number(get(document, descriptor, b"MissingWidth")?));
    // All 256 of them: each that is missing costs the library a search.
    if let Some(widths) = widths(document, font, scale, missing.unwrap_or(0.0)) {
        plain.set("FirstChar", Object::Integer(0));
        plain.set("LastChar", Object::Integer(255));
        #[allow(clippy::cast_possible_truncation)]
        let widths = widths.iter().map(|width| Object::Real(*width as f32)).collect();
        plain.set("Widths", Object::Array(widths));
    }
    let mut plain_descriptor = Dictionary::new();
    #[allow(clippy::cast_possible_truncation)]
    plain_descriptor.set("MissingWidth", Object::Real(missing.unwrap_or(0.0) as f32));

    let (base, differences) = match get(document, font, b"Encoding") {
        Some(Object::Name(name)) => (Some(known_encoding(name)), Vec::new()),
        Some(Object::Dictionary(encoding)) => {
            (name(document, encoding, b"BaseEncoding").map(known_encoding), differences(document, encoding))
        }
        _ => (None, Vec::new()),
    };
    // First the encoding that lies beneath: a named one, or that of the font program.
    let mut beneath = plain.clone();
    match base {
        Some(base) => beneath.set("Encoding", named(base)),
        None if is_type3 || !map.is_empty() => beneath.set("Encoding", named("WinAnsiEncoding")),
        None => {
            if let Some((key, program)) = program(document, descriptor, subtype, budget)? {
                plain_descriptor.set(key, program);
            }
        }
    }
    beneath.set("FontDescriptor", Object::Dictionary(plain_descriptor.clone()));
    let mut shapes = ask(&beneath);
    if shapes.iter().all(|shape| shape.text.is_empty()) {
        // It did not like the program.
        beneath = plain.clone();
        beneath.set("Encoding", named("WinAnsiEncoding"));
        shapes = ask(&beneath);
    }
    if !differences.is_empty() {
        // Asked twice, with all names moved on by one code: a name that the library knows says the same both times.
        let at = |shift: u8| {
            let mut above = plain.clone();
            let mut encoding = Dictionary::new();
            let list = differences.iter().flat_map(|(code, name)| {
                [Object::Integer(i64::from(code.wrapping_add(shift))), Object::Name(name.as_bytes().to_vec())]
            });
            encoding.set("Differences", Object::Array(list.collect()));
            above.set("Encoding", Object::Dictionary(encoding));
            ask(&above)
        };
        let (named, moved) = (at(0), at(1));
        for (code, name) in &differences {
            let text = &named[usize::from(*code)].text;
            let is_known = is_meaningful(text) && *text == moved[usize::from(code.wrapping_add(1))].text;
            let text = if is_known { Some(text.clone()) } else { names::by_form(name).map(Into::into) };
            shapes[usize::from(*code)].text = text.unwrap_or_default();
        }
    }
    for (code, text) in map {
        if let Some(shape) = usize::try_from(code).ok().and_then(|code| shapes.get_mut(code))
            && (is_meaningful(&text) || !is_meaningful(&shape.text))
        {
            shape.text = text;
        }
    }
    Ok(shapes)
}

/// Whether a text says something, rather than being a sign of a font's own or of a loss.
fn is_meaningful(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_control() || matches!(c, '\u{fffd}' | '\u{e000}'..='\u{f8ff}'))
}

/// Asks the font library about all codes of a font.
fn ask(font: &Dictionary) -> Vec<Shape> {
    let mut shapes = vec![Shape::default(); 256];
    let mut ranges = vec![(0_usize, 256_usize)];
    let mut attempts = 0;
    while let Some((from, to)) = ranges.pop() {
        // A code that makes it panic costs only itself, but it is not worth any time.
        const ATTEMPTS: usize = 40;
        attempts += 1;
        if attempts > ATTEMPTS {
            break;
        }
        let mut answers = Answers(Vec::new());
        let document = single_page(font, from, to);
        let _ = guard::catch(|| pdf_extract::output_doc_page(&document, &mut answers, 1));
        let answered = answers.0.len().min(to - from);
        for (shape, answer) in shapes[from..].iter_mut().zip(answers.0.drain(..answered)) {
            *shape = answer;
        }
        // It stopped at a code: go on behind it. If at the first, it may be the font itself that it cannot read.
        if from + answered < to && (answered > 0 || from > 0) {
            ranges.push((from + answered + 1, to));
        }
    }
    shapes
}

/// Takes down what the library says of one code after the other.
struct Answers(Vec<Shape>);

impl OutputDev for Answers {
    fn begin_page(&mut self, _: u32, _: &MediaBox, _: Option<(f64, f64, f64, f64)>) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn output_character(&mut self, _: &Transform, width: f64, _: f64, _: f64, text: &str) -> Result<(), OutputError> {
        let width = if width.is_finite() { width } else { 0.0 };
        let text = text.chars().filter(|c| !c.is_control()).collect::<String>().into();
        self.0.push(Shape { text, width });
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn stroke(&mut self, _: &Transform, _: &ColorSpace, _: &[f64], _: &Path) -> Result<(), OutputError> {
        Ok(())
    }
}

/// A document of one page that shows these codes of a font, and in which nothing refers to anything else.
fn single_page(font: &Dictionary, from: usize, to: usize) -> Document {
    let dictionary = |entries: Vec<(&str, Object)>| {
        Object::Dictionary(entries.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value)).collect())
    };
    let codes: String = (from..to).map(|code| format!("{code:02x}")).collect();
    let content = format!("BT /F 1 Tf <{codes}> Tj ET").into_bytes();
    let fonts = dictionary(vec![("F", Object::Dictionary(font.clone()))]);
    let page = vec![
        ("Type", named("Page")),
        ("MediaBox", Object::Array([0, 0, 612, 792].map(Object::Integer).to_vec())),
        ("Resources", dictionary(vec![("Font", fonts)])),
        ("Contents", Object::Reference((4, 0))),
    ];
    let kids = Object::Array(vec![Object::Reference((3, 0))]);
    let mut document = Document::new();
    document.trailer.set("Root", Object::Reference((1, 0)));
    document.objects.insert((1, 0), dictionary(vec![("Type", named("Catalog")), ("Pages", Object::Reference((2, 0)))]));
    document
        .objects
        .insert((2, 0), dictionary(vec![("Type", named("Pages")), ("Kids", kids), ("Count", Object::Integer(1))]));
    document.objects.insert((3, 0), dictionary(page));
    document.objects.insert((4, 0), Object::Stream(Stream::new(Dictionary::new(), content)));
    document
}

/// The font program whose own encoding the library reads, and its key in the descriptor.
fn program(
    document: &Document,
    descriptor: Option<&Dictionary>,
    subtype: &[u8],
    budget: &Budget<'_>,
) -> Result<Option<(&'static str, Object)>, ExtractError> {
    let Some(descriptor) = descriptor else { return Ok(None) };
    let keys: &[&str] = if subtype == b"TrueType" { &["FontFile3"] } else { &["FontFile", "FontFile3"] };
    for key in ["FontFile", "FontFile3"].into_iter().filter(|key| keys.contains(key)) {
        let Some(Object::Stream(stream)) = get(document, descriptor, key.as_bytes()) else { continue };
        let Some(content) = budget.unpack(stream)? else { continue };
        let mut dictionary = Dictionary::new();
        dictionary.set("Subtype", Object::Name(name(document, &stream.dict, b"Subtype").unwrap_or_default().to_vec()));
        return Ok(Some((key, Object::Stream(Stream::new(dictionary, content)))));
    }
    Ok(None)
}

/// `Widths` in thousandths for each code, those that are not there as the `missing` one.
fn widths(document: &Document, font: &Dictionary, scale: f64, missing: f64) -> Option<[f64; 256]> {
    let first = get(document, font, b"FirstChar")?.as_i64().ok().and_then(|first| u8::try_from(first).ok())?;
    let widths = get(document, font, b"Widths")?.as_array().ok().filter(|widths| !widths.is_empty())?;
    let mut all = [missing; 256];
    for (width, object) in all[usize::from(first)..].iter_mut().zip(widths) {
        let found = document.dereference(object).ok().and_then(|(_, width)| number(width));
        *width = found.unwrap_or(0.0) * scale;
    }
    Some(all)
}

/// The width of a unit of glyph space of a Type 3 font, in text space.
fn type3_unit(document: &Document, font: &Dictionary) -> f64 {
    let matrix = get(document, font, b"FontMatrix").and_then(|matrix| matrix.as_array().ok());
    let unit = matrix.and_then(|matrix| number(document.dereference(matrix.first()?).ok()?.1));
    unit.filter(|unit| *unit > 0.0).unwrap_or(0.001)
}

fn known_encoding(name: &[u8]) -> &'static str {
    match name {
        b"MacRomanEncoding" => "MacRomanEncoding",
        b"MacExpertEncoding" => "MacExpertEncoding",
        // StandardEncoding and whatever else differ from it in few signs.
        _ => "WinAnsiEncoding",
    }
}

/// Codes and the names of their glyphs, each code once.
fn differences(document: &Document, encoding: &Dictionary) -> Vec<(u8, String)> {
    let Some(Object::Array(all)) = get(document, encoding, b"Differences") else { return Vec::new() };
    let mut code = 0_i64;
    let mut found = std::collections::BTreeMap::new();
    for object in all.iter().take(1 << 16).filter_map(|object| Some(document.dereference(object).ok()?.1)) {
        match object {
            Object::Integer(next) => code = (*next).clamp(-1, 256),
            Object::Name(name) => {
                if let Ok(code) = u8::try_from(code) {
                    found.insert(code, String::from_utf8_lossy(name).into_owned());
                }
                code = code.saturating_add(1);
            }
            _ => {}
        }
    }
    found.into_iter().collect()
}
