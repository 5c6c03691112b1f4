//! A picture of a page, read with the real models.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use extract::{Child, ExtractError, Host, Limits, Line, Picture, sniff};
use recognize::{Options, Recognizer};
use std::path::PathBuf;
use std::sync::LazyLock;

/// The pack that `cargo xtask fetch` puts under `$CARREL_MODELS`, or `carrel/models` in the user's cache.
static RECOGNIZER: LazyLock<Recognizer> = LazyLock::new(|| {
    let cache = || match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache"),
    };
    let models = std::env::var_os("CARREL_MODELS").map_or_else(|| cache().join("carrel/models"), PathBuf::from);
    let pack = models.join("ocr-pp-ocrv6-small");
    assert!(pack.exists(), "{} is not there: run `cargo xtask fetch`", pack.display());
    Recognizer::load(&pack, Options::default()).unwrap()
});

/// The head of a German page, 150 dots an inch.
fn notice() -> Picture {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pictures/notice.png");
    let image = image::ImageReader::open(file).unwrap().decode().unwrap().into_luma8();
    Picture { width: image.width(), height: image.height(), grey: image.into_raw() }
}

fn turned(picture: &Picture, turn: fn(&image::GrayImage) -> image::GrayImage) -> Picture {
    let image = image::GrayImage::from_raw(picture.width, picture.height, picture.grey.clone()).unwrap();
    let image = turn(&image);
    Picture { width: image.width(), height: image.height(), grey: image.into_raw() }
}

fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
}

const TITLE: &str = "Brandschutzordnung Teil B:";

#[test]
fn a_page_is_read_with_its_umlauts_from_above_to_below() {
    let lines = RECOGNIZER.recognize(&notice()).unwrap();
    assert_eq!(lines[0].text, TITLE);
    assert!(lines.windows(2).all(|pair| pair[0].area.top <= pair[1].area.bottom));
    assert!(lines.iter().all(|line| line.confidence > 0.8), "{lines:?}");
    assert!(text(&lines).contains('ü'), "{lines:?}");
}

#[test]
fn a_page_on_its_side_or_upside_down_reads_the_same_and_its_places_are_its_own() {
    let upright = notice();
    let expected = RECOGNIZER.recognize(&upright).unwrap();
    let first = expected[0].area;
    let upside_down = RECOGNIZER.recognize(&turned(&upright, image::imageops::rotate180)).unwrap();
    assert_eq!(text(&upside_down), text(&expected));
    let area = upside_down[0].area;
    assert!(area.right.abs_diff(10_000 - first.left) < 100 && area.top.abs_diff(10_000 - first.bottom) < 300);
    let on_its_side = RECOGNIZER.recognize(&turned(&upright, image::imageops::rotate90)).unwrap();
    assert_eq!(text(&on_its_side), text(&expected));
    let area = on_its_side[0].area;
    assert!(area.top.abs_diff(first.left) < 100 && area.right.abs_diff(10_000 - first.top) < 300);
}

#[test]
fn an_empty_page_has_no_lines_and_a_lying_size_is_refused() {
    let white = Picture { width: 300, height: 200, grey: vec![255; 60_000] };
    assert_eq!(RECOGNIZER.recognize(&white).unwrap(), []);
    let lying = Picture { width: 300, height: 201, grey: vec![255; 60_000] };
    assert!(RECOGNIZER.recognize(&lying).unwrap_err().to_string().contains("60000 bytes"));
    let single = Picture { width: 1, height: 1, grey: vec![0] };
    assert_eq!(RECOGNIZER.recognize(&single).unwrap(), []);
}

/// Reads pictures as a server does.
struct Reading;

impl Host for Reading {
    fn child(&mut self, _: Child) -> Result<(), ExtractError> {
        unreachable!("a scan holds no files")
    }

    fn recognize(&mut self, picture: &Picture) -> Result<Option<Vec<Line>>, ExtractError> {
        let lines = RECOGNIZER.recognize(picture);
        lines.map(Some).map_err(|error| ExtractError::Damaged { reason: error.to_string() })
    }
}

#[test]
fn scans_become_paragraphs_with_places() {
    let fax_in_pdf = include_bytes!("pictures/notice-fax.pdf").as_slice();
    let fax_in_tiff = include_bytes!("pictures/notice-fax.tiff").as_slice();
    for (name, file) in [("notice.pdf", fax_in_pdf), ("notice.tiff", fax_in_tiff)] {
        let format = sniff(file, name).unwrap();
        let extracted = extract::extract(file, format, &Limits::default(), &mut Reading).unwrap();
        assert!(extracted.blocks[0].text.starts_with(TITLE), "{name}: {:?}", extracted.blocks);
        let long =
            "Für alle Personen, die in der Werkhalle 4 arbeiten, auch für Fremdfirmen. Ausgabe 3 vom 9. Februar 2026.";
        let found = extracted.blocks.iter().find(|block| block.text.starts_with(long));
        let location = found.unwrap_or_else(|| panic!("{name}: {:?}", extracted.blocks)).location;
        assert!(location.page == Some(1) && location.area.is_some_and(|area| area.left < area.right));
    }
}
