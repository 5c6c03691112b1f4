//! Pages of PDF files, by `hayro`.
//!
//! Fonts that a file names and does not bring are replaced by those that hayro has built in (metrically equal to the
//! standard 14 of ISO 32000-1, section 9.6.2.2); for scripts beyond, there is nothing to draw with, and their text
//! stands beside the picture.

use crate::page::Canvas;
use crate::{Order, RenderError};
use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_interpret::util::TransformExt;
use hayro::hayro_syntax::{LoadPdfError, Pdf};
use hayro::kurbo::Affine;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::vello_cpu::{Pixmap, RasterizerSettings, RenderContext, Resources, TargetInit};
use hayro::{RenderCache, RenderSettings, render_into};
use image::RgbImage;

pub(crate) fn draw(bytes: Vec<u8>, order: &Order) -> Result<Canvas, RenderError> {
    let pdf = Pdf::new(bytes).map_err(|error| match error {
        LoadPdfError::Decryption(_) => RenderError::Encrypted,
        LoadPdfError::Invalid => RenderError::Damaged("the file is damaged"),
    })?;
    let index = order.page.checked_sub(1).and_then(|index| usize::try_from(index).ok());
    let page = index.and_then(|index| pdf.pages().get(index)).ok_or(RenderError::NoPage(order.page))?;
    let (wide, high) = page.render_dimensions();
    let no_extent = RenderError::Damaged("it has no extent");
    let (width, height) = order.fit(f64::from(wide), f64::from(high)).ok_or(no_extent)?;
    let size = u16::try_from(width).ok().zip(u16::try_from(height).ok());
    let (columns, rows) = size.ok_or(RenderError::Damaged("it is too large"))?;

    let to_pixels = Affine::scale_non_uniform(f64::from(width) / f64::from(wide), f64::from(height) / f64::from(high));
    let transform = to_pixels * page.initial_transform(true).to_kurbo();
    let mut context = RenderContext::new(columns, rows);
    let (cache, settings) = (RenderCache::new(), InterpreterSettings::default());
    render_into(page, &cache, &settings, &RenderSettings::default(), &mut context, transform);
    context.flush();
    let mut pixels = Pixmap::new(columns, rows);
    let paper = RasterizerSettings { target_init: TargetInit::Clear(WHITE), ..RasterizerSettings::default() };
    context.render_with(&mut pixels, &mut Resources::default(), paper);

    // On white paper nothing can be seen through.
    let colours = pixels.data().iter().flat_map(|pixel| [pixel.r, pixel.g, pixel.b]).collect();
    RgbImage::from_raw(width, height, colours).map(Canvas).ok_or(RenderError::Damaged("pixels are missing"))
}
