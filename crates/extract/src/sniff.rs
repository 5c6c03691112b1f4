//! What a file is: by its content first, by its name where the content cannot tell.

use crate::{ExtractError, Format, docx, encoding};

/// How far into the file the first mark of its format may stand. PDF readers accept `%PDF-` within the first 1024
/// bytes (ISO 32000-1, annex H, note 13).
const HEAD_BYTES: usize = 1024;

/// The first bytes of pictures.
const PICTURES: [(&[u8], Format); 4] = [
    (b"\x89PNG\r\n\x1a\n", Format::Png),
    (b"\xff\xd8\xff", Format::Jpeg),
    (b"II*\0", Format::Tiff),
    (b"MM\0*", Format::Tiff),
];

/// The first bytes of formats that people bring by mistake, and what to say to them.
const SIGNATURES: [(&[u8], &str); 8] = [
    (b"{\\rtf", "it is a rich text file; save it as DOCX or PDF"),
    (b"GIF8", "it is a picture of a kind that is hardly used for text; save it as PNG"),
    (b"%!PS", "it is a PostScript file; save it as PDF"),
    (b"\x1f\x8b", "it is a compressed archive; unpack it and bring the documents in it"),
    (b"7z\xbc\xaf", "it is a compressed archive; unpack it and bring the documents in it"),
    (b"Rar!", "it is a compressed archive; unpack it and bring the documents in it"),
    (b"\x7fELF", "it is a program, not a document"),
    (b"MZ\x90\0", "it is a program, not a document"),
];

/// Says what `bytes` are; `file_name` decides only between the kinds of text.
///
/// # Errors
/// [`ExtractError::Empty`], [`ExtractError::Encrypted`] for password-protected Office files,
/// [`ExtractError::UnknownKind`] for everything that cannot be read, and the errors of opening an archive.
pub fn sniff(bytes: &[u8], file_name: &str) -> Result<Format, ExtractError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ExtractError::Empty);
    }
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    if head.windows(5).any(|window| window == b"%PDF-") {
        return Ok(Format::Pdf);
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return docx::recognise(bytes).map(|()| Format::Docx);
    }
    if bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Err(compound_file(bytes));
    }
    if let Some((_, format)) = PICTURES.iter().find(|(signature, _)| bytes.starts_with(signature)) {
        return Ok(*format);
    }
    if let Some((_, reason)) = SIGNATURES.iter().find(|(signature, _)| bytes.starts_with(signature)) {
        return Err(ExtractError::unknown(*reason));
    }
    text_kind(bytes, file_name)
}

/// An OLE compound file: an encrypted OOXML package (MS-OFFCRYPTO) or one of the Office formats before 2007. Its
/// directory holds the stream names in UTF-16LE.
fn compound_file(bytes: &[u8]) -> ExtractError {
    let names = |name: &str| {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes.windows(name.len()).any(|window| window == name)
    };
    if names("EncryptedPackage") {
        return ExtractError::Encrypted;
    }
    ExtractError::unknown(match () {
        () if names("WordDocument") => "it is in the Word format from before 2007; save it as DOCX or PDF",
        () if names("Workbook") || names("PowerPoint Document") => {
            "it is a spreadsheet or presentation from before 2007; save it as PDF"
        }
        () => "it is in an old Office format; save it as DOCX or PDF",
    })
}

fn text_kind(bytes: &[u8], file_name: &str) -> Result<Format, ExtractError> {
    let mut cut = bytes.len().min(64 << 10);
    // Not in the middle of a character, if it is UTF-8.
    while cut > 0 && cut < bytes.len() && bytes[cut] & 0xc0 == 0x80 {
        cut -= 1;
    }
    let (text, _) = encoding::decode(&bytes[..cut], None);
    if is_binary(&text) {
        return Err(ExtractError::unknown("it is not a document; bring PDF, DOCX, HTML, Markdown or plain text"));
    }
    let extension = file_name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("md" | "markdown" | "mdown") => return Ok(Format::Markdown),
        // A text about HTML may begin with a tag, but nobody calls a page so.
        Some("txt" | "text" | "log" | "csv" | "tsv") => return Ok(Format::Text),
        _ => {}
    }
    let is_html_name = matches!(extension.as_deref(), Some("html" | "htm" | "xhtml"));
    Ok(if is_html_name || begins_as_html(&text) { Format::Html } else { Format::Text })
}

