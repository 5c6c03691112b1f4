//! Files that are one picture, PNG and JPEG: decoded, turned upright and made smaller. Nothing of the file itself goes
//! on: no metadata, no place where it was taken.

use crate::page::Canvas;
use crate::{Order, RenderError};
use image::imageops::thumbnail;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use std::io::Cursor;

/// The most pixels of a picture: as many as extraction reads.
pub(crate) const PIXELS: u64 = 150_000_000;

pub(crate) fn draw(bytes: &[u8], format: ImageFormat, order: &Order) -> Result<Canvas, RenderError> {
    if order.page != 1 {
        return Err(RenderError::NoPage(order.page));
    }
    let damaged = |_| RenderError::Damaged("the picture cannot be decoded");
    let mut decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_pixels(width, height)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    shrink(Canvas::over_white(picture), orientation, order)
}

pub(crate) fn check_pixels(width: u32, height: u32) -> Result<(), RenderError> {
    match u64::from(width) * u64::from(height) {
        0 => Err(RenderError::Damaged("it has no pixels")),
        pixels if pixels <= PIXELS => Ok(()),
        _ => Err(RenderError::TooLarge(PIXELS)),
    }
}

/// Upright and as wide as it was ordered: first smaller, then turned, since that moves fewer pixels.
pub(crate) fn shrink(canvas: Canvas, orientation: Orientation, order: &Order) -> Result<Canvas, RenderError> {
    let (width, height) = canvas.0.dimensions();
    let is_turned = matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    );
    let (shown_width, shown_height) = if is_turned { (height, width) } else { (width, height) };
    // Never wider than the picture is.
    let order = Order { width: order.width.min(shown_width), ..*order };
    let size = order.fit(f64::from(shown_width), f64::from(shown_height));
    let (fit_width, fit_height) = size.ok_or(RenderError::Damaged("it has no pixels"))?;
    let (fit_width, fit_height) = if is_turned { (fit_height, fit_width) } else { (fit_width, fit_height) };
    let smaller =
        if (fit_width, fit_height) == (width, height) { canvas.0 } else { thumbnail(&canvas.0, fit_width, fit_height) };
    let mut picture = DynamicImage::ImageRgb8(smaller);
    picture.apply_orientation(orientation);
    Ok(Canvas(picture.into_rgb8()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    /// Left half red, right half blue, 40 × 10.
    fn halves() -> Canvas {
        Canvas(RgbImage::from_fn(40, 10, |x, _| if x < 20 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) }))
    }

    fn order(width: u32) -> Order {
        Order { format: extract::Format::Png, page: 1, width }
    }

    #[test]
    fn pictures_shrink_upright_and_never_grow() {
        let small = shrink(halves(), Orientation::NoTransforms, &order(20)).unwrap().0;
        assert_eq!((small.dimensions(), small.get_pixel(0, 0).0), ((20, 5), [255, 0, 0]));
        assert_eq!(shrink(halves(), Orientation::NoTransforms, &order(900)).unwrap().0.dimensions(), (40, 10));
        // Turned clockwise, what was left is above.
        let turned = shrink(halves(), Orientation::Rotate90, &order(5)).unwrap().0;
        assert_eq!(turned.dimensions(), (5, 20));
        assert_eq!([turned.get_pixel(2, 1).0, turned.get_pixel(2, 18).0], [[255, 0, 0], [0, 0, 255]]);
    }

    #[test]
    fn a_png_comes_out_as_a_png_of_the_same_look_and_without_its_text() {
        let mut bytes = Vec::new();
        DynamicImage::ImageRgb8(halves().0).write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        // A text chunk before the end, with whatever checksum: decoders pass over it.
        let end = bytes.len() - 12;
        bytes.splice(end..end, *b"\0\0\0\x0btEXtsecret note....");
        let drawn = crate::draw(bytes, &order(40)).unwrap();
        let again = image::load_from_memory(&drawn.png).unwrap().into_rgb8();
        assert_eq!((drawn.width, drawn.height, again), (40, 10, halves().0));
        assert!(!drawn.png.windows(6).any(|window| window == b"secret"));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for format in [extract::Format::Png, extract::Format::Jpeg, extract::Format::Tiff, extract::Format::Pdf] {
            let refused = crate::draw(b"%PDF-1.7 nothing".to_vec(), &Order { format, ..order(10) }).unwrap_err();
            assert!(matches!(refused, RenderError::Damaged(_) | RenderError::NoPage(1)), "{format:?}: {refused}");
        }
        assert_eq!(crate::draw(Vec::new(), &Order { page: 2, ..order(10) }), Err(RenderError::NoPage(2)));
        let text = Order { format: extract::Format::Text, ..order(10) };
        assert_eq!(crate::draw(Vec::new(), &text), Err(RenderError::NothingToDraw));
    }
}
