//! PDF files, written here object by object.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Shown, check, check_refused, content, deflated, lines, pdf, pdf_of, pdf_with, read, stream};
use extract::{Alone, ExtractError, Format, Limits, extract};

const LONG: &str = "Every employee receives twenty-four days of leave in the first year of service";

fn running(page: u32, rest: &[Shown<'static>]) -> Vec<u8> {
    let mut lines = vec![(60.0, 810.0, "F1", 8.0, "Handbook, edition 9")];
    lines.extend_from_slice(rest);
    let mut page_content = content(&lines);
    let footer = format!("Page {page} of 3");
    page_content.extend(content(&[(500.0, 20.0, "F1", 8.0, &footer)]));
    page_content
}

#[test]
fn pages_headings_paragraphs_and_tables() {
    let contents = [
        running(
            1,
            &[
                (60.0, 780.0, "F2", 24.0, "Handbook"),
                (60.0, 740.0, "F2", 16.0, "1 Leave"),
                (60.0, 715.0, "F2", 12.0, "1.1 Annual leave"),
                (60.0, 695.0, "F1", 10.0, LONG),
                (60.0, 682.0, "F1", 10.0, "and keeps them until the end of March. The enti-"),
                (60.0, 669.0, "F1", 10.0, "tlement “grows” later for the € 5 of „Büro“."),
                (60.0, 640.0, "F1", 10.0, "The sentence at the end of a page goes on and"),
            ],
        ),
        running(
            2,
            &[
                (60.0, 780.0, "F1", 10.0, "on at the top of the next one."),
                (60.0, 740.0, "F1", 10.0, "Band"),
                (200.0, 740.0, "F1", 10.0, "Pay"),
                (60.0, 725.0, "F1", 10.0, "1"),
                (200.0, 725.0, "F1", 10.0, "27,600"),
                (80.0, 690.0, "F1", 10.0, "• first"),
                (80.0, 677.0, "F1", 10.0, "• second"),
            ],
        ),
        running(3, &[(60.0, 780.0, "F2", 16.0, "2 End"), (60.0, 750.0, "F1", 10.0, "All is said.")]),
    ];
    let file = pdf_with(&contents, "", &[], "/Info << /Title (Employee Handbook) >>");
    let extracted = read(&file, "x.pdf").unwrap();
    let found = lines(&extracted);
    assert_eq!(extracted.title.as_deref(), Some("Employee Handbook"));
    assert_eq!((extracted.pages, extracted.warnings.as_slice()), (Some(3), [].as_slice()));
    assert_eq!(found[..3], ["1 h1 Handbook", "1 h2 1 Leave", "1 h3 1.1 Annual leave"]);
    assert!(
        found[3].starts_with("1 p Every employee")
            && found[3].ends_with("The entitlement “grows” later for the € 5 of „Büro“."),
        "{}",
        found[3]
    );
    assert_eq!(found[4], "1 p The sentence at the end of a page goes on and on at the top of the next one.");
    assert_eq!(
        found[5..],
        ["2 tr Band | Pay", "2 tr 1 | 27,600", "2 li first", "2 li second", "3 h2 2 End", "3 p All is said."]
    );
}

#[test]
fn forms_shorthands_states_and_pictures() {
    let form = stream(
        "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Matrix [1 0 0 1 0 100]",
        &content(&[(60.0, 500.0, "F1", 10.0, "In a form.")]),
    );
    let picture =
        stream("/Type /XObject /Subtype /Image /Width 1 /Height 1 /Filter /DCTDecode", b"\xff\xd8 BT (no) Tj");
    let page = b"q 1 0 0 1 0 0 cm /X1 Do /X2 Do Q /CS9 cs 1 sc 0 0 m /G9 gs\n\
        BT /F1 10 Tf 14 TL 60 560 Td (First line,) Tj (second line,) ' 0 0 (third line.) \" ET\n\
        BT /F1 10 Tf 60 500 Td [(Kern) -20 (ed) -400 (words.)] TJ ET\n\
        /Artifact <</Type /Pagination>> BDC BT /F1 10 Tf 60 480 Td (Running title) Tj ET EMC\n\
        BI /W 2 /H 2 /BPC 8 /CS /G ID abcd EI BT /F1 10 Tf 60 440 Td (After the picture.) Tj ET"
        .to_vec();
    let file = pdf_with(&[page], "/XObject << /X1 5 0 R /X2 6 0 R >>", &[form, picture], "");
    check(
        &file,
        "x.pdf",
        &["1 p In a form.", "1 p First line, second line, third line.", "1 p Kerned words.", "1 p After the picture."],
    );
}

#[test]
fn turned_pages_read_upright() {
    let page = b"0 1 -1 0 595 0 cm BT /F1 10 Tf 60 500 Td (Turned) Tj 0 -12 Td (text.) Tj ET".to_vec();
    check(&pdf_with(&[page], "", &[], ""), "x.pdf", &["1 p Turned text."]);
}

#[test]
fn damaged_fonts_are_read_as_far_as_they_say_something() {
    // A font program that is none, a composite font whose codes are characters, an encoding of an unknown kind, and
    // no font at all.
    let page = b"BT /F1 10 Tf 60 700 Td (Fine.) Tj ET BT /B1 10 Tf 60 600 Td (Program.) Tj ET\n\
                 BT /B2 10 Tf 60 500 Td <00410042> Tj ET BT /B3 10 Tf 60 400 Td (Odd.) Tj ET BT /B9 10 Tf 60 300 Td (None.) Tj ET";
    let type1 = b"<< /Type /Font /Subtype /Type1 /BaseFont /X /FontDescriptor << /FontFile3 5 0 R >> >>".to_vec();
    let composite =
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Y /Encoding /UniJIS-UCS2-H /DescendantFonts [<< >>] >>".to_vec();
    let odd = b"<< /Type /Font /Subtype /TrueType /BaseFont /Z /Encoding /StandardEncoding /FirstChar 32 /LastChar 999 /Widths [500] >>".to_vec();
    let objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 9 0 R /B1 6 0 R /B2 7 0 R /B3 8 0 R >> >> >>".to_vec(),
        stream("", page),
        stream("/Subtype /Type1C", b"not a font"),
        type1,
        composite,
        odd,
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
    ];
    let extracted = check(&pdf_of(&objects, ""), "x.pdf", &["1 p Fine.", "1 p Program.", "1 p AB", "1 p Odd."]);
    assert_eq!(extracted.warnings, ["some text could not be read on page 1"]);
}

