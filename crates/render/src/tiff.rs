//! TIFF (revision 6.0): every frame is a page.

use crate::page::Canvas;
use crate::photo::{check_pixels, shrink};
use crate::{Order, RenderError};
use image::RgbImage;
use image::metadata::Orientation;
use std::io::Cursor;
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

/// Bytes that a frame may unpack to.
const UNPACKED: usize = 256 << 20;

pub(crate) fn draw(bytes: &[u8], order: &Order) -> Result<Canvas, RenderError> {
    let damaged = |_| RenderError::Damaged("the picture cannot be decoded");
    let mut limits = Limits::default();
    (limits.decoding_buffer_size, limits.intermediate_buffer_size) = (UNPACKED, UNPACKED);
    let mut frames = Decoder::new(Cursor::new(bytes)).map_err(damaged)?.with_limits(limits);
    for _ in 1..order.page {
        // The decoder refuses a chain of frames that comes back to itself.
        if !frames.more_images() || frames.next_image().is_err() {
            return Err(RenderError::NoPage(order.page));
        }
    }
    let (width, height) = frames.dimensions().map_err(damaged)?;
    check_pixels(width, height)?;
    let colour = frames.colortype().map_err(damaged)?;
    let tag = frames.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten();
    let orientation = tag.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms);
    let samples = match frames.read_image().map_err(damaged)? {
        DecodingResult::U8(samples) => samples,
        DecodingResult::U16(samples) => samples.into_iter().map(|sample| (sample >> 8) as u8).collect(),
        _ => return Err(RenderError::Damaged("its samples are of an unusual kind")),
    };
    let colours = colours(&samples, colour, width as usize);
    let canvas = RgbImage::from_raw(width, height, colours).map(Canvas);
    shrink(canvas.ok_or(RenderError::Damaged("pixels are missing"))?, orientation, order)
}

/// The samples of a frame in red, green and blue; empty for colours that no scanner writes.
fn colours(samples: &[u8], colour: ColorType, width: usize) -> Vec<u8> {
    let grey = |value: u8| [value; 3];
    match colour {
        ColorType::Gray(bits @ (1 | 2 | 4)) => {
            let (bits, per_byte) = (usize::from(bits), 8 / usize::from(bits));
            let most = (1_u16 << bits) - 1;
            let row = |row: &[u8]| -> Vec<u8> {
                let value = |x: usize| u16::from(row[x / per_byte]) >> (8 - bits - x % per_byte * bits) & most;
                (0..width).flat_map(|x| grey(u8::try_from(value(x) * 255 / most).unwrap_or(255))).collect()
            };
            samples.chunks_exact(width.div_ceil(per_byte).max(1)).flat_map(row).collect()
        }
        ColorType::Gray(_) => samples.iter().flat_map(|&value| grey(value)).collect(),
        ColorType::GrayA(_) => samples.iter().step_by(2).flat_map(|&value| grey(value)).collect(),
        ColorType::RGB(_) => samples.to_vec(),
        ColorType::RGBA(_) => samples.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
        ColorType::CMYK(_) => samples
            .chunks_exact(4)
            .flat_map(|ink| [0, 1, 2].map(|channel| (255 - ink[channel]).saturating_sub(ink[3])))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiff::encoder::TiffEncoder;
    use tiff::encoder::colortype::{Gray8, RGB8};

    #[test]
    fn every_frame_is_a_page() {
        let mut bytes = Cursor::new(Vec::new());
        let mut file = TiffEncoder::new(&mut bytes).unwrap();
        file.write_image::<Gray8>(4, 2, &[0, 0, 0, 0, 255, 255, 255, 255]).unwrap();
        file.write_image::<RGB8>(1, 1, &[9, 8, 7]).unwrap();
        let bytes = bytes.into_inner();
        let page = |page| draw(&bytes, &Order { format: extract::Format::Tiff, page, width: 100 });
        let first = page(1).map_err(|error| error.to_string()).unwrap().0;
        assert_eq!((first.dimensions(), first.get_pixel(3, 0).0, first.get_pixel(3, 1).0), ((4, 2), [0; 3], [255; 3]));
        assert_eq!(page(2).map_err(|error| error.to_string()).unwrap().0.into_raw(), [9, 8, 7]);
        assert_eq!(page(3).err(), Some(RenderError::NoPage(3)));
    }

    #[test]
    fn bits_and_inks_become_colours() {
        assert_eq!(colours(&[0b1010_0000], ColorType::Gray(1), 3), [255, 255, 255, 0, 0, 0, 255, 255, 255]);
        assert_eq!(colours(&[0, 255, 0, 0, 0, 0, 0, 255], ColorType::CMYK(8), 2), [255, 0, 255, 0, 0, 0]);
    }
}
