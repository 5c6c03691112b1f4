//! The samples of an image XObject in grey (ISO 32000-1, sections 7.4 and 8.9.5).

use super::super::streams::Budget;
use crate::Limits;
use crate::host::Picture;
use crate::picture::{check_pixels, decode as decode_file};
use pdf_extract::{Dictionary, Document, Object, Stream};

/// A decoded picture.
pub(super) struct Samples {
    pub(super) picture: Picture,
    /// Whether it is a stencil, whose white lets through what is beneath.
    pub(super) is_mask: bool,
}

/// What the dictionary of an image says.
struct Image<'d> {
    document: &'d Document,
    dictionary: &'d Dictionary,
    width: u32,
    height: u32,
}

/// Decodes an image; `None` if it is damaged, too large or of a kind that is not known.
pub(super) fn decode(
    document: &Document,
    stream: &Stream,
    resources: Option<&Dictionary>,
    budget: &Budget<'_>,
    limits: &Limits,
) -> Option<Samples> {
    let side = |key: &[u8]| {
        let (_, value) = document.dereference(stream.dict.get(key).ok()?).ok()?;
        u32::try_from(value.as_i64().ok()?).ok()
    };
    let image = Image { document, dictionary: &stream.dict, width: side(b"Width")?, height: side(b"Height")? };
    check_pixels(image.width, image.height).ok()?;
    let is_mask = image.get(b"ImageMask").and_then(|mask| mask.as_bool().ok()).unwrap_or(false);
    let filters: Vec<&[u8]> = stream.filters().unwrap_or_default();
    let last = filters.last().copied().unwrap_or_default();
    let content = match last {
        b"DCTDecode" | b"CCITTFaxDecode" | b"JBIG2Decode" | b"JPXDecode" => {
            budget.unpack(&without_last_filter(stream, &filters)).ok()??
        }
        _ => budget.unpack(stream).ok()??,
    };
    let mut picture = match last {
        b"DCTDecode" => {
            let mut picture = decode_file(&content, image::ImageFormat::Jpeg, limits).ok()?;
            if image.is_inverted() {
                invert(&mut picture.grey);
            }
            picture
        }
        b"JPXDecode" => jpx(&content, budget)?,
        b"CCITTFaxDecode" => image.bilevel(fax(&content, &image)?, resources)?,
        b"JBIG2Decode" => image.bilevel(jbig2(&content, &image, budget)?, resources)?,
        _ => image.raw(&content, is_mask, resources, budget)?,
    };
    if picture.grey.len() != picture.width as usize * picture.height as usize || picture.grey.is_empty() {
        return None;
    }
    if is_mask && matches!(last, b"CCITTFaxDecode" | b"JBIG2Decode") && image.is_inverted() {
        // Stencils are painted where a sample is 0: `bilevel` has turned them already.
        picture.grey.iter_mut().for_each(|pixel| *pixel = if *pixel > 127 { 255 } else { 0 });
    }
    Some(Samples { picture, is_mask })
}

fn invert(grey: &mut [u8]) {
    grey.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
}

fn without_last_filter(stream: &Stream, filters: &[&[u8]]) -> Stream {
    let kept = filters.len().saturating_sub(1);
    let mut dictionary = Dictionary::new();
    if kept > 0 {
        let names = filters.iter().take(kept).map(|name| Object::Name(name.to_vec())).collect();
        dictionary.set("Filter", Object::Array(names));
        if let Ok(Object::Array(parameters)) = stream.dict.get(b"DecodeParms") {
            dictionary.set("DecodeParms", Object::Array(parameters.iter().take(kept).cloned().collect()));
        }
    }
    Stream::new(dictionary, stream.content.clone())
}

