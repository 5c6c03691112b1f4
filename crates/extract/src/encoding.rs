//! Bytes of a text file to characters.

use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE};

/// How many bytes the detector looks at; more adds time and no certainty.
const DETECTED_BYTES: usize = 256 << 10;

/// How many bytes tell whether a file is of wide units.
const WIDE_BYTES: usize = 4 << 10;

/// A file of 16-bit or 32-bit units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wide {
    Utf16(&'static Encoding),
    /// Whether the first byte is the highest.
    Utf32 {
        is_big_endian: bool,
    },
}

/// Decodes by byte order mark, else as UTF-8, else as `declared`, else by detection. The flag says whether some
/// bytes stood for no character and were replaced.
pub(crate) fn decode(bytes: &[u8], declared: Option<&'static Encoding>) -> (String, bool) {
    if let Some(text) = bytes.strip_prefix(b"\xff\xfe\0\0") {
        return utf32(text, false);
    }
    if let Some(text) = bytes.strip_prefix(b"\0\0\xfe\xff") {
        return utf32(text, true);
    }
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let (text, damaged) = encoding.decode_without_bom_handling(&bytes[mark..]);
        return (text.into_owned(), damaged);
    }
    match wide(bytes) {
        Some(Wide::Utf16(encoding)) => {
            let (text, damaged) = encoding.decode_without_bom_handling(bytes);
            return (text.into_owned(), damaged);
        }
        Some(Wide::Utf32 { is_big_endian }) => return utf32(bytes, is_big_endian),
        None => {}
    }
    // The escape sequences of ISO-2022-JP are ASCII, so that it would pass as UTF-8.
    if declared == Some(ISO_2022_JP) || has_japanese_escapes(bytes) {
        let (text, damaged) = ISO_2022_JP.decode_without_bom_handling(bytes);
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

/// The encoding of a code page of Windows, by its number.
pub(crate) fn of_code_page(page: u64) -> Option<&'static Encoding> {
    let label = match page {
        866 | 874 => format!("cp{page}").replace("cp874", "windows-874"),
        932 => "shift_jis".to_owned(),
        936 => "gbk".to_owned(),
        949 => "euc-kr".to_owned(),
        950 => "big5".to_owned(),
        1250..=1258 => format!("windows-{page}"),
        10_000 => "macintosh".to_owned(),
        20_127 => "us-ascii".to_owned(),
        20_866 => "koi8-r".to_owned(),
        21_866 => "koi8-u".to_owned(),
        28_591..=28_606 => format!("iso-8859-{}", page - 28_590),
        50_220..=50_222 => "iso-2022-jp".to_owned(),
        51_932 => "euc-jp".to_owned(),
        51_949 => "euc-kr".to_owned(),
        54_936 => "gb18030".to_owned(),
        65_001 => "utf-8".to_owned(),
        _ => return None,
    };
    Encoding::for_label(label.as_bytes())
}

/// Whether a file is of wide units without a mark: most of its characters are in the first 256, or at least its
/// spaces and line ends are, and their upper bytes are zeros always at the same places.
fn wide(bytes: &[u8]) -> Option<Wide> {
    let head = &bytes[..bytes.len().min(WIDE_BYTES) & !3];
    if head.len() < 4 || !head.contains(&0) {
        return None;
    }
    let is_rest_zero = |unit: &[u8], place: usize| unit.iter().enumerate().all(|(at, &b)| (at == place) == (b != 0));
    let quarters = head.chunks_exact(4);
    let fours =
        |place: usize| quarters.clone().filter(|unit| is_rest_zero(unit, place)).count() * 10 >= head.len() / 4 * 7;
    if fours(0) {
        return Some(Wide::Utf32 { is_big_endian: false });
    }
    if fours(3) {
        return Some(Wide::Utf32 { is_big_endian: true });
    }
    // A unit that is zero as a whole is no character of a text.
    if head.chunks_exact(2).any(|unit| unit == [0, 0]) {
        return None;
    }
    // Plain characters that every script uses, read in both orders.
    let plain = |unit: u16| matches!(unit, 0x09 | 0x0a | 0x0d | 0x20..=0x7e);
    let count = |read: fn([u8; 2]) -> u16| head.chunks_exact(2).filter(|unit| plain(read([unit[0], unit[1]]))).count();
    let (little, big) = (count(u16::from_le_bytes), count(u16::from_be_bytes));
    let units = head.len() / 2;
    match () {
        () if little > 8 * big && little * 20 >= units => Some(Wide::Utf16(UTF_16LE)),
        () if big > 8 * little && big * 20 >= units => Some(Wide::Utf16(UTF_16BE)),
        () => None,
    }
}

fn utf32(bytes: &[u8], is_big_endian: bool) -> (String, bool) {
    let mut is_damaged = !bytes.len().is_multiple_of(4);
    let units = bytes.as_chunks::<4>().0.iter().map(|&unit| {
        let code = if is_big_endian { u32::from_be_bytes(unit) } else { u32::from_le_bytes(unit) };
        char::from_u32(code).unwrap_or_else(|| {
            is_damaged = true;
            char::REPLACEMENT_CHARACTER
        })
    });
    let text = units.collect();
    (text, is_damaged)
}

