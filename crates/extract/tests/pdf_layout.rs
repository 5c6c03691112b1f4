//! Layout, fonts and metadata of PDF files, written here object by object.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Shown, check, content, lines, pdf, pdf_of, pdf_with, read, stream};
use domain::{Area, BlockKind};

fn areas(file: &[u8]) -> Vec<[u16; 4]> {
    let area = |area: Area| [area.left, area.top, area.right, area.bottom];
    read(file, "x.pdf").unwrap().blocks.iter().map(|block| area(block.location.area.unwrap())).collect()
}

/// A page of its own kind around a line of text at (100, 700).
fn page_with(entries: &str) -> Vec<u8> {
    let objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!("<< /Type /Pages /Kids [3 0 R] /Count 1 {entries} >>").into_bytes(),
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_vec(),
        stream("", &content(&[(100.0, 700.0, "F1", 10.0, "Hello.")])),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>".to_vec(),
    ];
    pdf_of(&objects, "")
}

#[test]
fn blocks_say_where_they_stand_on_the_page_as_it_is_shown() {
    // Six letters of Courier are 36 points wide; letters go from 2.2 points below the baseline to 7.8 above it.
    assert_eq!(areas(&page_with("/MediaBox [0 0 1000 1000]")), [[1_000, 2_922, 1_360, 3_022]]);
    assert_eq!(areas(&page_with("/MediaBox [0 0 1000 1000] /UserUnit 2")), [[1_000, 2_922, 1_360, 3_022]]);
    assert_eq!(areas(&page_with("/MediaBox [0 0 1000 1000] /CropBox [100 600 300 800]")), [[0, 4_610, 1_800, 5_110]]);
    // Turned to the right, what was on the left is at the top.
    assert_eq!(areas(&page_with("/MediaBox [0 0 1000 1000] /Rotate 90")), [[6_978, 1_000, 7_078, 1_360]]);
    assert_eq!(areas(&page_with("/MediaBox [0 0 1000 1000] /Rotate -180")), [[8_640, 6_978, 9_000, 7_078]]);
    assert!(read(&page_with("/MediaBox [0 0 50 50]"), "x.pdf").is_err());
}

#[test]
fn a_block_over_two_pages_keeps_the_area_on_its_first() {
    let file = pdf(&[
        &[(60.0, 90.0, "F1", 10.0, "The sentence at the end of a page goes on and")],
        &[(60.0, 780.0, "F1", 10.0, "on at the top of the next one.")],
    ]);
    check(&file, "x.pdf", &["1 p The sentence at the end of a page goes on and on at the top of the next one."]);
    assert!(areas(&file)[0][1] > 8_000);
}

#[test]
fn columns_written_across_the_page_are_read_one_after_the_other() {
    const LEFT: [&str; 7] = [
        "The harbour opens at six in the morning",
        "and closes when the last of the ships is",
        "in. Whoever comes later has to wait at the",
        "buoy until the pilot takes them in on the",
        "next morning. The pilot is called by radio",
        "on the channel that is printed on page two",
        "and answers within a quarter of an hour or",
    ];
    const RIGHT: [&str; 7] = [
        "calls back. Ships with dangerous goods tell",
        "the office a day before they arrive, with a",
        "list of what they carry. They are given a",
        "berth at the outer pier, where the fire boat",
        "lies. Nobody goes ashore there before the",
        "officer has been on board and has signed the",
        "list. This takes about an hour on most days.",
    ];
    let mut page: Vec<Shown<'_>> = vec![(60.0, 780.0, "F2", 18.0, "Rules of the harbour")];
    for row in 0..7 {
        page.push((60.0, 740.0 - 12.0 * row as f64, "F1", 10.0, LEFT[row]));
        page.push((310.0, 740.0 - 12.0 * row as f64, "F1", 10.0, RIGHT[row]));
    }
    let text = format!("1 p {} {}", LEFT.join(" "), RIGHT.join(" "));
    check(&pdf(&[&page]), "x.pdf", &["1 h1 Rules of the harbour", &text]);
}

#[test]
fn content_in_another_order_is_sorted() {
    let page: &[Shown<'_>] = &[
        (60.0, 100.0, "F1", 10.0, "The last sentence stands here."),
        (60.0, 500.0, "F1", 10.0, "The first sentence stands here."),
        (60.0, 700.0, "F2", 16.0, "Title"),
    ];
    check(
        &pdf(&[page]),
        "x.pdf",
        &["1 h1 Title", "1 p The first sentence stands here.", "1 p The last sentence stands here."],
    );
}

