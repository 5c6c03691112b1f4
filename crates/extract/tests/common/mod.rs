//! Builds little documents for the tests.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

pub mod sheets;
pub mod slides;

use extract::{Alone, ExtractError, Extracted, Limits, extract, sniff};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;

/// Sniffs and extracts, as ingestion does.
pub fn read(bytes: &[u8], name: &str) -> Result<Extracted, ExtractError> {
    extract(bytes, sniff(bytes, name)?, &Limits::default(), &mut Alone)
}

/// Checks the blocks, each as `page kind text`, such as `2 h1 Leave`.
pub fn check(bytes: &[u8], name: &str, expected: &[&str]) -> Extracted {
    let extracted = read(bytes, name).unwrap();
    assert_eq!(lines(&extracted), expected);
    assert_well_formed(&extracted, &Limits::default());
    extracted
}

/// Checks that it is refused, and that the message says so.
pub fn check_refused(bytes: &[u8], name: &str, part: &str) {
    let error = read(bytes, name).unwrap_err().to_string();
    assert!(error.contains(part), "{error:?} does not say {part:?}");
}

pub fn lines(extracted: &Extracted) -> Vec<String> {
    use domain::BlockKind::{Heading, ListItem, Paragraph, Preformatted, TableRow};
    extracted
        .blocks
        .iter()
        .map(|block| {
            let kind = match block.kind {
                Heading(level) => format!("h{level}"),
                Paragraph => "p".to_owned(),
                ListItem => "li".to_owned(),
                TableRow => "tr".to_owned(),
                Preformatted => "pre".to_owned(),
            };
            let page = block.location.page.map_or("-".to_owned(), |page| page.to_string());
            format!("{page} {kind} {}", block.text)
        })
        .collect()
}

/// What holds for every file whatever it is.
pub fn assert_well_formed(extracted: &Extracted, limits: &Limits) {
    assert!(!extracted.blocks.is_empty());
    let mut bytes = 0;
    let mut page = 0;
    for block in &extracted.blocks {
        let is_pre = block.kind == domain::BlockKind::Preformatted;
        let bad = block.text.chars().find(|&c| c.is_control() && !(is_pre && (c == '\n' || c == '\t')));
        assert_eq!(bad, None, "{:?}", block.text);
        assert!(!block.text.trim().is_empty());
        assert!(is_pre || !block.text.contains("  "), "{:?}", block.text);
        bytes += block.text.len() as u64;
        if let (Some(at), Some(pages)) = (block.location.page, extracted.pages) {
            assert!((1..=pages).contains(&at) && at >= page, "page {at} after {page} of {pages}");
            page = at;
        }
    }
    assert!(bytes <= limits.text_bytes);
}

/// A line of a PDF page: left, baseline, font (`F1` plain, `F2` bold), size, text.
pub type Shown<'a> = (f64, f64, &'a str, f64, &'a str);

/// A PDF of these objects, numbered from 1; object 1 is the catalog.
pub fn pdf_of(objects: &[Vec<u8>], trailer: &str) -> Vec<u8> {
    let mut file = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut offsets = Vec::new();
    for (place, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.extend(format!("{} 0 obj\n", place + 1).bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let start = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for offset in offsets {
        file.extend(format!("{offset:010} 00000 n \n").bytes());
    }
    let size = objects.len() + 1;
    file.extend(format!("trailer\n<< /Size {size} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n").bytes());
    file
}

pub fn stream(dictionary: &str, content: &[u8]) -> Vec<u8> {
    let mut object = format!("<< {dictionary} /Length {} >>\nstream\n", content.len()).into_bytes();
    object.extend(content);
    object.extend(b"\nendstream");
    object
}

pub fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Content streams as pages, with Helvetica as `F1` and bold as `F2`; `more` are objects from number 5 on, and
/// `resources` entries of the resources of all pages.
pub fn pdf_with(contents: &[Vec<u8>], resources: &str, more: &[Vec<u8>], trailer: &str) -> Vec<u8> {
    let first = 5 + more.len();
    let kids: String = (0..contents.len()).map(|page| format!("{} 0 R ", first + 2 * page)).collect();
    let font = |name: &str| {
        format!("<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>").into_bytes()
    };
    let pages = format!(
        "<< /Type /Pages /Kids [{kids}] /Count {} /MediaBox [0 0 595 842] \
         /Resources << /Font << /F1 3 0 R /F2 4 0 R >> {resources} >> >>",
        contents.len()
    );
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        pages.into_bytes(),
        font("Helvetica"),
        font("Helvetica-Bold"),
    ];
    objects.extend(more.iter().cloned());
    for (page, content) in contents.iter().enumerate() {
        let content_number = first + 2 * page + 1;
        objects.push(format!("<< /Type /Page /Parent 2 0 R /Contents {content_number} 0 R >>").into_bytes());
        objects.push(stream("/Filter /FlateDecode", &deflated(content)));
    }
    pdf_of(&objects, trailer)
}

pub fn content(lines: &[Shown<'_>]) -> Vec<u8> {
    let mut content = Vec::new();
    for (left, baseline, font, size, text) in lines {
        content.extend(format!("BT /{font} {size} Tf {left} {baseline} Td (").bytes());
        let (text, _, _) = encoding_rs::WINDOWS_1252.encode(text);
        for &byte in text.iter() {
            if b"()\\".contains(&byte) {
                content.push(b'\\');
            }
            content.push(byte);
        }
        content.extend(b") Tj ET\n");
    }
    content
}

pub fn pdf(pages: &[&[Shown<'_>]]) -> Vec<u8> {
    let contents: Vec<Vec<u8>> = pages.iter().map(|lines| content(lines)).collect();
    pdf_with(&contents, "", &[], "")
}

pub fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, part) in parts {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(part).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// An OpenDocument file of this kind, with this in its body, and further parts.
pub fn opendocument(kind: &str, body: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let media_type = format!("application/vnd.oasis.opendocument.{kind}");
    let content = format!("<office:document-content><office:body>{body}</office:body></office:document-content>");
    let mut parts = vec![("mimetype", media_type.as_bytes()), ("content.xml", content.as_bytes())];
    parts.extend(more.iter().map(|(name, part)| (*name, part.as_bytes())));
    archive(&parts)
}

pub const STYLES: &str = r#"<w:styles xmlns:w="w">
<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:styleId="Kapitel"><w:name w:val="Kapitel"/><w:basedOn w:val="berschrift1"/></w:style>
<w:style w:styleId="Titel"><w:name w:val="Title"/></w:style>
<w:style w:styleId="Liste"><w:name w:val="List Bullet"/></w:style></w:styles>"#;

pub fn docx_parts(body: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let document = format!("<?xml version=\"1.0\"?><w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
    let mut parts = vec![("word/document.xml", document.as_bytes()), ("word/styles.xml", STYLES.as_bytes())];
    parts.extend(more.iter().map(|(name, part)| (*name, part.as_bytes())));
    archive(&parts)
}

pub fn p(style: &str, text: &str) -> String {
    format!(
        "<w:p><w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>"
    )
}
