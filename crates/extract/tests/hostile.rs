//! Whatever the bytes are: no panic, and either blocks that are well formed or a clear error.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{assert_well_formed, content, docx_parts, p, pdf_with};
use extract::{Alone, Format, Limits, extract, sniff};
use proptest::prelude::*;
use std::sync::LazyLock;

const FORMATS: [Format; 8] = Format::ALL;

static SAMPLES: LazyLock<[(Format, Vec<u8>); 5]> = LazyLock::new(|| {
    let page = content(&[(60.0, 780.0, "F2", 20.0, "Leave"), (60.0, 700.0, "F1", 10.0, "You get 24 days.")]);
    let body =
        p("berschrift1", "Leave") + &p("", "You get 24 days.") + "<w:tbl><w:tr><w:tc><w:p/></w:tc></w:tr></w:tbl>";
    let html = "<!doctype html><title>x</title><main><h1>Leave</h1><p>You get 24 &amp; more<ul><li>one<table><tr><td>a</table>";
    let markdown = "---\ntitle: x\n---\n# Leave\n\nYou get **24** days[^1]\n\n- one\n\n| a | b |\n|--|--|\n| c | d |\n\n[^1]: so\n";
    let text = "LEAVE\n\nYou get 24 days.\n\n1. one\n2. two\n\n  a    b\n  c    d\n\x0cGr\u{fc}\u{df}e";
    [
        (Format::Pdf, pdf_with(&[page.clone(), page], "", &[], "/Info << /Title (x) >>")),
        (Format::Docx, docx_parts(&body, &[("docProps/core.xml", "<c><title>x</title></c>")])),
        (Format::Html, html.into()),
        (Format::Markdown, markdown.into()),
        (Format::Text, text.into()),
    ]
});

fn check(bytes: &[u8], format: Format) -> Result<(), TestCaseError> {
    let limits = Limits { unpacked_bytes: 1 << 20, entries: 100, pages: 100, text_bytes: 64 << 10 };
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
        for format in [Format::Html, Format::Markdown, Format::Text] {
            check(text.as_bytes(), format)?;
        }
    }

    #[test]
    fn samples_with_some_bytes_changed(
        which in 0..5_usize,
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
