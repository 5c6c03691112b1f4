//! Text detection with a model of the kind DB ("Real-time Scene Text Detection with Differentiable Binarization", 2020):
//! a picture becomes a map of how likely each pixel is text.

use crate::RecognizeError;
use crate::pixels::shrink;
use crate::regions::{self, Axes, Likelihood, Region};
use extract::Picture;
use rten::{Model, RunOptions};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

/// The longest side of what the model gets to see. An A4 page then has 145 dots an inch: letters of 8 points are still
/// 16 pixels high, and its memory stays below half a gigabyte.
const LONGEST_SIDE: u32 = 1_696;
/// The model halves its input five times.
const MULTIPLE: u32 = 32;

/// Finds the lines of a picture, in its pixels along the axes of the page.
pub(crate) fn detect(
    model: &Model,
    picture: &Picture,
    options: RunOptions,
) -> Result<(Vec<Region>, Axes), RecognizeError> {
    let longest = picture.width.max(picture.height);
    let factor = if longest > LONGEST_SIDE { f64::from(longest) / f64::from(LONGEST_SIDE) } else { 1.0 };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let size = |pixels: u32| ((f64::from(pixels) / factor).round() as u32).clamp(1, pixels);
    let seen = shrink(picture, size(picture.width), size(picture.height));
    let map = likelihood(model, &seen, options)?;
    let (regions, axes) = regions::find(&map);
    #[allow(clippy::cast_possible_truncation)]
    let factor = factor as f32;
    Ok((regions.iter().map(|region| region.scaled(factor)).collect(), axes))
}

/// Runs the model: input (1, 3, height, width) with values from -1 to 1, output (1, 1, height, width) from 0 to 1.
fn likelihood(model: &Model, picture: &Picture, options: RunOptions) -> Result<Likelihood, RecognizeError> {
    let width = picture.width.next_multiple_of(MULTIPLE) as usize;
    let height = picture.height.next_multiple_of(MULTIPLE) as usize;
    // White around it.
    let mut values = vec![1.0_f32; 3 * width * height];
    for plane in values.chunks_exact_mut(width * height) {
        for (row, line) in plane.chunks_exact_mut(width).zip(picture.grey.chunks_exact(picture.width as usize)) {
            for (value, &pixel) in row.iter_mut().zip(line) {
                *value = f32::from(pixel) / 127.5 - 1.0;
            }
        }
    }
    let input = NdTensor::from_data([1, 3, height, width], values);
    let failed = |reason: &dyn std::fmt::Display| RecognizeError::Inference(reason.to_string());
    let output = model.run_one((&input).into(), Some(options)).map_err(|error| failed(&error))?;
    let output: NdTensor<f32, 4> = output.try_into().map_err(|_| failed(&"the detector's output has another type"))?;
    if output.shape() != [1, 1, height, width] {
        return Err(failed(&format_args!("the detector's output has the shape {:?}", output.shape())));
    }
    Ok(Likelihood { width, height, values: output.to_vec() })
}
