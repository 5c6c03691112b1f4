//! A page as it looks: a page of a PDF file, or a picture, becomes pixels of a given width, as PNG.
//!
//! The crate is blocking and keeps nothing. Files come from strangers, and what draws them is large: in the product it
//! runs in the confined processes of `confine` alone. A panic underneath is left to end that process.

mod error;
mod page;
mod pdf;
mod photo;
mod tiff;

pub use error::RenderError;
pub use page::PagePicture;

use extract::Format;
use page::Canvas;
use serde::{Deserialize, Serialize};

/// What is to be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Order {
    /// What the file is.
    pub format: Format,
    /// 1-based page; a file that is one picture has page 1 only.
    pub page: u32,
    /// Pixels in a row, at most [`Order::WIDEST`]. A picture that has fewer of its own is not blown up.
    pub width: u32,
}

impl Order {
    /// The most pixels in a row.
    pub const WIDEST: u32 = 2400;

    /// The most rows. Pages are seldom higher than three times their width; receipts are.
    pub const HIGHEST: u32 = 9600;

    /// Whether files of this format have pages that look like something; the others are text.
    #[must_use]
    pub const fn can_draw(format: Format) -> bool {
        matches!(format, Format::Pdf | Format::Png | Format::Jpeg | Format::Tiff)
    }

    /// Width and height of something of these proportions, within what was ordered; `None` if it has no extent.
    fn fit(&self, width: f64, height: f64) -> Option<(u32, u32)> {
        let has_extent = |length: f64| length.is_finite() && length > 0.0;
        if !has_extent(width) || !has_extent(height) {
            return None;
        }
        let columns = f64::from(self.width.clamp(1, Self::WIDEST));
        let scale = (columns / width).min(f64::from(Self::HIGHEST) / height);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let pixels = |length: f64, most: u32| (length * scale).round().clamp(1.0, f64::from(most)) as u32;
        Some((pixels(width, Self::WIDEST), pixels(height, Self::HIGHEST)))
    }
}

/// Draws what `order` says of a file.
///
/// # Errors
/// [`RenderError`]: why there is no picture of it.
pub fn draw(bytes: Vec<u8>, order: &Order) -> Result<PagePicture, RenderError> {
    let canvas: Canvas = match order.format {
        Format::Pdf => pdf::draw(bytes, order)?,
        Format::Png => photo::draw(&bytes, image::ImageFormat::Png, order)?,
        Format::Jpeg => photo::draw(&bytes, image::ImageFormat::Jpeg, order)?,
        Format::Tiff => tiff::draw(&bytes, order)?,
        _ => return Err(RenderError::NothingToDraw),
    };
    canvas.encode()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_are_kept_and_sizes_are_bounded() {
        let fit = |width, w, h| Order { format: Format::Pdf, page: 1, width }.fit(w, h);
        assert_eq!(fit(1000, 595.0, 842.0), Some((1000, 1415)));
        assert_eq!(fit(1_000_000, 100.0, 100.0), Some((2400, 2400)));
        assert_eq!(fit(1000, 1.0, 100_000.0), Some((1, 9600)));
        assert_eq!(fit(1000, 100_000.0, 1.0), Some((1000, 1)));
        assert_eq!(fit(0, 10.0, 10.0), Some((1, 1)));
        for (width, height) in [(0.0, 1.0), (1.0, f64::NAN), (-1.0, 1.0), (1.0, f64::INFINITY)] {
            assert_eq!(fit(1000, width, height), None);
        }
    }
}
