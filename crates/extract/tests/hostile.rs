//! Whatever the bytes are: no panic, and either blocks that are well formed or a clear error.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::sheets::{ods, xls, xlsx};
use common::slides::{pptx, run, shape};
use common::{archive, assert_well_formed, content, docx_parts, opendocument, p, pdf_with};
use extract::{Alone, Format, Limits, extract, sniff};
use proptest::prelude::*;
use std::io::{Cursor, Read};
use std::sync::LazyLock;

const FORMATS: [Format; 14] = Format::ALL;

static SAMPLES: LazyLock<[(Format, Vec<u8>); 14]> = LazyLock::new(|| {
    let page = content(&[(60.0, 780.0, "F2", 20.0, "Leave"), (60.0, 700.0, "F1", 10.0, "You get 24 days.")]);
    let body =
        p("berschrift1", "Leave") + &p("", "You get 24 days.") + "<w:tbl><w:tr><w:tc><w:p/></w:tc></w:tr></w:tbl>";
    let html = "<!doctype html><title>x</title><main><h1>Leave</h1><p>You get 24 &amp; more<ul><li>one<table><tr><td>a</table>";
    let markdown = "---\ntitle: x\n---\n# Leave\n\nYou get **24** days[^1]\n\n- one\n\n| a | b |\n|--|--|\n| c | d |\n\n[^1]: so\n";
    let text = "LEAVE\n\nYou get 24 days.\n\n1. one\n2. two\n\n  a    b\n  c    d\n\x0cGr\u{fc}\u{df}e";
    let row = "<row r='1'><c r='A1' t='s'><v>0</v></c><c r='B1' t='s'><v>1</v></c></row><row r='2'><c s='1'><v>46082</v></c><c s='2'><v>.5</v></c></row>";
    let table = "<table:table table:name='A'><table:table-row table:number-rows-repeated='9'><table:table-cell \
                 table:number-columns-repeated='9' office:value-type='float' office:value='1'><text:p>1</text:p></table:table-cell></table:table-row></table:table>";
    let slide =
        shape("type='title'", Some([1, 2, 3, 4]), &[&run("Leave")]) + &shape("idx='1'", None, &[&run("24 days")]);
    let odt = "<office:text><text:h text:outline-level='1'>Leave</text:h><text:p>You<text:s text:c='3'/>get</text:p></office:text>";
    let odp = "<office:presentation><draw:page><draw:frame><text:p>Leave</text:p></draw:frame></draw:page></office:presentation>";
    let rtf = br"{\rtf1\ansi\deff0{\fonttbl{\f0\fcharset204 A;}}{\info{\title x}{\creatim\yr2026\mo3\dy1}}\s1\outlinelevel0 Leave\par\u228?\'e4\uc2\u-10179??{\footnote so}\par\intbl a\cell b\cell\row}";
    let opf = "<package><manifest><item id='a' href='a.html' media-type='text/html'/></manifest><spine><itemref idref='a'/></spine></package>";
    let epub = archive(&[
        ("META-INF/container.xml", b"<rootfile full-path='b.opf'/>"),
        ("b.opf", opf.as_bytes()),
        ("a.html", b"<h1>Leave</h1><p>24 days"),
    ]);
    [
        (Format::Xlsx, xlsx(&[("A", "", row)], &[])),
        (Format::Xls, xls()),
        (Format::Ods, ods(table)),
        (Format::Csv, "Name;Rooms\nAda;3\n\"Bo\n\";4\n".into()),
        (Format::Pptx, pptx(&[("", &slide)], &[])),
        (Format::Odt, opendocument("text", odt, &[])),
        (Format::Odp, opendocument("presentation", odp, &[])),
        (Format::Rtf, rtf.to_vec()),
        (Format::Epub, epub),
        (Format::Pdf, pdf_with(&[page.clone(), page], "", &[], "/Info << /Title (x) >>")),
        (Format::Docx, docx_parts(&body, &[("docProps/core.xml", "<c><title>x</title></c>")])),
        (Format::Html, html.into()),
        (Format::Markdown, markdown.into()),
        (Format::Text, text.into()),
    ]
});

fn check(bytes: &[u8], format: Format) -> Result<(), TestCaseError> {
    let limits =
        Limits { unpacked_bytes: 1 << 20, entries: 100, pages: 100, text_bytes: 64 << 10, ..Limits::default() };
    match extract(bytes, format, &limits, &mut Alone) {
        Ok(extracted) => assert_well_formed(&extracted, &limits),
        Err(error) => {
            let message = error.to_string();
            prop_assert!(message.starts_with(char::is_lowercase) && !message.ends_with('.'), "{message}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = sniff(&bytes, "x.docx");
        for format in FORMATS {
            check(&bytes, format)?;
        }
    }

    #[test]
    fn random_text(text in ".{0,400}") {
        for format in [Format::Html, Format::Markdown, Format::Text, Format::Csv, Format::Rtf] {
            check(text.as_bytes(), format)?;
        }
    }

    #[test]
    fn samples_with_some_bytes_changed(
        which in 0..14_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let (format, sample) = &SAMPLES[which];
        let mut bytes = sample.clone();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = sniff(&bytes, "x");
        check(&bytes, *format)?;
    }

    /// Changes inside the parts of archives, where they are not lost in a broken checksum.
    #[test]
    fn parts_with_some_bytes_changed(
        which in 0..14_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"<>/'\"= 09a&;\\{}-".to_vec())), 1..12),
    ) {
        let (format, sample) = &SAMPLES[which];
        let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(sample)) else { return Ok(()) };
        let mut parts = Vec::new();
        for at in 0..archive.len() {
            let mut part = archive.by_index(at).unwrap();
            let mut bytes = Vec::new();
            part.read_to_end(&mut bytes).unwrap();
            parts.push((part.name().to_owned(), bytes));
        }
        let total: usize = parts.iter().map(|(_, bytes)| bytes.len()).sum();
        for (place, byte) in changes {
            let mut place = place.index(total);
            for (_, bytes) in &mut parts {
                if let Some(old) = bytes.get_mut(place) {
                    *old = byte;
                    break;
                }
                place -= bytes.len();
            }
        }
        let parts: Vec<(&str, &[u8])> = parts.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        check(&common::archive(&parts), *format)?;
    }

    /// Changes inside a page's content, where they are not lost in a broken checksum.
    #[test]
    fn operators_in_any_order(
        operators in proptest::collection::vec(prop::sample::select(vec![
            "BT", "ET", "/F1 10 Tf", "/F2 1e30 Tf", "/F9 3 Tf", "(text) Tj", "[(a) 20 (b) -9e9] TJ", "(x) '", "1 2 (y) \"", "q", "Q",
            "1 0 0 1 5 5 cm", "0 0 0 0 0 0 cm", "-1 0 0 -1 3 3 Tm", "0 1 -1 0 3 3 Tm", "5 -12 Td", "5 TD", "T*", "9 TL", "0 Tz", "-5 Tc", "99 Tw",
            "/X Do", "BI ID EI", "[[[", ">>", "<<", "EMC", "/P BMC", "/Artifact <</Type/Pagination>> BDC", "(", "%", "\u{0} S", "0 0 m", "Tj", "null Tf",
        ]), 0..40)
    ) {
        check(&pdf_with(&[operators.join("\n").into_bytes()], "", &[], ""), Format::Pdf)?;
    }
}
