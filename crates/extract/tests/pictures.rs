//! Pictures of text, alone and as pages of a PDF file, with a host that recognises what the test tells it to.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{content, deflated, lines, pdf_with, stream};
use domain::Area;
use extract::{Alone, Child, ExtractError, Extracted, Host, Limits, Line, Picture, extract, sniff};
use image::{ExtendedColorType, ImageEncoder};
use std::io::Cursor;
use tiff::encoder::{TiffEncoder, colortype::Gray8};

/// Keeps what it is shown, and recognises one line in it.
#[derive(Default)]
struct Reader {
    shown: Vec<Picture>,
}

impl Host for Reader {
    fn child(&mut self, _: Child) -> Result<(), ExtractError> {
        panic!("a picture holds no files");
    }

    fn recognize(&mut self, picture: &Picture) -> Result<Option<Vec<Line>>, ExtractError> {
        self.shown.push(picture.clone());
        let area = Area { left: 1000, top: 1000, right: 9000, bottom: 1500 };
        let text = format!("Picture {} says this, and nothing else is said in it.", self.shown.len());
        Ok(Some(vec![Line { text, area, confidence: 0.9 }]))
    }
}

fn read(bytes: &[u8]) -> (Result<Extracted, ExtractError>, Vec<Picture>) {
    let mut reader = Reader::default();
    let format = sniff(bytes, "x").unwrap();
    (extract(bytes, format, &Limits::default(), &mut reader), reader.shown)
}

/// Two rows of three pixels.
const GREY: [u8; 6] = [0, 50, 100, 150, 200, 250];

fn png(pixels: &[u8], colour: ExtendedColorType) -> Vec<u8> {
    let mut file = Vec::new();
    image::codecs::png::PngEncoder::new(&mut file).write_image(pixels, 3, 2, colour).unwrap();
    file
}

fn jpeg(pixels: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 100);
    encoder.write_image(pixels, width, height, ExtendedColorType::L8).unwrap();
    file
}

fn tiff(frames: usize) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).unwrap();
    for _ in 0..frames {
        encoder.write_image::<Gray8>(3, 2, &GREY).unwrap();
    }
    file.into_inner()
}

/// A page of 300 × 200 points that shows the image XObject from edge to edge.
fn scan(page: &str, dictionary: &str, samples: &[u8]) -> Vec<u8> {
    let dictionary = format!("/Type /XObject /Subtype /Image /Width 3 /Height 2 {dictionary}");
    let image = stream(&dictionary, samples);
    let shown = b"q 300 0 0 200 0 0 cm /X1 Do Q".to_vec();
    // The resources end early, so that the node of the pages gets these entries, too.
    let more = format!("/XObject << /X1 5 0 R >> >> {page} /Other <<");
    let file = pdf_with(&[shown], &more, &[image], "");
    // Same length, so that the offsets stay.
    let (old, new) = (b"[0 0 595 842]", b"[0 0 300 200]");
    let at = file.windows(old.len()).position(|window| window == old).unwrap();
    [&file[..at], new, &file[at + old.len()..]].concat()
}

/// The values at the middle of each of the picture's fields, three by two, or two by three.
fn fields(picture: &Picture) -> Vec<u8> {
    let (across, down) = if picture.width > picture.height { (3, 2) } else { (2, 3) };
    let at = |x: u32, y: u32| {
        let (x, y) = ((2 * x + 1) * picture.width / (2 * across), (2 * y + 1) * picture.height / (2 * down));
        picture.grey[(y * picture.width + x) as usize]
    };
    (0..down).flat_map(|y| (0..across).map(move |x| (x, y))).map(|(x, y)| at(x, y)).collect()
}

#[test]
fn a_picture_becomes_its_text_with_the_place() {
    for file in [png(&GREY, ExtendedColorType::L8), tiff(1)] {
        let (extracted, shown) = read(&file);
        let extracted = extracted.unwrap();
        assert_eq!(extracted.blocks[0].text, "Picture 1 says this, and nothing else is said in it.");
        let area = Area { left: 1000, top: 1000, right: 9000, bottom: 1500 };
        assert_eq!(extracted.blocks[0].location.area, Some(area));
        assert_eq!(shown, [Picture { width: 3, height: 2, grey: GREY.to_vec() }]);
    }
    let (extracted, shown) = read(&jpeg(&[200; 64], 8, 8));
    assert_eq!(extracted.unwrap().blocks.len(), 1);
    assert!(shown[0].grey.iter().all(|pixel| pixel.abs_diff(200) < 4));
}

