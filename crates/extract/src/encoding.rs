//! Bytes of a text file to characters.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How many bytes the detector looks at; more adds time and no certainty.
const DETECTED_BYTES: usize = 256 << 10;

/// Decodes by byte order mark, else as UTF-8, else as `declared`, else by detection. The flag says whether some
/// bytes stood for no character and were replaced.
pub(crate) fn decode(bytes: &[u8], declared: Option<&'static Encoding>) -> (String, bool) {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let (text, damaged) = encoding.decode_without_bom_handling(&bytes[mark..]);
        return (text.into_owned(), damaged);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (text.to_owned(), false);
    }
    // UTF-8 was just ruled out, and a file of 16-bit units cannot declare itself in single bytes.
    let declared = declared.filter(|&encoding| ![UTF_8, UTF_16BE, UTF_16LE].contains(&encoding));
    let encoding = declared.unwrap_or_else(|| detect(bytes));
    let (text, damaged) = encoding.decode_without_bom_handling(bytes);
    (text.into_owned(), damaged)
}

fn detect(bytes: &[u8]) -> &'static Encoding {
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Allow);
    let seen = &bytes[..bytes.len().min(DETECTED_BYTES)];
    detector.feed(seen, seen.len() == bytes.len());
    detector.guess(None, chardetng::Utf8Detection::Allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_decode() {
        assert_eq!(decode("\u{feff}Größe".as_bytes(), None), ("Größe".into(), false));
        assert_eq!(decode(b"\xff\xfeG\0r\0", None), ("Gr".into(), false));
        let cp1252 = b"Die Pr\xfcfung der Geb\xfchren f\xfcr M\xf6wenhagen betr\xe4gt 3 \x80";
        assert_eq!(decode(cp1252, None).0, "Die Prüfung der Gebühren für Möwenhagen beträgt 3 €");
        assert_eq!(decode(b"\xcf\xee\xf0\xf2", Encoding::for_label(b"windows-1251")).0, "Порт");
        assert!(!decode(b"Fra\xdf", Some(UTF_8)).1);
    }
}
