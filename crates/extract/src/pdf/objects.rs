//! Looks things up among a file's objects, whatever is in them.

use pdf_extract::{Dictionary, Document, Object};

/// The value of a key, references followed.
pub(super) fn get<'d>(document: &'d Document, dictionary: &'d Dictionary, key: &[u8]) -> Option<&'d Object> {
    Some(document.dereference(dictionary.get(key).ok()?).ok()?.1)
}

pub(super) fn dictionary<'d>(document: &'d Document, parent: &'d Dictionary, key: &[u8]) -> Option<&'d Dictionary> {
    get(document, parent, key)?.as_dict().ok()
}

pub(super) fn name<'d>(document: &'d Document, dictionary: &'d Dictionary, key: &[u8]) -> Option<&'d [u8]> {
    get(document, dictionary, key)?.as_name().ok()
}

/// A finite number.
pub(super) fn number(object: &Object) -> Option<f64> {
    object.as_float().ok().filter(|number| number.is_finite()).map(f64::from)
}

/// An array of exactly `N` numbers.
pub(super) fn numbers<const N: usize>(document: &Document, object: &Object) -> Option<[f64; N]> {
    let all = object.as_array().ok().filter(|all| all.len() == N)?;
    let mut found = [0.0; N];
    for (place, object) in all.iter().enumerate() {
        found[place] = number(document.dereference(object).ok()?.1)?;
    }
    Some(found)
}

/// A value of the page or of the nodes above it (ISO 32000-1, section 7.7.3.4).
pub(super) fn inherited<'d>(document: &'d Document, page: &'d Dictionary, key: &[u8]) -> Option<&'d Object> {
    const TREE_DEPTH: usize = 64;
    let mut node = page;
    for _ in 0..TREE_DEPTH {
        if let Some(value) = get(document, node, key) {
            return Some(value);
        }
        node = dictionary(document, node, b"Parent")?;
    }
    None
}

/// A text string: UTF-16 or UTF-8 with a byte order mark, or else PDFDocEncoding (ISO 32000-1, section 7.9.2.2).
pub(super) fn text_string(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0xef, 0xbb, 0xbf, ..] => crate::encoding::decode(bytes, None).0,
        // Windows-1252 is PDFDocEncoding but for a few signs between 0x80 and 0x9f.
        _ => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}