#[test]
fn character_maps_are_followed() {
    let map = stream("", b"1 beginbfrange <0001> <0003> <0041> endbfrange 1 beginbfchar <0004> <FB01> endbfchar");
    let objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_vec(),
        stream("", b"BT /F1 10 Tf 60 700 Td <0001000200030004> Tj ET"),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Y /Encoding /Identity-H /ToUnicode 6 0 R \
          /DescendantFonts [<< /W [1 4 500 0 4294967295 500] >>] >>"
            .to_vec(),
        map,
    ];
    check(&pdf_of(&objects, ""), "x.pdf", &["1 p ABCfi"]);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let whole = pdf(&[&[(60.0, 700.0, "F1", 10.0, "Hello.")]]);
    check(&whole, "x.pdf", &["1 p Hello."]);
    for cut in [9, 100, whole.len() / 2, whole.len() - 30] {
        check_refused(&whole[..cut], "x.pdf", "damaged");
    }
    let encrypt = "/Encrypt << /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <0123456789012345678901234567890101234567890123456789012345678901> \
                   /U <0123456789012345678901234567890101234567890123456789012345678901> >> /ID [<01> <01>]";
    let page = content(&[(60.0, 700.0, "F1", 10.0, "Secret.")]);
    assert_eq!(read(&pdf_with(std::slice::from_ref(&page), "", &[], encrypt), "x.pdf"), Err(ExtractError::Encrypted));
    let locked = |password: &str| {
        let mut document =
            pdf_extract::Document::load_mem(&pdf_with(std::slice::from_ref(&page), "", &[], "/ID [<01> <01>]"))
                .unwrap();
        let version = pdf_extract::EncryptionVersion::V2 {
            document: &document,
            owner_password: "owner",
            user_password: password,
            key_length: 128,
            permissions: pdf_extract::Permissions::all(),
        };
        let state = pdf_extract::EncryptionState::try_from(version).unwrap();
        document.encrypt(&state).unwrap();
        let mut file = Vec::new();
        document.save_to(&mut file).unwrap();
        file
    };
    assert_eq!(read(&locked("user"), "x.pdf"), Err(ExtractError::Encrypted));
    // Locked against changes only: everybody may read it.
    check(&locked(""), "x.pdf", &["1 p Secret."]);
    let picture = stream("/Type /XObject /Subtype /Image /Width 1 /Height 1", b"x");
    let scan = pdf_with(&[b"q 595 0 0 842 0 0 cm /X1 Do Q".to_vec()], "/XObject << /X1 5 0 R >>", &[picture], "");
    check_refused(&scan, "x.pdf", "text recognition");
    assert!(matches!(read(&scan, "x.pdf"), Err(ExtractError::NoText { .. })));
    check_refused(&pdf(&[]), "x.pdf", "no pages");
}

