//! Builds little documents for the tests.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

pub mod sheets;
pub mod slides;

use extract::{Alone, Child, ExtractError, Extracted, Host, Limits, Line, Picture, extract, sniff};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;

/// Sniffs and extracts, as ingestion does.
pub fn read(bytes: &[u8], name: &str) -> Result<Extracted, ExtractError> {
    extract(bytes, sniff(bytes, name)?, &Limits::default(), &mut Alone)
}

/// Keeps the files that lie in a file.
#[derive(Default)]
pub struct Keeper {
    pub children: Vec<Child>,
}

impl Host for Keeper {
    fn child(&mut self, child: Child) -> Result<(), ExtractError> {
        assert!(!child.bytes.is_empty());
        assert!(child.name.split('/').all(|part| !matches!(part, "" | "." | "..")), "{:?}", child.name);
        assert!(!child.name.contains(char::is_control), "{:?}", child.name);
        self.children.push(child);
        Ok(())
    }

    fn recognize(&mut self, _: &Picture) -> Result<Option<Vec<Line>>, ExtractError> {
        Ok(None)
    }
}

/// Sniffs and extracts, and gives the files in it by their names.
pub fn read_with_children(bytes: &[u8], name: &str) -> (Extracted, Vec<(String, Vec<u8>)>) {
    let mut keeper = Keeper::default();
    let extracted = extract(bytes, sniff(bytes, name).unwrap(), &Limits::default(), &mut keeper).unwrap();
    (extracted, keeper.children.into_iter().map(|child| (child.name, child.bytes)).collect())
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

/// What holds for every file with a text of its own.
pub fn assert_well_formed(extracted: &Extracted, limits: &Limits) {
    assert!(!extracted.blocks.is_empty());
    assert_blocks_well_formed(extracted, limits);
}

/// What holds for the blocks of every file, if it has any.
pub fn assert_blocks_well_formed(extracted: &Extracted, limits: &Limits) {
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

/// A message of Outlook: properties with a stream of their own (tag, bytes), and those of fixed size (tag, value).
#[derive(Default)]
pub struct Message<'a> {
    pub streams: Vec<(u32, Vec<u8>)>,
    pub fixed: Vec<(u32, u64)>,
    pub recipients: Vec<Message<'a>>,
    pub attachments: Vec<Message<'a>>,
    pub embedded: Option<&'a Message<'a>>,
}

impl Message<'_> {
    /// Adds a Unicode text.
    #[must_use]
    pub fn text(mut self, id: u32, text: &str) -> Self {
        self.streams.push((id << 16 | 0x1f, text.encode_utf16().flat_map(u16::to_le_bytes).collect()));
        self
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(mut self, id: u32, bytes: &[u8]) -> Self {
        self.streams.push((id << 16 | 0x102, bytes.to_vec()));
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, id: u32, value: u64) -> Self {
        self.fixed.push((id << 16 | 3, value));
        self
    }

    pub fn file(&self) -> Vec<u8> {
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        self.write(&mut file, "", 32);
        file.flush().unwrap();
        file.into_inner().into_inner()
    }

    fn write(&self, file: &mut cfb::CompoundFile<Cursor<Vec<u8>>>, folder: &str, header: usize) {
        let mut put = |name: &str, bytes: &[u8]| {
            file.create_stream(format!("{folder}/{name}")).unwrap().write_all(bytes).unwrap();
        };
        for (tag, bytes) in &self.streams {
            put(&format!("__substg1.0_{tag:08X}"), bytes);
        }
        let mut properties = vec![0; header];
        for (tag, value) in &self.fixed {
            properties.extend([tag.to_le_bytes().as_slice(), &[0; 4], &value.to_le_bytes()].concat());
        }
        put("__properties_version1.0", &properties);
        for (kind, parts) in [("recip", &self.recipients), ("attach", &self.attachments)] {
            for (place, part) in parts.iter().enumerate() {
                let folder = format!("{folder}/__{kind}_version1.0_#{place:08X}");
                file.create_storage(&folder).unwrap();
                part.write(file, &folder, 8);
                if let Some(message) = part.embedded {
                    let folder = format!("{folder}/__substg1.0_3701000D");
                    file.create_storage(&folder).unwrap();
                    message.write(file, &folder, 24);
                }
            }
        }
    }
}
