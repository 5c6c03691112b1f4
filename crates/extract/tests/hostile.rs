//! Whatever the bytes are: no panic, and either blocks that are well formed or a clear error.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::sheets::{ods, xls, xlsx};
use common::slides::{pptx, run, shape};
use common::{Keeper, Message, archive, assert_blocks_well_formed, content, docx_parts, opendocument, p, pdf_with};
use extract::{Format, Limits, extract, sniff};
use proptest::prelude::*;
use std::io::{Cursor, Read, Write};
use std::sync::LazyLock;

static SAMPLES: LazyLock<[(Format, Vec<u8>); 24]> = LazyLock::new(|| {
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
        (Format::Eml, MAIL.into()),
        (Format::Mbox, format!("From a@b Mon\n{MAIL}\n\nFrom c@d Tue\nTo: x\n\n>From\n").into()),
        (Format::Msg, message()),
        (Format::Zip, archive(&[("a/b.txt", text.as_bytes()), ("c", b"C")])),
        (Format::Tar, tape(text.as_bytes())),
        (Format::Gzip, gzip(&tape(text.as_bytes()))),
        (Format::Gzip, gzip(text.as_bytes())),
        (Format::Png, picture(image::ImageFormat::Png)),
        (Format::Jpeg, picture(image::ImageFormat::Jpeg)),
        (Format::Tiff, frames()),
    ]
});

const MAIL: &str = "Received: by x\r\nFrom: =?utf-8?q?A=C3=A4?= <a@b>\r\nTo: g:c@d,e;\r\nSubject: Leave\r\n\
    Date: Mon, 2 Mar 2026 14:05:00 +0100\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\
    Content-Type: multipart/alternative; boundary=\"n\"\r\n\r\n--n\r\nContent-Type: text/plain; charset=utf-7\r\n\
    Content-Transfer-Encoding: quoted-printable\r\n\r\nYou get=\r\n =32=34 days.\r\n\r\nOn 1 Ada wrote:\r\n> a\r\n> b\r\n> c\r\n> d\r\n\
    > e\r\n> f\r\n--n\r\nContent-Type: text/html\r\n\r\n<p>You<div class=\"gmail_quote\">x</div>\r\n--n\r\nContent-Type: text/calendar\r\n\r\n\
    BEGIN:VEVENT\r\nSUMMARY:x\\, y\r\nDTSTART;TZID=a:20260302T140500\r\nEND:VEVENT\r\n--n--\r\n--m\r\nContent-Type: image/png; name*0*=a''%41;\r\n\
     name*1=b.png\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n--m\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx\r\n--m\r\n\
    Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\nMIAGCSqGSIb3DQEHAqCAMIACAQExADCABgkqhkiG9w0BBwGggCSABAJIaQAAAAA=\r\n--m--\r\n";

fn message() -> Vec<u8> {
    let rtf = b"\x30\0\0\0\x30\0\0\0LZFu\0\0\0\0\0{\\rtf1 H\0i\\par \\'e\0{\\*\\x}}\0";
    let inner = Message::default().text(0x37, "in").bytes(0x1009, rtf);
    let attached = Message { embedded: Some(&inner), ..Message::default() }.number(0x3705, 5).text(0x3001, "in");
    let file = Message::default().text(0x3707, "a.txt").bytes(0x3701, b"A");
    let recipient = Message::default().text(0x3001, "Bo").text(0x39fe, "bo@b").number(0xc15, 1);
    let message = Message { attachments: vec![attached, file], recipients: vec![recipient], ..Message::default() };
    message.text(0x37, "Leave").text(0x1000, "You get 24 days.").bytes(0x1013, b"<p>You").number(0x3fde, 1252).file()
}

fn tape(content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for name in ["a.txt".to_owned(), "long/".repeat(40) + "b.txt"] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn picture(format: image::ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image::GrayImage::from_fn(40, 9, |x, y| image::Luma([(x * y) as u8])).write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn frames() -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut file).unwrap();
    for _ in 0..2 {
        encoder.write_image::<tiff::encoder::colortype::Gray8>(8, 4, &[9; 32]).unwrap();
    }
    file.into_inner()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn check(bytes: &[u8], format: Format) -> Result<(), TestCaseError> {
    let limits =
        Limits { unpacked_bytes: 1 << 20, entries: 100, pages: 100, text_bytes: 64 << 10, ..Limits::default() };
    let mut keeper = Keeper::default();
    match extract(bytes, format, &limits, &mut keeper) {
        Ok(extracted) => {
            prop_assert!(!extracted.blocks.is_empty() || !keeper.children.is_empty());
            prop_assert!(keeper.children.len() <= limits.entries);
            assert_blocks_well_formed(&extracted, &limits);
        }
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
        for format in Format::ALL {
            check(&bytes, format)?;
        }
    }

    #[test]
    fn random_text(text in ".{0,400}") {
        for format in [Format::Html, Format::Markdown, Format::Text, Format::Eml, Format::Mbox, Format::Csv, Format::Rtf] {
            check(text.as_bytes(), format)?;
        }
    }

    /// Header fields and boundaries in any order.
    #[test]
    fn mail_in_any_order(
        lines in proptest::collection::vec(prop::sample::select(vec![
            "From: a@b", "From ", "From a@b Mon", "Subject: =?utf-8?b?", "Subject: x", "Date: Mon, 99 Mar 2026 14:05 +9900", "", "", "text", "> quoted", "--a", "--a--", "--b",
            "Content-Type: multipart/mixed; boundary=a", "Content-Type: multipart/alternative; boundary=b", "Content-Type: multipart/digest; boundary=\"a",
            "Content-Type: message/rfc822", "Content-Type: text/html", "Content-Type: text/calendar", "Content-Type: application/pkcs7-mime",
            "Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: quoted-printable", "Content-Disposition: attachment; filename*=x'%ZZ", "SGVsbG8", "=", "=\u{fc}", ";;",
            "-----Original Message-----", "From: x", "Sent: y", "BEGIN:VEVENT", "SUMMARY:x", "END:VEVENT", "BEGIN:VALARM", " folded",
        ]), 0..60)
    ) {
        let text = lines.join("\r\n");
        check(text.as_bytes(), Format::Eml)?;
        check(text.as_bytes(), Format::Mbox)?;
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

// Together about ten thousand mutated files of each sample; through the whole service: crates/confine/tests.
proptest! {
    #![proptest_config(ProptestConfig { cases: 120_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn samples_with_some_bytes_changed(
        which in 0..SAMPLES.len(),
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
        which in 0..SAMPLES.len(),
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
}