#[test]
fn what_can_be_seen_through_is_white() {
    let pixels: Vec<u8> = [[0, 0, 0, 0], [0, 0, 0, 255], [255, 255, 255, 255]].repeat(2).concat();
    assert_eq!(read(&png(&pixels, ExtendedColorType::Rgba8)).1[0].grey, [255, 0, 255, 255, 0, 255]);
}

#[test]
fn photographs_are_turned_as_their_camera_was_held() {
    let file = jpeg(&(0..128).map(|place| if place % 16 < 8 { 20 } else { 230 }).collect::<Vec<u8>>(), 16, 8);
    // An Exif segment that says: turn clockwise by a quarter (orientation 6).
    let mut turned = file[..2].to_vec();
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    turned.extend([0xff, 0xe1, 0, u8::try_from(exif.len() + 2).unwrap()]);
    turned.extend(exif);
    turned.extend(&file[2..]);
    let picture = &read(&turned).1[0];
    assert_eq!((picture.width, picture.height), (8, 16));
    assert!(picture.grey[..8].iter().all(|&pixel| pixel < 60) && picture.grey[120..].iter().all(|&pixel| pixel > 200));
}

#[test]
fn every_frame_of_a_tiff_file_is_a_page() {
    let extracted = read(&tiff(3)).0.unwrap();
    assert_eq!(extracted.pages, Some(3));
    assert_eq!(
        extracted.blocks.iter().map(|block| block.location.page).collect::<Vec<_>>(),
        [Some(1), Some(2), Some(3)]
    );
}

#[test]
fn without_recognition_the_reason_says_so() {
    let scanned = scan("", "/ColorSpace /DeviceGray /BitsPerComponent 8", &GREY);
    for file in [png(&GREY, ExtendedColorType::L8), tiff(2), scanned] {
        let error = extract(&file, sniff(&file, "x").unwrap(), &Limits::default(), &mut Alone).unwrap_err();
        assert!(matches!(error, ExtractError::NoText { .. }) && error.to_string().contains("switched off"), "{error}");
    }
}

#[test]
fn a_picture_that_claims_to_be_huge_is_refused_before_it_is_decoded() {
    let mut file = png(&GREY, ExtendedColorType::L8);
    // The width in the header, and the header's checksum.
    file[16..20].copy_from_slice(&2_000_000_u32.to_be_bytes());
    file[20..24].copy_from_slice(&2_000_000_u32.to_be_bytes());
    let error = read(&file).0.unwrap_err();
    assert!(matches!(error, ExtractError::TooLarge { .. } | ExtractError::Damaged { .. }), "{error}");
    let scanned = scan("", "/ColorSpace /DeviceGray /BitsPerComponent 8 /Height 2000000000", &GREY);
    assert!(read(&scanned).1.is_empty());
}