impl<'d> Image<'d> {
    fn get(&self, key: &[u8]) -> Option<&'d Object> {
        self.follow(self.dictionary.get(key).ok()?)
    }

    fn follow(&self, object: &'d Object) -> Option<&'d Object> {
        self.document.dereference(object).ok().map(|(_, object)| object)
    }

    /// `DecodeParms` of the last filter.
    fn parameters(&self) -> Option<&'d Dictionary> {
        match self.get(b"DecodeParms")? {
            Object::Array(all) => self.follow(all.last()?)?.as_dict().ok(),
            object => object.as_dict().ok(),
        }
    }

    /// Whether `Decode` maps the smallest sample to the largest value.
    fn is_inverted(&self) -> bool {
        let decode = self.get(b"Decode").and_then(|decode| decode.as_array().ok());
        let numbers: Vec<f32> = decode.into_iter().flatten().filter_map(|number| number.as_float().ok()).collect();
        matches!(numbers.as_slice(), [first, second, ..] if first > second)
    }

    /// Pixels of 0 and 255 of a bilevel filter, through the palette or `Decode`.
    fn bilevel(&self, mut grey: Vec<u8>, resources: Option<&'d Dictionary>) -> Option<Picture> {
        let palette = self.colours(resources).and_then(|colours| colours.palette);
        if let Some([first, second, ..]) = palette.as_deref() {
            let (first, second) = (*first, *second);
            grey.iter_mut().for_each(|pixel| *pixel = if *pixel == 0 { first } else { second });
        } else if self.is_inverted() {
            invert(&mut grey);
        }
        Some(Picture { width: self.width, height: self.height, grey })
    }

    /// Samples without a filter of their own.
    fn raw(
        &self,
        content: &[u8],
        is_mask: bool,
        resources: Option<&'d Dictionary>,
        budget: &Budget<'_>,
    ) -> Option<Picture> {
        let bits = match self.get(b"BitsPerComponent").and_then(|bits| bits.as_i64().ok()) {
            _ if is_mask => 1,
            Some(bits @ (1 | 2 | 4 | 8 | 16)) => usize::try_from(bits).ok()?,
            _ => return None,
        };
        let mut colours = if is_mask { Colours::grey() } else { self.colours(resources)? };
        if let Some(Stretch { stream }) = colours.lookup.take() {
            colours.palette = Some(colours.entries(&budget.unpack(stream).ok()??));
        }
        let (width, height) = (self.width as usize, self.height as usize);
        let row_bytes = (width * colours.channels * bits).div_ceil(8);
        let most = (1_u32 << bits.min(8)) - 1;
        let mut grey = Vec::with_capacity(width * height);
        let mut pixel = [0_u8; 4];
        // A picture that was cut short is white where it ends.
        for row in content.chunks(row_bytes).take(height).filter(|row| row.len() == row_bytes) {
            for x in 0..width {
                for (channel, value) in pixel.iter_mut().enumerate().take(colours.channels) {
                    let place = (x * colours.channels + channel) * bits;
                    let sample = match bits {
                        8 | 16 => u32::from(row[place / 8]),
                        _ => u32::from(row[place / 8]) >> (8 - bits - place % 8) & most,
                    };
                    let scaled = if colours.palette.is_some() { sample } else { sample * 255 / most };
                    *value = u8::try_from(scaled).unwrap_or(255);
                }
                grey.push(colours.luma(&pixel[..colours.channels]));
            }
        }
        grey.resize(width * height, 255);
        if self.is_inverted() && colours.palette.is_none() {
            invert(&mut grey);
        }
        Some(Picture { width: self.width, height: self.height, grey })
    }

    fn colours(&self, resources: Option<&'d Dictionary>) -> Option<Colours<'d>> {
        self.colour_space(self.get(b"ColorSpace")?, resources, 0)
    }

    fn colour_space(&self, space: &'d Object, resources: Option<&'d Dictionary>, depth: u8) -> Option<Colours<'d>> {
        const DEPTH: u8 = 4;
        if depth > DEPTH {
            return None;
        }
        let (name, array) = match space {
            Object::Name(name) => (name.as_slice(), [].as_slice()),
            Object::Array(array) => (self.follow(array.first()?)?.as_name().ok()?, array.as_slice()),
            _ => return None,
        };
        let part = |place: usize| array.get(place).and_then(|object| self.follow(object));
        match name {
            b"DeviceGray" | b"G" | b"CalGray" => Some(Colours::grey()),
            b"DeviceRGB" | b"RGB" | b"CalRGB" => Some(Colours { channels: 3, ..Colours::grey() }),
            b"DeviceCMYK" | b"CMYK" => Some(Colours { channels: 4, ..Colours::grey() }),
            b"ICCBased" => {
                let profile = &part(1)?.as_stream().ok()?.dict;
                let channels = usize::try_from(self.follow(profile.get(b"N").ok()?)?.as_i64().ok()?).ok()?;
                matches!(channels, 1 | 3 | 4).then_some(Colours { channels, ..Colours::grey() })
            }
            // One ink on white paper.
            b"Separation" => Some(Colours { is_ink: true, ..Colours::grey() }),
            b"Indexed" | b"I" => {
                let base = self.colour_space(part(1)?, resources, depth + 1)?;
                let mut colours = Colours { base: base.channels, ..Colours::grey() };
                match part(3)? {
                    Object::String(bytes, _) => colours.palette = Some(colours.entries(bytes)),
                    object => colours.lookup = Some(Stretch { stream: object.as_stream().ok()? }),
                }
                Some(colours)
            }
            _ if array.is_empty() => {
                let spaces = self.follow(resources?.get(b"ColorSpace").ok()?)?.as_dict().ok()?;
                self.colour_space(self.follow(spaces.get(name).ok()?)?, None, depth + 1)
            }
            _ => None,
        }
    }
}