#[test]
fn listings_keep_their_lines() {
    let courier = b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>".to_vec();
    let page = b"BT /F1 10 Tf 60 700 Td (This is what it looks like in the end, and it is not short:) Tj ET \
                 BT /C 10 Tf 60 670 Td (if \\(open\\) {) Tj 12 -12 Td (close\\(\\)) Tj -12 -12 Td (}) Tj ET"
        .to_vec();
    let resources = "/Font << /F1 3 0 R /F2 4 0 R /C 5 0 R >>";
    let objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!("<< /Type /Pages /Kids [6 0 R] /Count 1 /Resources << {resources} >> >>").into_bytes(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>".to_vec(),
        courier,
        b"<< /Type /Page /Parent 2 0 R /Contents 7 0 R >>".to_vec(),
        stream("", &page),
    ];
    let extracted = read(&pdf_of(&objects, ""), "x.pdf").unwrap();
    assert_eq!(extracted.blocks[1].kind, BlockKind::Preformatted);
    assert_eq!(extracted.blocks[1].text, "if (open) {\n  close()\n}");
}

/// Content with a simple font `/F` whose entries are given.
fn with_font(entries: &str, shown: &str) -> Vec<u8> {
    let objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>".to_vec(),
        stream("", shown.as_bytes()),
        format!("<< /Type /Font {entries} >>").into_bytes(),
    ];
    pdf_of(&objects, "")
}

#[test]
fn names_of_glyphs_are_followed() {
    let names =
        "/Subtype /Type1 /BaseFont /X /Encoding << /Differences [1 /f_f_i /ff /fi /uni00E9 /T_h /ccaron 65 /B] >>";
    check(
        &with_font(names, "BT /F 10 Tf 60 700 Td (o\\001ce \\003nd o\\002 caf\\004 \\005e \\006 A C) Tj ET"),
        "x.pdf",
        &["1 p office find off café The č B C"],
    );
    let drawn = "/Subtype /Type3 /FontMatrix [0.01 0 0 0.01 0 0] /FontBBox [0 0 9 9] /CharProcs << >> /FirstChar 1 \
                 /Widths [50 50 50] /Encoding << /Differences [1 /a72 /a105 /a12] >>";
    check(&with_font(drawn, "BT /F 10 Tf 60 700 Td <010203> Tj ET"), "x.pdf", &["1 p Hifi"]);
}

#[test]
fn what_nobody_sees_is_read_and_what_should_be_read_instead() {
    let font = "/Subtype /Type1 /BaseFont /Courier";
    // Text under a scan is invisible.
    check(&with_font(font, "BT 3 Tr /F 10 Tf 60 700 Td (Recognised.) Tj ET"), "x.pdf", &["1 p Recognised."]);
    let actual = "BT /F 10 Tf 60 700 Td (a) Tj /Span << /ActualText <FEFF006200630064> >> BDC (xy) Tj EMC (e) Tj ET";
    check(&with_font(font, actual), "x.pdf", &["1 p abcde"]);
}

#[test]
fn raised_marks_initials_and_letter_spacing() {
    let font = "/Subtype /Type1 /BaseFont /Courier";
    let note = "BT /F 10 Tf 60 700 Td (a reference) Tj 6 Tf /F 6 Tf 4 Ts (12) Tj 0 Ts /F 10 Tf ( and 5 km) Tj /F 6 Tf 4 Ts (2) Tj ET";
    check(&with_font(font, note), "x.pdf", &["1 p a reference 12 and 5 km2"]);
    let initial = "BT /F 36 Tf 60 676 Td (T) Tj /F 10 Tf 24 24 Td (he harbour opens at six,) Tj 0 -12 Td (and it closes at ten,) Tj \
                   -24 -24 Td (which is late.) Tj ET";
    let found = lines(&read(&with_font(font, initial), "x.pdf").unwrap());
    assert!(found[0].starts_with("1 p The harbour opens at six, and it closes at ten,"), "{found:?}");
    let spaced = "BT /F 10 Tf 60 700 Td [(N) -300 (O) -300 (T) -300 (I) -300 (C) -300 (E) -900 (T) -300 (O)] TJ ET";
    check(&with_font(font, spaced), "x.pdf", &["1 p NOTICE TO"]);
    let accent = "BT /F 10 Tf 60 700 Td [(espa~) 600 (nol)] TJ ET";
    check(&with_font(font, accent), "x.pdf", &["1 p español"]);
}

#[test]
fn codes_of_eastern_encodings_are_characters() {
    let objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_vec(),
        // 東京 A in Shift JIS, then a line of text from top to bottom.
        stream("", b"BT /F1 10 Tf 60 700 Td <938C8B9E2041> Tj ET"),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Y /Encoding /90ms-RKSJ-H /DescendantFonts [<< >>] >>".to_vec(),
    ];
    check(&pdf_of(&objects, ""), "x.pdf", &["1 p 東京 A"]);
}