/// Escape sequences of RFC 1468 that turn to Japanese, in a file that is otherwise ASCII.
fn has_japanese_escapes(bytes: &[u8]) -> bool {
    bytes.contains(&0x1b)
        && bytes.is_ascii()
        && bytes.windows(3).any(|window| matches!(window, b"\x1b$B" | b"\x1b$@" | b"\x1b(J"))
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
    use encoding_rs as e;

    #[test]
    fn each_way_to_decode() {
        assert_eq!(decode("\u{feff}Größe".as_bytes(), None), ("Größe".into(), false));
        assert_eq!(decode(b"\xff\xfeG\0r\0", None), ("Gr".into(), false));
        let cp1252 = b"Die Pr\xfcfung der Geb\xfchren f\xfcr M\xf6wenhagen betr\xe4gt 3 \x80";
        assert_eq!(decode(cp1252, None).0, "Die Prüfung der Gebühren für Möwenhagen beträgt 3 €");
        assert_eq!(decode(b"\xcf\xee\xf0\xf2", Encoding::for_label(b"windows-1251")).0, "Порт");
        assert!(!decode(b"Fra\xdf", Some(UTF_8)).1);
    }

    const GERMAN: &str = "Der Kran wird am Mittwoch geprüft; die Gebühr beträgt 3 Euro für alle Größen.";
    const FRENCH: &str = "La grue est contrôlée mercredi, l’été prochain ; le coût reste élevé pour les élèves.";
    const POLISH: &str = "Żuraw zostanie sprawdzony w środę, a opłata wynosi trzy złote za każdą łódź.";
    const RUSSIAN: &str = "Кран проверяют в среду, и плата за проверку составляет три рубля для всех судов.";
    const GREEK: &str = "Ο γερανός ελέγχεται την Τετάρτη και το τέλος είναι τρία ευρώ για όλα τα πλοία.";
    const JAPANESE: &str = "クレーンの点検は水曜日に行われます。料金はすべての船について三ユーロです。";
    const CHINESE: &str = "起重机将于星期三进行检查，所有船舶的费用为三欧元，请准时到达港口。";
    const TAIWANESE: &str = "起重機將於星期三進行檢查，所有船舶的費用為三歐元，請準時到達港口。";
    const KOREAN: &str = "크레인은 수요일에 점검하며 모든 선박의 요금은 삼 유로입니다. 항구에 제시간에 오십시오.";

    #[test]
    fn encodings_are_detected_by_their_text() {
        for (encoding, text) in [
            (e::WINDOWS_1252, GERMAN),
            (e::WINDOWS_1252, FRENCH),
            (e::WINDOWS_1250, POLISH),
            (e::ISO_8859_2, POLISH),
            (e::WINDOWS_1251, RUSSIAN),
            (e::KOI8_R, RUSSIAN),
            (e::IBM866, RUSSIAN),
            (e::WINDOWS_1253, GREEK),
            (e::SHIFT_JIS, JAPANESE),
            (e::EUC_JP, JAPANESE),
            (e::ISO_2022_JP, JAPANESE),
            (e::GBK, CHINESE),
            (e::GB18030, CHINESE),
            (e::BIG5, TAIWANESE),
            (e::EUC_KR, KOREAN),
        ] {
            let (bytes, _, failed) = encoding.encode(text);
            assert!(!failed, "{}", encoding.name());
            assert_eq!(decode(&bytes, None), (text.to_owned(), false), "{}", encoding.name());
        }
    }

    #[test]
    fn wide_units_with_and_without_a_mark() {
        for text in [GERMAN, RUSSIAN, GREEK, KOREAN, "Hi", "a\r\n"] {
            let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let little4: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
            let big4: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
            for (mark, bytes) in [
                (b"\xff\xfe".as_slice(), &little),
                (b"\xfe\xff", &big),
                (b"\xff\xfe\0\0", &little4),
                (b"\0\0\xfe\xff", &big4),
            ] {
                assert_eq!(decode(&[mark, bytes].concat(), None), (text.to_owned(), false), "{mark:?}");
            }
            assert_eq!(decode(&little, None).0, text);
            assert_eq!(decode(&big, None).0, text);
            if text.is_ascii() || text == GERMAN {
                assert_eq!(decode(&little4, None).0, text);
                assert_eq!(decode(&big4, None).0, text);
            }
        }
        // Numbers and programs are no text of wide units.
        for bytes in
            [b"a\0b".as_slice(), &[1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0], b"\x7fELF\0\0\0\0\x01\0\0\0", b"ab\0\0"]
        {
            assert_eq!(wide(bytes), None, "{bytes:?}");
        }
        assert_eq!(utf32(b"\0\0\0a\0\x11\0\0\0", true), ("a\u{fffd}".to_owned(), true));
    }

    #[test]
    fn code_pages_by_number() {
        for (page, encoding) in [
            (1252, e::WINDOWS_1252),
            (866, e::IBM866),
            (874, e::WINDOWS_874),
            (932, e::SHIFT_JIS),
            (28_605, e::ISO_8859_15),
            (65_001, UTF_8),
        ] {
            assert_eq!(of_code_page(page), Some(encoding), "{page}");
        }
        assert_eq!(of_code_page(37), None);
    }
}
