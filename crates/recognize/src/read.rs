//! Text recognition with a model that gives, for every eight columns of a line, how likely each letter is (connectionist
//! temporal classification): the best of each step, repeats and blanks left out, is the text.

use crate::RecognizeError;
use crate::pixels::sample;
use crate::regions::{Axes, Region};
use extract::Picture;
use rten::{Model, RunOptions};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use std::fmt::Display;

/// The height of a line that the model is trained on, in pixels.
const HEIGHT: usize = 48;
/// The model's steps are so many columns wide.
const STEP: usize = 8;
/// The widest line. What is wider is squeezed: it would be a line of 250 letters.
const WIDEST: usize = 3_200;
/// Columns of all lines that are read at once: each step takes 75 kB of output.
const BATCH_COLUMNS: usize = 4_096;

/// What the model makes of a region.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Reading {
    pub(crate) text: String,
    /// The mean of how likely its letters are, 0 to 1; 0 without letters.
    pub(crate) confidence: f32,
}

/// How the letters of a region stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upward {
    /// Along the axes.
    Straight,
    /// Their tops to the right: the line runs from above to below.
    Right,
    /// Their tops to the left: the line runs from below to above.
    Left,
}

/// A region of a picture and how to look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strip {
    pub(crate) region: Region,
    pub(crate) upward: Upward,
}

impl Strip {
    /// Its length along the line and its height across, in pixels of the picture.
    fn size(&self) -> (f32, f32) {
        let (width, height) = (self.region.width().max(1.0), self.region.height().max(1.0));
        if self.upward == Upward::Straight { (width, height) } else { (height, width) }
    }

    /// How many columns it has for the model: a multiple of [`STEP`].
    fn columns(&self) -> usize {
        let (length, height) = self.size();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let columns = (HEIGHT as f32 * length / height).ceil() as usize;
        columns.clamp(STEP, WIDEST).next_multiple_of(STEP)
    }

    /// The point of the axes that lies `along` and `across` the line, both from 0 to 1.
    fn point(&self, along: f32, across: f32) -> (f32, f32) {
        let Region { left, top, right, bottom } = self.region;
        match self.upward {
            Upward::Straight => (left + along * (right - left), top + across * (bottom - top)),
            Upward::Right => (right - across * (right - left), top + along * (bottom - top)),
            Upward::Left => (left + across * (right - left), bottom - along * (bottom - top)),
        }
    }

    /// Writes its pixels into `plane`, [`HEIGHT`] rows of `stride` values from -1 to 1.
    fn draw(&self, picture: &Picture, axes: Axes, plane: &mut [f32], stride: usize) {
        let columns = self.columns();
        let (length, height) = self.size();
        // Large letters are made small by taking the mean of several samples a pixel.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let samples = |from: f32, to: usize| ((from / to as f32).ceil() as usize).clamp(1, 8);
        let (wide, high) = (samples(length, columns), samples(height, HEIGHT));
        let part = |place: usize, of: usize, count: usize, total: usize| {
            (place as f32 + (of as f32 + 0.5) / count as f32) / total as f32
        };
        for row in 0..HEIGHT {
            for column in 0..columns {
                let mut sum = 0.0;
                for down in 0..high {
                    for right in 0..wide {
                        let point = self.point(part(column, right, wide, columns), part(row, down, high, HEIGHT));
                        let (x, y) = axes.point(point);
                        sum += sample(picture, x, y);
                    }
                }
                plane[row * stride + column] = sum / (wide * high) as f32 / 127.5 - 1.0;
            }
        }
    }
}

/// The model and its letters.
pub(crate) struct Reader {
    pub(crate) model: Model,
    /// The letter of class n + 1. Class 0 is the blank, the one after the last letter is the space.
    pub(crate) letters: Vec<String>,
}

impl Reader {
    /// Reads the strips; the readings are in their order.
    pub(crate) fn read(
        &self,
        picture: &Picture,
        axes: Axes,
        strips: &[Strip],
        options: &RunOptions,
    ) -> Result<Vec<Reading>, RecognizeError> {
        // Lines of about the same length go together, so that little is filled up.
        let mut order: Vec<usize> = (0..strips.len()).collect();
        order.sort_by_key(|&place| strips[place].columns());
        let mut readings = vec![Reading::default(); strips.len()];
        let mut rest = order.as_slice();
        while let Some(&first) = rest.first() {
            let mut count = 1;
            let narrowest = strips[first].columns();
            while let Some(&next) = rest.get(count) {
                let columns = strips[next].columns();
                if columns * (count + 1) > BATCH_COLUMNS || columns > narrowest + narrowest / 4 {
                    break;
                }
                count += 1;
            }
            let (batch, after) = rest.split_at(count);
            let chosen: Vec<Strip> = batch.iter().map(|&place| strips[place]).collect();
            for (&place, reading) in batch.iter().zip(self.read_batch(picture, axes, &chosen, options)?) {
                readings[place] = reading;
            }
            rest = after;
        }
        Ok(readings)
    }