#[test]
fn circles_and_bombs_end() {
    // A form that draws itself twice, and a page tree that is its own parent.
    let form = stream("/Type /XObject /Subtype /Form /Resources << /XObject << /X1 5 0 R >> >>", b"/X1 Do /X1 Do");
    let page = [b"/X1 Do ".to_vec(), content(&[(60.0, 700.0, "F1", 10.0, "Still here.")])].concat();
    let file = pdf_with(&[page], "/XObject << /X1 5 0 R >>", &[form], "");
    let extracted = read(&file, "x.pdf").unwrap();
    assert_eq!(lines(&extracted), ["1 p Still here."]);
    assert_eq!(extracted.warnings.len(), 1);

    let circle = pdf_of(
        &[
            b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
            b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 2 /Parent 2 0 R >>".to_vec(),
            b"<< /Type /Page /Parent 2 0 R /Contents 3 0 R >>".to_vec(),
        ],
        "",
    );
    assert!(read(&circle, "x.pdf").is_err());

    let limits = Limits { unpacked_bytes: 5 << 20, ..Limits::default() };
    let spaces = vec![b' '; 20 << 20];
    let too_large =
        |file: &[u8]| matches!(extract(file, Format::Pdf, &limits, &mut Alone), Err(ExtractError::TooLarge { .. }));
    assert!(too_large(&pdf_with(std::slice::from_ref(&spaces), "", &[], "")));
    let packed = stream("/Type /ObjStm /N 1 /First 10 /Filter /FlateDecode", &deflated(&spaces));
    assert!(too_large(&pdf_with(&[b"".to_vec()], "", &[packed], "")));
    let twice =
        stream("/Type /Obj#53tm /N 1 /First 10 /Filter [/FlateDecode /FlateDecode]", &deflated(&deflated(&spaces)));
    assert!(too_large(&pdf_with(&[b"".to_vec()], "", &[twice], "")));

    let shown = content(&[(60.0, 700.0, "F1", 10.0, LONG)]).repeat(100);
    let limits = Limits { text_bytes: 1_000, ..Limits::default() };
    assert!(matches!(
        extract(&pdf_with(&[shown], "", &[], ""), Format::Pdf, &limits, &mut Alone),
        Err(ExtractError::TooLarge { .. })
    ));
    let pages = vec![b"".to_vec(); 30];
    let limits = Limits { pages: 20, ..Limits::default() };
    assert!(matches!(
        extract(&pdf_with(&pages, "", &[], ""), Format::Pdf, &limits, &mut Alone),
        Err(ExtractError::TooLarge { .. })
    ));
}

#[test]
fn deep_content_and_many_states_end() {
    let deep = [b"[".repeat(100_000), b"q ".repeat(300_000), content(&[(60.0, 700.0, "F1", 10.0, "Deep.")])];
    for part in 0..2 {
        let page = [deep[part].clone(), deep[2].clone()].concat();
        // Either outcome is fine; what matters is that it comes.
        let _ = read(&pdf_with(&[page], "", &[], ""), "x.pdf");
    }
}
