//! TIFF (revision 6.0): every frame is a page.

use super::{SWITCHED_OFF, check_pixels, finish, upright};
use crate::blocks::Blocks;
use crate::host::{Host, Picture};
use crate::{ExtractError, Extracted, Limits, recognised};
use image::metadata::Orientation;
use std::io::Cursor;
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;

type Frames<'b> = Decoder<Cursor<&'b [u8]>>;

pub(crate) fn extract(bytes: &[u8], limits: &Limits, host: &mut dyn Host) -> Result<Extracted, ExtractError> {
    let damaged = |_| ExtractError::damaged("its first page cannot be decoded; it may be cut short");
    let most = usize::try_from(limits.unpacked_bytes).unwrap_or(usize::MAX);
    let mut allowed = tiff::decoder::Limits::default();
    (allowed.decoding_buffer_size, allowed.intermediate_buffer_size) = (most, most);
    let mut frames = Decoder::new(Cursor::new(bytes)).map_err(damaged)?.with_limits(allowed);
    let mut blocks = Blocks::new(limits);
    let (mut page, mut unread) = (0_u32, 0_u32);
    loop {
        page += 1;
        limits.check_pages(page as usize)?;
        match frame(&mut frames) {
            Ok(picture) => {
                let lines = host.recognize(&picture)?.ok_or(SWITCHED_OFF)?;
                recognised::write(lines, (picture.width, picture.height), Some(page), &mut blocks)?;
            }
            Err(error @ ExtractError::TooLarge { .. }) => return Err(error),
            Err(_) => unread += 1,
        }
        // The decoder refuses a chain of frames that comes back to itself.
        if !frames.more_images() || frames.next_image().is_err() {
            break;
        }
    }
    if unread == page {
        return Err(ExtractError::damaged("none of its pages can be decoded"));
    }
    let warnings = if unread > 0 { vec![format!("{unread} of {page} pages could not be decoded")] } else { Vec::new() };
    finish(blocks, Some(page), warnings)
}

fn frame(frames: &mut Frames<'_>) -> Result<Picture, ExtractError> {
    let damaged = |_| ExtractError::damaged("a page cannot be decoded");
    let (width, height) = frames.dimensions().map_err(damaged)?;
    check_pixels(width, height)?;
    let colour = frames.colortype().map_err(damaged)?;
    let tag = frames.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten();
    let orientation = tag.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms);
    let samples = match frames.read_image().map_err(damaged)? {
        DecodingResult::U8(samples) => samples,
        DecodingResult::U16(samples) => samples.into_iter().map(|sample| (sample >> 8) as u8).collect(),
        _ => return Err(ExtractError::damaged("its samples are of an unusual kind")),
    };
    let grey = grey(&samples, colour, width as usize);
    if grey.len() != width as usize * height as usize {
        return Err(ExtractError::damaged("a page has fewer pixels than it says"));
    }
    Ok(upright(Picture { width, height, grey }, orientation))
}

/// The samples of a frame in grey, one byte a pixel; empty for colours that no scanner writes.
fn grey(samples: &[u8], colour: ColorType, width: usize) -> Vec<u8> {
    let luma = |rgb: &[u8]| {
        let [red, green, blue] = [0, 1, 2].map(|channel| rgb.get(channel).map_or(0, |&value| u32::from(value)));
        u8::try_from((299 * red + 587 * green + 114 * blue) / 1000).unwrap_or(255)
    };
    match colour {
        ColorType::Gray(bits @ (1 | 2 | 4)) => {
            let (bits, per_byte) = (usize::from(bits), 8 / usize::from(bits));
            let most = (1_u16 << bits) - 1;
            let row = |row: &[u8]| -> Vec<u8> {
                let value = |x: usize| u16::from(row[x / per_byte]) >> (8 - bits - x % per_byte * bits) & most;
                (0..width).map(|x| u8::try_from(value(x) * 255 / most).unwrap_or(255)).collect()
            };
            samples.chunks_exact(width.div_ceil(per_byte).max(1)).flat_map(row).collect()
        }
        ColorType::Gray(_) => samples.to_vec(),
        ColorType::GrayA(_) => samples.iter().step_by(2).copied().collect(),
        ColorType::RGB(_) => samples.chunks_exact(3).map(luma).collect(),
        ColorType::RGBA(_) => samples.chunks_exact(4).map(luma).collect(),
        ColorType::CMYK(_) => samples
            .chunks_exact(4)
            .map(|ink| luma(&[0, 1, 2].map(|channel| 255 - ink[channel])).saturating_sub(ink[3]))
            .collect(),
        _ => Vec::new(),
    }
}