    /// Runs the model: input (lines, 3, 48, columns) from -1 to 1, output (lines, steps, classes) from 0 to 1.
    fn read_batch(
        &self,
        picture: &Picture,
        axes: Axes,
        strips: &[Strip],
        options: &RunOptions,
    ) -> Result<Vec<Reading>, RecognizeError> {
        let columns = strips.iter().map(Strip::columns).max().unwrap_or(STEP);
        let plane = HEIGHT * columns;
        let mut values = vec![0.0_f32; strips.len() * 3 * plane];
        for (strip, planes) in strips.iter().zip(values.chunks_exact_mut(3 * plane)) {
            let (grey, others) = planes.split_at_mut(plane);
            strip.draw(picture, axes, grey, columns);
            others.chunks_exact_mut(plane).for_each(|other| other.copy_from_slice(grey));
        }
        let input = NdTensor::from_data([strips.len(), 3, HEIGHT, columns], values);
        let failed = |reason: &dyn Display| RecognizeError::Inference(reason.to_string());
        let output = self.model.run_one((&input).into(), Some(options.clone())).map_err(|error| failed(&error))?;
        let output: NdTensor<f32, 3> =
            output.try_into().map_err(|_| failed(&"the reader's output has another type"))?;
        let [lines, steps, classes] = output.shape();
        if lines != strips.len() || classes != self.letters.len() + 2 || steps == 0 {
            let shape = output.shape();
            return Err(failed(&format_args!(
                "the reader's output has the shape {shape:?} for {} letters",
                self.letters.len()
            )));
        }
        let values = output.to_vec();
        Ok(values.chunks_exact(steps * classes).map(|line| decode(line, classes, &self.letters)).collect())
    }
}

/// The most likely letter of each step, without blanks and repeats.
fn decode(steps: &[f32], classes: usize, letters: &[String]) -> Reading {
    let mut text = String::new();
    let (mut sum, mut count, mut previous) = (0.0, 0_u16, 0);
    for step in steps.chunks_exact(classes) {
        let (mut best, mut likely) = (0, f32::MIN);
        for (class, &value) in step.iter().enumerate() {
            if value > likely {
                (best, likely) = (class, value);
            }
        }
        if best != 0 && best != previous {
            text.push_str(letters.get(best - 1).map_or(" ", String::as_str));
            sum += likely;
            count = count.saturating_add(1);
        }
        previous = best;
    }
    let confidence = if count == 0 { 0.0 } else { sum / f32::from(count) };
    Reading { text: narrow(text.trim()), confidence }
}

/// The model has learned Chinese first: it writes full-width signs in Latin text, too. Where nothing else in the line
/// is from there, they are what a Latin text has in their place.
fn narrow(text: &str) -> String {
    let is_wide_script = |c: char| matches!(c, '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{2fff}' | '\u{3040}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}');
    if text.chars().any(is_wide_script) {
        return text.to_owned();
    }
    let narrowed = text.chars().map(|c| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        '。' => '.',
        '、' => ',',
        _ => c,
    });
    narrowed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_and_blanks_are_no_letters() {
        let letters = ["a".to_owned(), "b".to_owned()];
        // Classes: blank, a, b, space.
        let steps: Vec<f32> = [0, 1, 1, 0, 1, 3, 2, 2, 0]
            .iter()
            .flat_map(|&best| (0..4).map(move |class| if class == best { 0.9 } else { 0.1 / 3.0 }))
            .collect();
        let reading = decode(&steps, 4, &letters);
        assert_eq!(reading.text, "aa b");
        assert!((reading.confidence - 0.9).abs() < 1e-5);
        assert_eq!(decode(&[1.0, 0.0, 0.0, 0.0], 4, &letters), Reading::default());
    }

    #[test]
    fn full_width_signs_stay_only_among_chinese() {
        assert_eq!(narrow("Leave（24 days），yes！"), "Leave(24 days),yes!");
        assert_eq!(narrow("休假，24天"), "休假，24天");
    }

    #[test]
    fn a_strip_on_its_side_is_read_from_its_beginning() {
        // Four bands of grey from above to below.
        let grey = (0..40_u8).flat_map(|row| [row / 10 * 60; 8]).collect();
        let picture = Picture { width: 8, height: 40, grey };
        let region = Region { left: 0.0, top: 0.0, right: 8.0, bottom: 40.0 };
        let ends = |upward| {
            let strip = Strip { region, upward };
            let stride = strip.columns();
            let mut plane = vec![0.0; HEIGHT * stride];
            strip.draw(&picture, Axes::at_angle(0.0), &mut plane, stride);
            (plane[20 * stride + 8], plane[20 * stride + stride - 9])
        };
        let (first, last) = ends(Upward::Right);
        assert!(first < last, "{first} {last}");
        assert_eq!(ends(Upward::Left), (last, first));
    }
}