/// A palette in a stream, not unpacked yet.
struct Stretch<'d> {
    stream: &'d Stream,
}

/// How samples become grey.
struct Colours<'d> {
    channels: usize,
    is_ink: bool,
    /// Grey of each entry.
    palette: Option<Vec<u8>>,
    lookup: Option<Stretch<'d>>,
    /// Channels of the palette's entries.
    base: usize,
}

impl Colours<'_> {
    fn grey() -> Self {
        Self { channels: 1, is_ink: false, palette: None, lookup: None, base: 0 }
    }

    fn entries(&self, bytes: &[u8]) -> Vec<u8> {
        bytes.chunks_exact(self.base.max(1)).map(luma).take(256).collect()
    }

    fn luma(&self, pixel: &[u8]) -> u8 {
        match (&self.palette, pixel) {
            (Some(palette), [index]) => palette.get(usize::from(*index)).copied().unwrap_or(255),
            (None, [ink]) if self.is_ink => 255 - ink,
            _ => luma(pixel),
        }
    }
}

/// Grey, RGB or CMYK in grey.
fn luma(pixel: &[u8]) -> u8 {
    let mix = |red: u8, green: u8, blue: u8| {
        u8::try_from((299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue)) / 1000).unwrap_or(255)
    };
    match *pixel {
        [grey] => grey,
        [red, green, blue] => mix(red, green, blue),
        [cyan, magenta, yellow, black] => mix(255 - cyan, 255 - magenta, 255 - yellow).saturating_sub(black),
        _ => 255,
    }
}

