//! The two models together, and pages that lie on their side or upside down.

use crate::detect::detect;
use crate::pixels::{shrink, turn, unturn};
use crate::read::{Reader, Reading, Strip, Upward};
use crate::regions::{Axes, Region};
use crate::{RecognizeError, order};
use domain::Area;
use extract::{Line, Picture};
use rten::{Model, ModelOptions, RunOptions, ThreadPool};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files of a model pack.
const DETECTOR: &str = "PP-OCRv6_det_small.rten";
const READER: &str = "PP-OCRv6_rec_small.rten";
const LETTERS: &str = "ppocrv6_dict.txt";
/// All files of a model pack.
pub const FILES: [&str; 3] = [DETECTOR, READER, LETTERS];

/// The most pixels that are looked at; a page of A3 at 300 dots an inch has 17 million.
const MOST_PIXELS: u64 = 20_000_000;
/// So many of the longest lines say whether a page stands upright.
const PROBES: usize = 6;
/// Upright text is read with more than this; text upside down hardly ever is.
const SURE: f32 = 0.8;

/// How to read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Threads that work on one picture.
    pub threads: usize,
    /// Lines that are less sure are dropped, 0 to 1.
    pub least_confidence: f32,
}

impl Default for Options {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { threads, least_confidence: 0.6 }
    }
}

/// Reads the text in pictures. One may be used by several threads; each picture then takes its own memory
/// for what the models compute.
pub struct Recognizer {
    detector: Model,
    reader: Reader,
    threads: Arc<ThreadPool>,
    least_confidence: f32,
}

impl std::fmt::Debug for Recognizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recognizer").field("letters", &self.reader.letters.len()).finish_non_exhaustive()
    }
}

/// A picture and where there are lines in it.
struct Page<'p> {
    picture: Cow<'p, Picture>,
    regions: Vec<Region>,
    axes: Axes,
    /// What was read of each region so far.
    readings: Vec<Option<Reading>>,
}

/// The files of a model pack, read and not yet looked at: so much has to be done while there still are files, the rest
/// can wait until there is a picture.
pub struct Pack {
    directory: PathBuf,
    detector: Vec<u8>,
    reader: Vec<u8>,
    letters: Vec<u8>,
}

impl Pack {
    /// Whether a directory looks like a model pack.
    #[must_use]
    pub fn is_at(directory: &Path) -> bool {
        FILES.iter().all(|name| directory.join(name).is_file())
    }

    /// Reads the files of the model pack in this directory.
    ///
    /// # Errors
    /// [`RecognizeError::Unreadable`].
    pub fn read(directory: &Path) -> Result<Self, RecognizeError> {
        let bytes = |name: &str| {
            let path = directory.join(name);
            std::fs::read(&path).map_err(|reason| RecognizeError::Unreadable { path, reason })
        };
        let directory = directory.to_owned();
        Ok(Self { detector: bytes(DETECTOR)?, reader: bytes(READER)?, letters: bytes(LETTERS)?, directory })
    }
}

impl Recognizer {
    /// Loads the model pack in this directory.
    ///
    /// # Errors
    /// [`RecognizeError::Unreadable`], [`RecognizeError::Model`].
    pub fn load(directory: &Path, options: Options) -> Result<Self, RecognizeError> {
        Self::of(Pack::read(directory)?, options)
    }

    /// Makes a model pack ready; opens no file.
    ///
    /// # Errors
    /// [`RecognizeError::Model`].
    pub fn of(pack: Pack, options: Options) -> Result<Self, RecognizeError> {
        let Pack { directory, detector, reader, letters } = pack;
        let refuse = |name: &str, reason: String| RecognizeError::Model { path: directory.join(name), reason };
        let model = |name: &str, bytes: Vec<u8>| {
            let loaded = ModelOptions::with_all_ops().prepack_weights(true).load(bytes);
            loaded.map_err(|error| refuse(name, error.to_string()))
        };
        let letters = String::from_utf8(letters).map_err(|error| refuse(LETTERS, error.to_string()))?;
        Ok(Self {
            detector: model(DETECTOR, detector)?,
            reader: Reader { model: model(READER, reader)?, letters: letters.lines().map(str::to_owned).collect() },
            threads: Arc::new(ThreadPool::with_num_threads(options.threads.max(1))),
            least_confidence: options.least_confidence,
        })
    }

