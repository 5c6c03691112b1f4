//! Pictures of text: PNG, JPEG and TIFF, a frame of which is a page. What they say is up to the host's text recognition.

mod tiff;

use crate::blocks::{Blocks, first_heading};
use crate::host::{Host, Picture};
use crate::{ExtractError, Extracted, Limits, recognised};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use std::io::Cursor;

pub(crate) use self::tiff::extract as extract_tiff;

/// What to say where nothing recognises text.
pub(crate) const SWITCHED_OFF: ExtractError = ExtractError::NoText {
    reason: "it is a picture, and text recognition (OCR) is switched off here; switch it on or bring the text itself",
};
const NOTHING_FOUND: ExtractError =
    ExtractError::NoText { reason: "no text was recognised in it; if there is some, scan it again with 300 dpi" };

/// The most pixels of a picture: a page of A2 at 600 dots an inch. It takes as many bytes, three times over while it is
/// decoded in colours.
pub(crate) const PIXELS: u64 = 150_000_000;

pub(crate) fn extract_png(bytes: &[u8], limits: &Limits, host: &mut dyn Host) -> Result<Extracted, ExtractError> {
    extract_one(bytes, ImageFormat::Png, limits, host)
}

pub(crate) fn extract_jpeg(bytes: &[u8], limits: &Limits, host: &mut dyn Host) -> Result<Extracted, ExtractError> {
    extract_one(bytes, ImageFormat::Jpeg, limits, host)
}

fn extract_one(
    bytes: &[u8],
    format: ImageFormat,
    limits: &Limits,
    host: &mut dyn Host,
) -> Result<Extracted, ExtractError> {
    let picture = decode(bytes, format, limits)?;
    let mut blocks = Blocks::new(limits);
    let lines = host.recognize(&picture)?.ok_or(SWITCHED_OFF)?;
    recognised::write(lines, (picture.width, picture.height), None, &mut blocks)?;
    finish(blocks, None, Vec::new())
}

fn finish(blocks: Blocks<'_>, pages: Option<u32>, warnings: Vec<String>) -> Result<Extracted, ExtractError> {
    let blocks = blocks.into_vec();
    if blocks.is_empty() {
        return Err(NOTHING_FOUND);
    }
    Ok(Extracted { title: first_heading(&blocks), blocks, pages, warnings, ..Extracted::default() })
}

/// Decodes a PNG or JPEG file, upright.
pub(crate) fn decode(bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<Picture, ExtractError> {
    let damaged = |_| ExtractError::damaged("its picture cannot be decoded; it may be cut short");
    let mut decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_pixels(width, height)?;
    limits.check_unpacked(decoder.total_bytes())?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    Ok(upright(grey(picture), orientation))
}

pub(crate) fn check_pixels(width: u32, height: u32) -> Result<(), ExtractError> {
    match u64::from(width) * u64::from(height) {
        0 => Err(ExtractError::damaged("its picture has no pixels")),
        pixels if pixels <= PIXELS => Ok(()),
        _ => Err(ExtractError::TooLarge {
            what: "the size of a picture",
            limit: format!("{} megapixels", PIXELS / 1_000_000),
        }),
    }
}

/// In grey; what can be seen through lies on white.
fn grey(picture: DynamicImage) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let grey = if picture.color().has_alpha() {
        let over_white = |value: u8, alpha: u8| {
            let (value, alpha) = (u16::from(value), u16::from(alpha));
            u8::try_from((value * alpha + 255 * (255 - alpha)) / 255).unwrap_or(255)
        };
        picture.into_luma_alpha8().pixels().map(|pixel| over_white(pixel.0[0], pixel.0[1])).collect()
    } else {
        picture.into_luma8().into_raw()
    };
    Picture { width, height, grey }
}

fn upright(picture: Picture, orientation: Orientation) -> Picture {
    if orientation == Orientation::NoTransforms {
        return picture;
    }
    let Picture { width, height, grey } = picture;
    let Some(buffer) = image::GrayImage::from_raw(width, height, grey) else {
        return Picture { width: 0, height: 0, grey: Vec::new() };
    };
    let mut turned = DynamicImage::ImageLuma8(buffer);
    turned.apply_orientation(orientation);
    Picture { width: turned.width(), height: turned.height(), grey: turned.into_luma8().into_raw() }
}