/// CCITT group 3 and 4 (table 11): 0 and 255 as the samples are before `Decode`.
fn fax(content: &[u8], image: &Image<'_>) -> Option<Vec<u8>> {
    use hayro_ccitt::{DecodeSettings, Decoder, DecoderContext, EncodingMode};
    struct Rows {
        grey: Vec<u8>,
        width: usize,
        most: usize,
    }
    impl Decoder for Rows {
        fn push_row(&mut self, changes: &[u32]) {
            if self.grey.len() >= self.most {
                return;
            }
            let start = self.grey.len();
            self.grey.resize(start + self.width, 255);
            for pair in changes.chunks(2) {
                let from = pair.first().map_or(0, |&at| at as usize).min(self.width);
                let to = pair.get(1).map_or(self.width, |&at| at as usize).min(self.width);
                self.grey[start + from..start + to.max(from)].fill(0);
            }
        }
    }
    let parameters = image.parameters();
    let get = |key: &[u8]| parameters.and_then(|parameters| image.follow(parameters.get(key).ok()?));
    let number = |key: &[u8]| get(key).and_then(|number| number.as_i64().ok());
    let flag = |key: &[u8], default| get(key).and_then(|flag| flag.as_bool().ok()).unwrap_or(default);
    let columns = u32::try_from(number(b"Columns").unwrap_or(1728)).ok()?;
    if columns != image.width {
        return None;
    }
    let settings = DecodeSettings {
        columns,
        rows: image.height,
        end_of_block: flag(b"EndOfBlock", true),
        end_of_line: flag(b"EndOfLine", false),
        rows_are_byte_aligned: flag(b"EncodedByteAlign", false),
        encoding: match number(b"K").unwrap_or(0) {
            ..0 => EncodingMode::Group4,
            0 => EncodingMode::Group3_1D,
            1.. => EncodingMode::Group3_2D,
        },
        strict: false,
    };
    let most = columns as usize * image.height as usize;
    let mut rows = Rows { grey: Vec::with_capacity(most), width: columns as usize, most };
    // What comes before a fault is there.
    let _ = hayro_ccitt::decode(content, &mut rows, &mut DecoderContext::new(settings));
    rows.grey.resize(most, 255);
    if flag(b"BlackIs1", false) {
        invert(&mut rows.grey);
    }
    Some(rows.grey)
}

/// JBIG2 (section 7.4.7), whose black is 1 and comes out as 0.
fn jbig2(content: &[u8], image: &Image<'_>, budget: &Budget<'_>) -> Option<Vec<u8>> {
    use hayro_jbig2::{DecodeSettings, Decoder, Globals, Page};
    struct Pixels(Vec<u8>);
    impl Decoder for Pixels {
        fn push_pixel(&mut self, black: bool) {
            self.0.push(if black { 0 } else { 255 });
        }
        fn push_pixel_chunk(&mut self, black: bool, chunk_count: u32) {
            self.0.resize(self.0.len() + 8 * chunk_count as usize, if black { 0 } else { 255 });
        }
        fn next_line(&mut self) {}
    }
    let globals = image.parameters().and_then(|parameters| image.follow(parameters.get(b"JBIG2Globals").ok()?));
    let globals = match globals {
        Some(globals) => Some(budget.unpack(globals.as_stream().ok()?).ok()??),
        None => None,
    };
    let settings = DecodeSettings::default();
    let globals = globals.and_then(|globals| Globals::new(&globals, &settings).ok());
    let page = Page::new_embedded(content, globals.as_ref(), &settings).ok()?;
    if (page.width(), page.height()) != (image.width, image.height) {
        return None;
    }
    let mut pixels = Pixels(Vec::with_capacity(image.width as usize * image.height as usize));
    page.decode(&mut pixels).ok()?;
    Some(pixels.0)
}

/// JPEG 2000 (section 7.4.9), which says itself what its samples are.
fn jpx(content: &[u8], budget: &Budget<'_>) -> Option<Picture> {
    use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};
    let image = Image::new(content, &DecodeSettings::default()).ok()?;
    let (width, height) = (image.width(), image.height());
    check_pixels(width, height).ok()?;
    let colours = usize::from(image.color_space().num_channels());
    let channels = colours + usize::from(image.has_alpha());
    // Components are decoded as floats.
    budget.take(u64::from(width) * u64::from(height) * channels as u64 * 4).ok()?;
    let mut context = DecoderContext::default();
    let samples = image.decode(&mut context).ok()?.data_u8();
    let grey = samples.chunks_exact(channels).map(|pixel| luma(&pixel[..colours])).collect();
    Some(Picture { width, height, grey })
}
