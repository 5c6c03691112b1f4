//! DOCX files, made here with the archive library.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{archive, check, check_refused, docx_parts, p};
use extract::{Alone, ExtractError, Format, Limits, extract, sniff};

#[test]
fn headings_lists_tables_and_notes() {
    let cell = |text: &str| format!("<w:tc>{}</w:tc>", p("", text));
    let body = [
        p("Titel", "Leave &amp; rest"),
        p("Kapitel", "1 Scope"),
        "<w:p><w:r><w:t>You get </w:t></w:r><w:ins><w:r><w:t>24</w:t></w:r></w:ins><w:del><w:r><w:delText>20</w:delText></w:r></w:del>\
         <w:moveFrom><w:r><w:t>gone</w:t></w:r></w:moveFrom><w:r><w:tab/><w:t>days</w:t><w:br/><w:t>o&#246;f</w:t>\
         <w:noBreakHyphen/><w:t>f</w:t><w:instrText>PAGE</w:instrText></w:r></w:p>"
            .to_owned(),
        p("Liste", "one"),
        "<w:p><w:pPr><w:numPr><w:numId w:val=\"3\"/></w:numPr></w:pPr><w:r><w:t>two</w:t></w:r></w:p>".to_owned(),
        "<w:p><w:pPr><w:pStyle w:val=\"Liste\"/><w:numPr><w:numId w:val=\"0\"/></w:numPr></w:pPr><w:r><w:t>no item</w:t></w:r></w:p>".to_owned(),
        format!(
            "<w:tbl><w:tr>{}{}</w:tr><w:tr>{}<w:tc>{}{}<w:tbl><w:tr>{}{}</w:tr></w:tbl>{}</w:tc></w:tr></w:tbl>",
            cell("Band"), cell("Pay"), cell("1"), p("", "27,600"), p("", "euro"), cell("in"), cell("side"), p("", "")
        ),
        "<w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>In a box</w:t></w:r></w:p></w:txbxContent>\
         </mc:Choice><mc:Fallback><w:p><w:r><w:t>In a box</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent><w:t>Around</w:t></w:r></w:p>"
            .to_owned(),
        "<w:p><w:pPr><w:outlineLvl w:val=\"2\"/><w:pPrChange><w:pPr><w:pStyle w:val=\"berschrift1\"/></w:pPr></w:pPrChange></w:pPr>\
         <w:r><w:t>By outline</w:t></w:r></w:p>"
            .to_owned(),
    ]
    .concat();
    let notes = "<w:footnotes xmlns:w=\"w\"><w:footnote w:type=\"separator\"><w:p><w:r><w:t>---</w:t></w:r></w:p></w:footnote>\
                 <w:footnote w:id=\"2\"><w:p><w:r><w:t>Since 2024.</w:t></w:r></w:p></w:footnote></w:footnotes>";
    let core = "<cp:coreProperties xmlns:dc=\"d\"><dc:title>Leave rules</dc:title><dc:creator>X</dc:creator></cp:coreProperties>";
    let file = docx_parts(&body, &[("word/footnotes.xml", notes), ("docProps/core.xml", core)]);
    let extracted = check(
        &file,
        "x.docx",
        &[
            "- h1 Leave & rest",
            "- h1 1 Scope",
            "- p You get 24 days oöf-f",
            "- li one",
            "- li two",
            "- p no item",
            "- tr Band | Pay",
            "- tr 1 | 27,600 euro in side",
            "- p In a box",
            "- p Around",
            "- h3 By outline",
            "- p Since 2024.",
        ],
    );
    assert_eq!(extracted.title.as_deref(), Some("Leave rules"));
    assert_eq!((extracted.pages, extracted.warnings.len()), (None, 0));
}

#[test]
fn pages_by_explicit_breaks() {
    let page_break = "<w:p><w:r><w:br w:type=\"page\"/></w:r></w:p>";
    let body = p("", "one")
        + page_break
        + &p("", "two")
        + "<w:p><w:pPr><w:pageBreakBefore/></w:pPr><w:r><w:t>three</w:t></w:r></w:p>";
    let extracted = check(&docx_parts(&body, &[]), "x.docx", &["1 p one", "2 p two", "3 p three"]);
    assert_eq!(extracted.pages, Some(3));
}