#[test]
fn form_fields_are_read_where_they_stand() {
    let field = stream(
        "/Type /XObject /Subtype /Form /BBox [0 0 200 20] /Resources << /Font << /F1 3 0 R >> >>",
        b"/Tx BMC BT /F1 10 Tf 2 5 Td (Anna Berg) Tj ET EMC",
    );
    let widget = b"<< /Type /Annot /Subtype /Widget /Rect [150 695 350 715] /AP << /N 5 0 R >> >>".to_vec();
    let hidden = b"<< /Type /Annot /Subtype /Widget /F 2 /Rect [150 495 350 515] /AP << /N 5 0 R >> >>".to_vec();
    let objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [4 0 R] /Count 1 /Resources << /Font << /F1 3 0 R >> >> >>".to_vec(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /Contents 6 0 R /Annots [7 0 R 8 0 R] >>".to_vec(),
        field,
        stream(
            "",
            &content(&[
                (60.0, 740.0, "F1", 10.0, "Application"),
                (60.0, 700.0, "F1", 10.0, "Name"),
                (60.0, 660.0, "F1", 10.0, "End."),
            ]),
        ),
        widget,
        hidden,
    ];
    check(&pdf_of(&objects, ""), "x.pdf", &["1 p Application", "1 tr Name | Anna Berg", "1 p End."]);
}

#[test]
fn metadata_from_either_place() {
    let page = content(&[(60.0, 700.0, "F1", 10.0, "Hello.")]);
    let information = "/Info << /Title (Leave) /Author <FEFF00C4006E006E0065> /CreationDate (D:20231224181530+01'00') /ModDate (D:20240102) >>";
    let extracted = read(&pdf_with(std::slice::from_ref(&page), "", &[], information), "x.pdf").unwrap();
    assert_eq!((extracted.title.as_deref(), extracted.author.as_deref()), (Some("Leave"), Some("Änne")));
    assert_eq!(extracted.created_at.unwrap().to_string(), "2023-12-24T17:15:30Z");
    assert_eq!(extracted.modified_at.unwrap().to_string(), "2024-01-02T00:00:00");

    let packet = b"<x:xmpmeta xmlns:x='x'><rdf:RDF><rdf:Description><dc:title><rdf:Alt><rdf:li>Pay</rdf:li></rdf:Alt></dc:title>\
                   <dc:creator><rdf:Seq><rdf:li>Bo</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>";
    let objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R /Metadata 6 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_vec(),
        stream("", &page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
        stream("/Type /Metadata /Subtype /XML", packet),
    ];
    let extracted = read(&pdf_of(&objects, ""), "x.pdf").unwrap();
    assert_eq!((extracted.title.as_deref(), extracted.author.as_deref()), (Some("Pay"), Some("Bo")));
}

#[test]
fn pages_that_are_pictures_are_named() {
    let picture = stream("/Type /XObject /Subtype /Image /Width 1 /Height 1", b"x");
    let scan = b"q 595 0 0 842 0 0 cm /X1 Do Q".to_vec();
    let logo = [b"q 95 0 0 42 0 0 cm /X1 Do Q ".to_vec(), content(&[(60.0, 700.0, "F1", 10.0, "Some text.")])].concat();
    let file = pdf_with(&[logo, scan], "/XObject << /X1 5 0 R >>", &[picture], "");
    let extracted = check(&file, "x.pdf", &["1 p Some text."]);
    assert_eq!(extracted.warnings, ["page 2 holds only a picture"]);
}

#[test]
fn titles_of_chapters_and_page_numbers_go() {
    let texts = [
        "All about ropes and knots.",
        "All about cranes and hooks.",
        "All about ships and boats.",
        "All about the sea.",
    ];
    let chapters = ["Chapter 1: Ashore", "Chapter 1: Ashore", "Chapter 2: Afloat", "Chapter 2: Afloat"];
    let numbers = ["iv", "v", "vi", "vii"];
    let pages: Vec<Vec<Shown<'_>>> = (0..4)
        .map(|page| {
            vec![
                (60.0, 800.0, "F1", 10.0, chapters[page]),
                (60.0, 700.0 - 20.0 * page as f64, "F1", 10.0, texts[page]),
                (60.0, 30.0, "F1", 10.0, numbers[page]),
            ]
        })
        .collect();
    let pages: Vec<&[Shown<'_>]> = pages.iter().map(Vec::as_slice).collect();
    let expected: Vec<String> = (0..4).map(|page| format!("{} p {}", page + 1, texts[page])).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&pdf(&pages), "x.pdf", &expected);
}
