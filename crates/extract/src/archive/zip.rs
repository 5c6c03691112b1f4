//! ZIP archives (APPNOTE.TXT).

use super::Unpacking;
use crate::{ExtractError, Extracted, Host, Limits, encoding};
use std::io::Cursor;
use zip::ZipArchive;
use zip::result::ZipError;

pub(crate) fn extract(bytes: &[u8], limits: &Limits, host: &mut dyn Host) -> Result<Extracted, ExtractError> {
    limits.check_entries(declared_entries(bytes))?;
    let mut archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|_| ExtractError::damaged("its table of contents cannot be read; it may not be copied completely"))?;
    limits.check_entries(archive.len())?;
    let mut unpacking = Unpacking::new(limits, host);
    for index in 0..archive.len() {
        unpacking.count()?;
        let usual = archive.name_for_index(index).unwrap_or_default().to_owned();
        let (name, packed) = match archive.by_index_raw(index) {
            Ok(entry) if !entry.is_file() || entry.is_symlink() => continue,
            Ok(entry) if entry.encrypted() => {
                let name = decode_name(entry.name_raw(), entry.name());
                unpacking.encrypted(&name);
                continue;
            }
            Ok(entry) => (decode_name(entry.name_raw(), entry.name()), entry.compressed_size()),
            Err(_) => {
                unpacking.warn(&usual, "is damaged and was left out");
                continue;
            }
        };
        let Some(name) = unpacking.name(&name) else { continue };
        match archive.by_index(index) {
            Ok(mut entry) => unpacking.take(name, &mut entry, packed)?,
            Err(ZipError::UnsupportedArchive(_)) => {
                unpacking.warn(&name, "is packed in a way that cannot be read and was left out");
            }
            Err(_) => unpacking.warn(&name, "is damaged and was left out"),
        }
    }
    unpacking.finish()
}

/// The name of an entry. `usual` is what the flag for UTF-8 says, else code page 437 (appendix D); programs write
/// UTF-8 without that flag, and the code page of whatever machine they run on.
fn decode_name(raw: &[u8], usual: &str) -> String {
    if let Ok(name) = std::str::from_utf8(raw) {
        return name.to_owned();
    }
    // Letters of Western Europe stand low in code page 437; text in another one turns to frames and Greek there.
    let is_likely = |c: char| c.is_ascii() || c.is_alphabetic() && !('\u{370}'..='\u{3ff}').contains(&c);
    if usual.chars().all(|c| is_likely(c) && !matches!(c, 'ª' | 'º' | 'ƒ')) {
        return usual.to_owned();
    }
    encoding::decode(raw, None).0
}

/// The number of entries that the end of the central directory declares (sections 4.3.14 and 4.3.16), before
/// anything is allocated for them; 0 if there is no such record.
fn declared_entries(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(70_000)..];
    let after = |mark: &[u8], offset: usize, length: usize| {
        let at = tail.windows(4).rposition(|window| window == mark)?;
        let digits = tail.get(at + offset..at + offset + length)?;
        Some(digits.iter().rev().fold(0_usize, |sum, &digit| sum.saturating_mul(256) | usize::from(digit)))
    };
    let usual = after(b"PK\x05\x06", 10, 2).unwrap_or(0);
    usual.max(after(b"PK\x06\x06", 32, 8).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_code_page() {
        assert_eq!(decode_name("Größe.txt".as_bytes(), "x"), "Größe.txt");
        assert_eq!(decode_name(b"Gr\x94\xe1e.txt", "Größe.txt"), "Größe.txt");
        let (sjis, _, _) = encoding_rs::SHIFT_JIS.encode("港湾の報告書と計画.txt");
        assert_eq!(decode_name(&sjis, "ì`ûpé╠òñìÉÅæé╞îvëµ.txt"), "港湾の報告書と計画.txt");
        let (cyrillic, _, _) = encoding_rs::IBM866.encode("Отчет о работе порта.txt");
        assert_eq!(decode_name(&cyrillic, "Äτ¿Ñτ «.txt"), "Отчет о работе порта.txt");
    }

    #[test]
    fn declared_entries_of_both_records() {
        assert_eq!(declared_entries(b"PK\x05\x06\0\0\0\0\x02\0\x03\x01 and more"), 259);
        let mut large = b"PK\x06\x06".to_vec();
        large.resize(32, 0);
        large.extend(100_000_u64.to_le_bytes());
        assert_eq!(declared_entries(&large), 100_000);
        assert_eq!(declared_entries(b"PK\x05\x06"), 0);
    }
}