#[test]
fn pages_as_word_laid_them_out_count_once() {
    let body = p("", "one")
        + "<w:p><w:r><w:br w:type=\"page\"/></w:r></w:p><w:p><w:r><w:lastRenderedPageBreak/><w:t>two, and </w:t></w:r>\
           <w:r><w:lastRenderedPageBreak/><w:t>three</w:t></w:r></w:p>"
        + &p("", "still three");
    check(&docx_parts(&body, &[]), "x.docx", &["1 p one", "2 p two, and three", "3 p still three"]);
}

#[test]
fn the_main_part_may_have_another_name() {
    let relations = b"<Relationships><Relationship Type=\"http://x/officeDocument\" Target=\"/word/document2.xml\"/></Relationships>";
    let document = b"<w:document><w:body><w:p><w:r><w:t>Hello</w:t></w:r></w:p></w:body></w:document>";
    let file = archive(&[("_rels/.rels", relations), ("word/document2.xml", document)]);
    check(&file, "x.docx", &["- p Hello"]);
}

#[test]
fn other_archives_say_what_to_do() {
    check_refused(&archive(&[("xl/workbook.xml", b"<x/>")]), "x.docx", "all its sheets are empty");
    check_refused(&archive(&[("mimetype", b"application/vnd.oasis.opendocument.formula")]), "x.docx", "OpenDocument");
    check_refused(&docx_parts("<w:p/>", &[]), "x.docx", "holds no text");
}

#[test]
fn damaged_parts_are_told() {
    let whole = docx_parts(&p("", "Hello"), &[]);
    for cut in [4, 30, whole.len() / 2, whole.len() - 10] {
        check_refused(&whole[..cut], "x.docx", "damaged");
    }
    let document = b"<w:document><w:body><w:p><w:r><w:t>Hello</w:t></w:r></w:p></w:body></w:document>".as_slice();
    let file = archive(&[("word/document.xml", document), ("word/styles.xml", b"<w:styles><w:style></w:sty")]);
    let extracted = check(&file, "x.docx", &["- p Hello"]);
    assert_eq!(extracted.warnings.len(), 1);
    check_refused(&archive(&[("word/document.xml", &document[..60])]), "x.docx", "damaged");
    check_refused(&archive(&[("word/document.xml", "<a>".repeat(200_000).as_bytes())]), "x.docx", "damaged");
}

#[test]
fn entities_do_not_multiply() {
    let mut document = String::from("<!DOCTYPE d [<!ENTITY e0 \"bomb\">");
    for level in 1..40 {
        document += &format!("<!ENTITY e{level} \"{}\">", format!("&e{};", level - 1).repeat(10));
    }
    document += "]><w:document><w:body><w:p><w:r><w:t>a &lt; b &e39; c</w:t></w:r></w:p></w:body></w:document>";
    check(&archive(&[("word/document.xml", document.as_bytes())]), "x.docx", &["- p a < b c"]);
}

fn check_limit(file: &[u8], limits: &Limits, part: &str) {
    match extract(file, Format::Docx, limits, &mut Alone) {
        Err(error @ ExtractError::TooLarge { .. }) => assert!(error.to_string().contains(part), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn archives_that_grow_are_refused() {
    let zeros = vec![b' '; 40 << 20];
    let bomb = archive(&[("word/document.xml", &zeros)]);
    assert!(bomb.len() < 100 << 10);
    check_limit(&bomb, &Limits { unpacked_bytes: 10 << 20, ..Limits::default() }, "unpacked size");

    // The same, with a lie about its size in the directory and the local header.
    let mut liar = bomb;
    let size = u32::try_from(zeros.len()).unwrap().to_le_bytes();
    while let Some(at) = liar.windows(4).position(|window| window == size) {
        liar[at..at + 4].copy_from_slice(&100_u32.to_le_bytes());
    }
    let error = extract(&liar, Format::Docx, &Limits { unpacked_bytes: 10 << 20, ..Limits::default() }, &mut Alone)
        .unwrap_err();
    assert!(matches!(error, ExtractError::TooLarge { .. } | ExtractError::Damaged { .. }), "{error}");

    let names: Vec<String> = (0..10_001).map(|number| format!("word/{number}")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    assert!(matches!(sniff(&archive(&many), "x.docx"), Err(ExtractError::TooLarge { .. })));

    let long = docx_parts(&p("", &"word ".repeat(1000)), &[]);
    check_limit(&long, &Limits { text_bytes: 1000, ..Limits::default() }, "its text");
    let breaks = docx_parts(&"<w:p><w:r><w:br w:type=\"page\"/></w:r></w:p>".repeat(50), &[]);
    check_limit(&breaks, &Limits { pages: 20, ..Limits::default() }, "pages");
}