    /// Reads a picture: its lines in reading order.
    ///
    /// # Errors
    /// [`RecognizeError::Picture`] for one whose size is not what it says, [`RecognizeError::Inference`].
    pub fn recognize(&self, picture: &Picture) -> Result<Vec<Line>, RecognizeError> {
        let pixels = u64::from(picture.width) * u64::from(picture.height);
        if pixels == 0 || pixels != picture.grey.len() as u64 {
            let Picture { width, height, ref grey } = *picture;
            return Err(RecognizeError::Picture { width, height, bytes: grey.len() });
        }
        let picture = bounded(picture);
        let size = (picture.width as f32, picture.height as f32);
        let page = self.find(Cow::Borrowed(picture.as_ref()))?;
        if page.regions.is_empty() {
            return Ok(Vec::new());
        }
        let (mut page, quarters) = self.upright(page, &picture)?;
        let all = (0..page.regions.len()).collect();
        self.read(&mut page, all)?;
        self.read_tall(&mut page)?;
        let readings = page.readings.into_iter().map(Option::unwrap_or_default);
        let lines = page.regions.iter().zip(readings).filter(|(_, reading)| {
            reading.confidence >= self.least_confidence && reading.text.chars().any(|c| !c.is_whitespace())
        });
        Ok(lines
            .map(|(region, Reading { text, confidence })| Line {
                text,
                area: area(region, page.axes, quarters, size),
                confidence: confidence.clamp(0.0, 1.0),
            })
            .collect())
    }

    fn options(&self) -> RunOptions {
        RunOptions::default().with_thread_pool(Some(Arc::clone(&self.threads)))
    }

    fn find<'p>(&self, picture: Cow<'p, Picture>) -> Result<Page<'p>, RecognizeError> {
        let (regions, axes) = detect(&self.detector, &picture, self.options())?;
        let regions = order::sort(order::join(regions));
        let readings = vec![None; regions.len()];
        Ok(Page { picture, regions, axes, readings })
    }

    /// Reads those of the regions at `places` that have not been read yet.
    fn read(&self, page: &mut Page<'_>, mut places: Vec<usize>) -> Result<(), RecognizeError> {
        places.retain(|&place| page.readings[place].is_none());
        let readings = self.look(page, &places, Upward::Straight)?;
        for (place, reading) in places.into_iter().zip(readings) {
            page.readings[place] = Some(reading);
        }
        Ok(())
    }

    fn look(&self, page: &Page<'_>, places: &[usize], upward: Upward) -> Result<Vec<Reading>, RecognizeError> {
        let strips: Vec<Strip> = places.iter().map(|&place| Strip { region: page.regions[place], upward }).collect();
        self.reader.read(&page.picture, page.axes, &strips, &self.options())
    }

    /// The page turned so that it can be read best, and by how many quarters it was turned clockwise for that.
    fn upright<'p>(&self, page: Page<'p>, picture: &'p Picture) -> Result<(Page<'p>, u8), RecognizeError> {
        let turned = |quarters| self.find(Cow::Owned(turn(picture, quarters)));
        let tall: f32 = page.regions.iter().filter(|region| region.is_tall()).map(Region::height).sum();
        let flat: f32 = page.regions.iter().filter(|region| !region.is_tall()).map(Region::width).sum();
        let (mut page, quarters) = if tall > flat { (turned(1)?, 1) } else { (page, 0) };
        let sure = self.probe(&mut page)?;
        if sure >= SURE {
            return Ok((page, quarters));
        }
        let mut other = turned(quarters + 2)?;
        if self.probe(&mut other)? > sure { Ok((other, quarters + 2)) } else { Ok((page, quarters)) }
    }

    /// How well the longest lines can be read, 0 to 1.
    fn probe(&self, page: &mut Page<'_>) -> Result<f32, RecognizeError> {
        let mut longest: Vec<usize> = (0..page.regions.len()).collect();
        longest.sort_by(|&one, &other| page.regions[other].width().total_cmp(&page.regions[one].width()));
        longest.truncate(PROBES);
        self.read(page, longest.clone())?;
        let readings: Vec<&Reading> = longest.iter().filter_map(|&place| page.readings[place].as_ref()).collect();
        // By their length: a single letter upside down is easily a sure other one.
        let letters = |reading: &Reading| reading.text.chars().count() as f32;
        let all: f32 = readings.iter().map(|reading| letters(reading)).sum();
        Ok(readings.iter().map(|reading| reading.confidence * letters(reading)).sum::<f32>() / all.max(1.0))
    }

    /// Reads text on its side in a page that stands upright, such as a note along the margin, where that reads better.
    fn read_tall(&self, page: &mut Page<'_>) -> Result<(), RecognizeError> {
        let tall: Vec<usize> = (0..page.regions.len()).filter(|&place| page.regions[place].is_tall()).collect();
        for upward in [Upward::Left, Upward::Right] {
            let readings = self.look(page, &tall, upward)?;
            for (&place, reading) in tall.iter().zip(readings) {
                if page.readings[place].as_ref().is_none_or(|before| reading.confidence > before.confidence) {
                    page.readings[place] = Some(reading);
                }
            }
        }
        Ok(())
    }
}

