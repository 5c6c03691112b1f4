//! Pixels, and how they are sent.

use crate::RenderError;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageEncoder, RgbImage};

/// A page as it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagePicture {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// A PNG file of that size (RFC 2083), without any text in it.
    pub png: Vec<u8>,
}

/// What was drawn, before it is packed.
pub(crate) struct Canvas(pub(crate) RgbImage);

impl Canvas {
    /// Over white, whatever can be seen through.
    pub(crate) fn over_white(picture: DynamicImage) -> Self {
        if !picture.color().has_alpha() {
            return Self(picture.into_rgb8());
        }
        let picture = picture.into_rgba8();
        let mut canvas = RgbImage::new(picture.width(), picture.height());
        for (to, from) in canvas.pixels_mut().zip(picture.pixels()) {
            let [colour @ .., alpha] = from.0;
            let over = |value: u8| {
                let (value, alpha) = (u16::from(value), u16::from(alpha));
                u8::try_from((value * alpha + 255 * (255 - alpha)) / 255).unwrap_or(255)
            };
            to.0 = colour.map(over);
        }
        Self(canvas)
    }

    /// As PNG; in grey where nothing has a colour, which most pages of text do not.
    pub(crate) fn encode(self) -> Result<PagePicture, RenderError> {
        let (width, height) = self.0.dimensions();
        let is_grey = self.0.pixels().all(|pixel| pixel.0[0] == pixel.0[1] && pixel.0[1] == pixel.0[2]);
        let mut png = Vec::new();
        // Fast: whoever waits for the page is on the same network.
        let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Adaptive);
        let written = if is_grey {
            let grey: Vec<u8> = self.0.into_raw().into_iter().step_by(3).collect();
            encoder.write_image(&grey, width, height, ExtendedColorType::L8)
        } else {
            encoder.write_image(&self.0, width, height, ExtendedColorType::Rgb8)
        };
        written.map_err(|_| RenderError::Damaged("its pixels cannot be packed"))?;
        Ok(PagePicture { width, height, png })
    }
}