#[test]
fn a_scanned_page_is_shown_upright_whatever_its_samples_are() {
    let rgb: Vec<u8> = GREY.iter().flat_map(|&grey| [grey; 3]).collect();
    let cmyk: Vec<u8> = GREY.iter().flat_map(|&grey| [0, 0, 0, 255 - grey]).collect();
    let inverted: Vec<u8> = GREY.iter().map(|&grey| 255 - grey).collect();
    let palette = "/ColorSpace [/Indexed /DeviceGray 3 <003296FF>] /BitsPerComponent 2";
    // Each row of a picture with a PNG predictor begins with the kind of its filter, here: none.
    let predicted: Vec<u8> = [&[0][..], &GREY[..3], &[0][..], &GREY[3..]].concat();
    let cases: [(&str, Vec<u8>, &[u8]); 8] = [
        ("/ColorSpace /DeviceGray /BitsPerComponent 8", GREY.to_vec(), &GREY),
        ("/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode", deflated(&GREY), &GREY),
        (
            "/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode \
             /DecodeParms << /Predictor 15 /Columns 3 /Colors 1 /BitsPerComponent 8 >>",
            deflated(&predicted),
            &GREY,
        ),
        ("/ColorSpace /DeviceGray /BitsPerComponent 8 /Decode [1 0]", inverted, &GREY),
        ("/ColorSpace /DeviceRGB /BitsPerComponent 8", rgb, &GREY),
        ("/ColorSpace /DeviceCMYK /BitsPerComponent 8", cmyk, &GREY),
        ("/ColorSpace /DeviceGray /BitsPerComponent 1", vec![0b1010_0000, 0b0100_0000], &[255, 0, 255, 0, 255, 0]),
        (palette, vec![0b0001_1000, 0b1111_0000], &[0, 50, 150, 255, 255, 0]),
    ];
    for (dictionary, samples, expected) in cases {
        let (extracted, shown) = read(&scan("", dictionary, &samples));
        assert_eq!(lines(&extracted.unwrap()), ["1 p Picture 1 says this, and nothing else is said in it."]);
        assert_eq!(fields(&shown[0]), expected, "{dictionary}");
    }
    let turned = read(&scan("/Rotate 90", "/ColorSpace /DeviceGray /BitsPerComponent 8", &GREY)).1;
    assert_eq!(fields(&turned[0]), [150, 0, 200, 50, 250, 100]);
}

#[test]
fn fax_and_jpeg_are_unpacked() {
    // Group 4: each row is as the white one above it, then the end of the block.
    let fax = [0b1100_0000, 0b0000_0100, 0b0000_0000, 0b0100_0000];
    let dictionary =
        "/ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns 3 /Rows 2";
    assert_eq!(fields(&read(&scan("", &format!("{dictionary} >>"), &fax)).1[0]), [255; 6]);
    assert_eq!(fields(&read(&scan("", &format!("{dictionary} /BlackIs1 true >>"), &fax)).1[0]), [0; 6]);
    // In two layers, as some programs write it.
    let jpeg = deflated(&jpeg(&GREY.map(|_| 120), 3, 2));
    let dictionary = "/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter [/FlateDecode /DCTDecode]";
    assert!(fields(&read(&scan("", dictionary, &jpeg)).1[0]).iter().all(|pixel| pixel.abs_diff(120) < 4));
}

#[test]
fn only_pages_without_text_are_recognised() {
    let image =
        stream("/Type /XObject /Subtype /Image /Width 3 /Height 2 /ColorSpace /DeviceGray /BitsPerComponent 8", &GREY);
    let written = content(&[(60.0, 700.0, "F1", 10.0, "This page has text of its own, and a picture of a quay.")]);
    let drawn = b"q 595 0 0 842 0 0 cm /X1 Do Q ".to_vec();
    let logo = b"q 50 0 0 50 0 0 cm /X1 Do Q ".to_vec();
    let file = pdf_with(
        &[drawn.clone(), [drawn.clone(), written].concat(), logo, drawn],
        "/XObject << /X1 5 0 R >>",
        &[image],
        "",
    );
    let (extracted, shown) = read(&file);
    assert_eq!(shown.len(), 2);
    assert_eq!(
        lines(&extracted.unwrap()),
        [
            "1 p Picture 1 says this, and nothing else is said in it.",
            "2 p This page has text of its own, and a picture of a quay.",
            "4 p Picture 2 says this, and nothing else is said in it.",
        ]
    );
}

#[test]
fn broken_pictures_are_errors_and_never_panics() {
    let scanned = scan("", "/ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /DCTDecode", &jpeg(&[9; 64], 8, 8));
    for file in [png(&GREY, ExtendedColorType::L8), jpeg(&[9; 64], 8, 8), tiff(2), scanned] {
        for place in 0..file.len() {
            let mut broken = file.clone();
            broken[place] ^= 0x55;
            for bytes in [&broken[..], &file[..place]] {
                if let Ok(format) = sniff(bytes, "x.png") {
                    let limits = Limits { unpacked_bytes: 1 << 20, ..Limits::default() };
                    let _ = extract(bytes, format, &limits, &mut Reader::default());
                }
            }
        }
    }
}