/// The picture, made smaller if it has more than [`MOST_PIXELS`].
fn bounded(picture: &Picture) -> Cow<'_, Picture> {
    let pixels = picture.grey.len() as f64;
    if picture.grey.len() as u64 <= MOST_PIXELS {
        return Cow::Borrowed(picture);
    }
    let factor = (MOST_PIXELS as f64 / pixels).sqrt();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let size = |pixels: u32| ((f64::from(pixels) * factor) as u32).max(1);
    Cow::Owned(shrink(picture, size(picture.width), size(picture.height)))
}

/// Where a region of the turned page is in the picture as it was given.
fn area(region: &Region, axes: Axes, quarters: u8, (width, height): (f32, f32)) -> Area {
    let Region { left, top, right, bottom } = *region;
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
    let corners = corners.map(|corner| unturn(axes.point(corner), quarters, (width, height)));
    let edge = |values: [f32; 4], size: f32, pick: fn(f32, f32) -> f32| {
        let value = values.into_iter().reduce(pick).unwrap_or(0.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let share = (value / size * 10_000.0).round().clamp(0.0, 10_000.0) as u16;
        share
    };
    let (across, down) = (corners.map(|(x, _)| x), corners.map(|(_, y)| y));
    Area {
        left: edge(across, width, f32::min),
        top: edge(down, height, f32::min),
        right: edge(across, width, f32::max),
        bottom: edge(down, height, f32::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_those_of_the_picture_as_it_was_given() {
        // A region in the upper left of a page of 100 × 200 that was turned clockwise, which is its lower left before.
        let region = Region { left: -1.0, top: 10.0, right: 40.0, bottom: 20.0 };
        let area = |quarters| area(&region, Axes::at_angle(0.0), quarters, (100.0, 200.0));
        assert_eq!(area(0), Area { left: 0, top: 500, right: 4_000, bottom: 1_000 });
        assert_eq!(area(1), Area { left: 1_000, top: 8_000, right: 2_000, bottom: 10_000 });
        assert_eq!(area(2), Area { left: 6_000, top: 9_000, right: 10_000, bottom: 9_500 });
    }

    #[test]
    fn large_pictures_are_made_smaller() {
        let picture = Picture { width: 10_000, height: 3_000, grey: vec![7; 30_000_000] };
        let small = bounded(&picture);
        assert!(small.grey.len() as u64 <= MOST_PIXELS && small.grey.iter().all(|&pixel| pixel == 7));
        assert_eq!(small.width / small.height, 3);
    }

    #[test]
    fn a_folder_without_models_says_what_is_missing() {
        let error = Recognizer::load(Path::new("/nowhere"), Options::default()).unwrap_err().to_string();
        assert!(error.starts_with("cannot read /nowhere/"), "{error}");
    }
}
