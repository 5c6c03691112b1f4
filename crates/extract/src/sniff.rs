//! What a file is: by its content first, by its name where the content cannot tell.

use crate::{ExtractError, Format, archive, container, encoding, mail};

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
const SIGNATURES: [(&[u8], &str); 6] = [
    (b"GIF8", "it is a picture of a kind that is hardly used for text; save it as PNG"),
    (b"%!PS", "it is a PostScript file; save it as PDF"),
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
    // Before PDF: a mail may have one among its first lines.
    if let Some(format) = mail_kind(bytes, file_name) {
        return Ok(format);
    }
    if head.windows(5).any(|window| window == b"%PDF-") {
        return Ok(Format::Pdf);
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return container::of_archive(bytes);
    }
    if bytes.starts_with(b"\x1f\x8b") {
        return Ok(Format::Gzip);
    }
    if archive::tar::is_tar(bytes) {
        return Ok(Format::Tar);
    }
    if bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        if mail::msg::is_message(bytes) {
            return Ok(Format::Msg);
        }
        return container::of_compound_file(bytes);
    }
    if bytes.trim_ascii_start().starts_with(b"{\\rtf") {
        return Ok(Format::Rtf);
    }
    if let Some((_, format)) = PICTURES.iter().find(|(signature, _)| bytes.starts_with(signature)) {
        return Ok(*format);
    }
    if let Some((_, reason)) = SIGNATURES.iter().find(|(signature, _)| bytes.starts_with(signature)) {
        return Err(ExtractError::unknown(*reason));
    }
    text_kind(bytes, file_name)
}

/// Mail, by the fields at its beginning, or by its name if it begins with one field at least.
fn mail_kind(bytes: &[u8], file_name: &str) -> Option<Format> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(16 << 10)]);
    let text = head.trim_start_matches('\u{feff}').trim_start();
    let ending = file_name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    // A text about mail may quote one, but nobody calls a mail so.
    if matches!(ending.as_deref(), Some("txt" | "text" | "md" | "log" | "html" | "htm")) {
        return None;
    }
    if mail::is_mailbox(text) {
        return Some(Format::Mbox);
    }
    let is_named = ending.as_deref() == Some("eml") && text.lines().next().is_some_and(mail::is_field);
    (is_named || mail::is_mail(text)).then_some(Format::Eml)
}

fn text_kind(bytes: &[u8], file_name: &str) -> Result<Format, ExtractError> {
    let mut cut = bytes.len().min(64 << 10);
    // Not in the middle of a character, if it is UTF-8.
    while cut > 0 && cut < bytes.len() && bytes[cut] & 0xc0 == 0x80 {
        cut -= 1;
    }
    let (text, _) = encoding::decode(&bytes[..cut], None);
    if is_binary(&text) {
        return Err(ExtractError::unknown(
            "it is not a document; bring PDF, Office or OpenDocument files, HTML or text",
        ));
    }
    let extension = file_name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("md" | "markdown" | "mdown") => return Ok(Format::Markdown),
        // A text about HTML may begin with a tag, but nobody calls a page so.
        Some("csv" | "tsv" | "tab") => return Ok(Format::Csv),
        Some("txt" | "text" | "log") => return Ok(Format::Text),
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
    fn mail_and_archives() {
        let mail = b"Received: by mx\r\nFrom: a@b\r\nSubject: the %PDF-1.7\r\n\r\nHello";
        check(mail, "0001", Ok(Format::Eml));
        check(&mail[..40], "about-mail.txt", Ok(Format::Text));
        check(b"Subject: x\n\nHello", "x.EML", Ok(Format::Eml));
        check(b"Subject: x\n\nHello", "x", Ok(Format::Text));
        check(&[b"From a@b Mon Mar  2 14:05:00 2026\n", mail.as_slice()].concat(), "inbox", Ok(Format::Mbox));
        check(b"\x1f\x8b\x08\0", "x", Ok(Format::Gzip));
    }

    #[test]
    fn what_cannot_be_read_says_what_to_do() {
        check(b"", "x.pdf", Err("empty"));
        check(b" \n\t\r\n", "x.txt", Err("empty"));
        check(b"a\0b", "x.txt", Err("not a document"));
        check(b"PK\x03\x04 and nothing else", "x.docx", Err("damaged"));
        check(b"{\\rtf1\\ansi Hello}", "x.doc", Ok(Format::Rtf));
        check(b"GIF89a", "x.pdf", Err("picture"));
        check(b"Rar!\x1a\x07", "x.rar", Err("unpack it"));
        let compound = |name: &str| {
            let mut bytes = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
            bytes.resize(600, 0);
            bytes.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
            bytes
        };
        check(&compound("WordDocument"), "x.doc", Err("save it as DOCX or PDF"));
        check(&compound("EncryptedPackage"), "x.docx", Err("encrypted"));
        check(&compound("Workbook"), "x.xls", Ok(Format::Xls));
        check(&compound("PowerPoint Document"), "x.ppt", Err("save it as PPTX or PDF"));
        check(b"a;b\n1;2\n", "x.CSV", Ok(Format::Csv));
    }
}