/// Control characters that no text editor writes. One in a thousand is let through: logs hold escape sequences.
pub(crate) fn is_binary(text: &str) -> bool {
    let odd = |c: char| (c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r' | '\x0b' | '\x0c')) || c == '\u{fffd}';
    let (mut odd_ones, mut all) = (0_usize, 0_usize);
    for c in text.chars() {
        if c == '\0' {
            return true;
        }
        all += 1;
        odd_ones += usize::from(odd(c));
    }
    odd_ones * 1000 > all
}

/// The patterns of the MIME Sniffing Standard (section 7.1) that speak for a whole page.
fn begins_as_html(text: &str) -> bool {
    let mut rest = text.trim_start();
    loop {
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after).trim_start();
        } else if let Some(declaration) = rest.strip_prefix("<?xml") {
            rest = declaration.split_once("?>").map_or("", |(_, after)| after).trim_start();
        } else {
            break;
        }
    }
    let lower: String = rest.chars().take(16).collect::<String>().to_ascii_lowercase();
    let marks = ["<!doctype html", "<html", "<head", "<body", "<title", "<table", "<div", "<h1", "<p>", "<meta"];
    marks.iter().any(|mark| lower.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], name: &str, expected: Result<Format, &str>) {
        match (sniff(bytes, name), expected) {
            (Ok(format), Ok(expected)) => assert_eq!(format, expected, "{name}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{name}: {error}"),
            (found, expected) => panic!("{name}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn content_comes_before_the_name() {
        check(b"%PDF-1.7\n", "letter.txt", Ok(Format::Pdf));
        check(b"\n\n junk %PDF-1.4", "", Ok(Format::Pdf));
        check(b"<!-- saved -->\n<!DOCTYPE html><p>x", "page", Ok(Format::Html));
        check(b"\xef\xbb\xbf<?xml version='1.0'?><html>", "page.xml", Ok(Format::Html));
        check(b"plain", "page.htm", Ok(Format::Html));
        check(b"# Title\n", "NOTES.MD", Ok(Format::Markdown));
        check(b"<h1> is the tag of a heading", "about.txt", Ok(Format::Text));
        check("Grüße".as_bytes(), "no extension", Ok(Format::Text));
        check(b"\x89PNG\r\n\x1a\n", "x.pdf", Ok(Format::Png));
        check(b"\xff\xd8\xff\xe0", "x", Ok(Format::Jpeg));
        check(b"MM\0*", "x", Ok(Format::Tiff));
        check(
            b"a log \x1b[0m line, and a good thousand characters more".repeat(30).as_slice(),
            "x.log",
            Err("not a doc"),
        );
    }

    #[test]
    fn what_cannot_be_read_says_what_to_do() {
        check(b"", "x.pdf", Err("empty"));
        check(b" \n\t\r\n", "x.txt", Err("empty"));
        check(b"a\0b", "x.txt", Err("not a document"));
        check(b"PK\x03\x04 and nothing else", "x.docx", Err("damaged"));
        check(b"{\\rtf1\\ansi Hello}", "x.doc", Err("save it as DOCX or PDF"));
        check(b"GIF89a", "x.pdf", Err("picture"));
        let compound = |name: &str| {
            let mut bytes = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
            bytes.resize(600, 0);
            bytes.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
            bytes
        };
        check(&compound("WordDocument"), "x.doc", Err("save it as DOCX or PDF"));
        check(&compound("EncryptedPackage"), "x.docx", Err("encrypted"));
        check(&compound("Workbook"), "x.xls", Err("spreadsheet"));
    }
}
