//! Unpacks streams under limits.

use super::content::unhex;
use crate::{ExtractError, Limits};
use flate2::read::ZlibDecoder;
use pdf_extract::{Dictionary, Object, Stream};
use std::borrow::Cow;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How much more an LZW stream can unpack to than it holds: a code of 9 to 12 bits stands for at most 3,837 bytes.
const LZW_RATIO: u64 = 3_837;

/// What may still be unpacked from this file, by all who read its pages together.
pub(super) struct Budget<'a> {
    limits: &'a Limits,
    unpacked: AtomicU64,
    text: AtomicU64,
}

impl<'a> Budget<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self { limits, unpacked: AtomicU64::new(0), text: AtomicU64::new(0) }
    }

    pub(super) fn left(&self) -> u64 {
        self.limits.unpacked_bytes.saturating_sub(self.unpacked.load(Relaxed))
    }

    // No sum here can wrap: each part is bounded by what is in memory, and the first one beyond the limit is the last.
    pub(super) fn take(&self, bytes: u64) -> Result<(), ExtractError> {
        self.limits.check_unpacked(self.unpacked.fetch_add(bytes, Relaxed).saturating_add(bytes))
    }

    pub(super) fn text_left(&self) -> u64 {
        self.limits.text_bytes.saturating_sub(self.text.load(Relaxed))
    }

    pub(super) fn take_text(&self, bytes: u64) -> Result<(), ExtractError> {
        self.limits.check_text(self.text.fetch_add(bytes, Relaxed).saturating_add(bytes))
    }

    /// The content of a stream without its filters. `Ok(None)`: by a filter for pictures, or damaged.
    pub(super) fn unpack(&self, stream: &Stream) -> Result<Option<Vec<u8>>, ExtractError> {
        let filters: Vec<Vec<u8>> =
            stream.filters().map(|filters| filters.iter().map(|filter| filter.to_vec()).collect()).unwrap_or_default();
        let mut content = Cow::Borrowed(stream.content.as_slice());
        if filters.is_empty() {
            self.take(content.len() as u64)?;
        }
        // One filter at a time, so that each can be measured before or while it is run.
        for (place, filter) in filters.iter().enumerate() {
            let parameters = parameters(&stream.dict, place);
            let next = match filter.as_slice() {
                b"FlateDecode" | b"Fl" if !has_predictor(parameters) => {
                    let unpacked = inflate(&content, self.left());
                    self.take(unpacked.len() as u64)?;
                    unpacked
                }
                b"ASCIIHexDecode" | b"AHx" => {
                    self.take(content.len() as u64 / 2)?;
                    unhex(content.split(|&byte| byte == b'>').next().unwrap_or_default())
                }
                filter => {
                    let (filter, bytes) = match filter {
                        b"FlateDecode" | b"Fl" => ("FlateDecode", inflated_size(&content, self.left())),
                        b"LZWDecode" | b"LZW" => {
                            ("LZWDecode", (content.len() as u64).saturating_mul(LZW_RATIO).min(self.left()))
                        }
                        b"ASCII85Decode" | b"A85" => ("ASCII85Decode", (content.len() as u64).saturating_mul(4)),
                        _ => return Ok(None),
                    };
                    self.take(bytes)?;
                    let mut dictionary = Dictionary::new();
                    dictionary.set("Filter", Object::Name(filter.as_bytes().to_vec()));
                    if let Some(parameters) = parameters {
                        dictionary.set("DecodeParms", parameters.clone());
                    }
                    let unpacked = Stream::new(dictionary, content.into_owned()).decompressed_content();
                    let Ok(unpacked) = unpacked else { return Ok(None) };
                    unpacked
                }
            };
            content = Cow::Owned(next);
        }
        Ok(Some(content.into_owned()))
    }
}

fn has_predictor(parameters: Option<&Object>) -> bool {
    let predictor = parameters.and_then(|parameters| parameters.as_dict().ok()?.get(b"Predictor").ok()?.as_i64().ok());
    predictor.is_some_and(|predictor| predictor > 1)
}

/// Unpacks a zlib stream as far as it is whole, and no further than one byte beyond `most`.
fn inflate(content: &[u8], most: u64) -> Vec<u8> {
    let mut unpacked = Vec::with_capacity(content.len().saturating_mul(3));
    // What comes before the damage is kept.
    let _ = ZlibDecoder::new(content).take(most.saturating_add(1)).read_to_end(&mut unpacked);
    unpacked
}

fn parameters(dictionary: &Dictionary, place: usize) -> Option<&Object> {
    match dictionary.get(b"DecodeParms").ok()? {
        Object::Array(all) => all.get(place).filter(|object| object.as_dict().is_ok()),
        object => Some(object),
    }
}

/// How many bytes a zlib stream holds, counting no further than one beyond `most`.
fn inflated_size(content: &[u8], most: u64) -> u64 {
    let mut counted = 0_u64;
    let mut decoder = ZlibDecoder::new(content).take(most.saturating_add(1));
    let mut buffer = [0; 16 << 10];
    // A damaged stream ends here where it will end when it is unpacked.
    while let Ok(read @ 1..) = decoder.read(&mut buffer) {
        counted += read as u64;
    }
    counted
}

/// Loading unpacks the streams that hold objects and cross references without any limit. So what they unpack to is
/// measured before, from the raw bytes.
pub(super) fn check_before_loading(bytes: &[u8], limits: &Limits) -> Result<(), ExtractError> {
    let mut unpacked = 0_u64;
    let mut from = 0;
    while let Some(found) = find(&bytes[from..], b"stream") {
        let at = from + found;
        from = at + b"stream".len();
        if bytes[..at].ends_with(b"end") {
            continue;
        }
        let dictionary = dictionary_before(&bytes[..at]);
        let has = |name: &[u8]| find(dictionary, name).is_some();
        // Names may be written with escapes (`#53`), so whatever hides its name is measured, too.
        let is_plain = !has(b"#") && !has(b"ObjStm") && !has(b"XRef");
        if is_plain {
            continue;
        }
        let mut content = &bytes[from..];
        content = content.strip_prefix(b"\r").unwrap_or(content);
        content = content.strip_prefix(b"\n").unwrap_or(content);
        let is_known = !has(b"LZW")
            && !has(b"ASCII")
            && dictionary.windows(11).filter(|window| window == b"FlateDecode").count() <= 1;
        if (has(b"ObjStm") || has(b"XRef")) && !is_known {
            return Err(ExtractError::damaged("its objects are packed in an unusual way"));
        }
        unpacked = unpacked.saturating_add(nested_size(content, limits.unpacked_bytes.saturating_sub(unpacked)));
        limits.check_unpacked(unpacked)?;
    }
    Ok(())
}

/// The size after unpacking, and again if what comes out looks packed.
fn nested_size(content: &[u8], most: u64) -> u64 {
    const LAYERS: usize = 3;
    let mut size = inflated_size(content, most);
    let mut layer: Box<dyn Read + '_> = Box::new(ZlibDecoder::new(content));
    for _ in 0..LAYERS {
        let mut head = [0; 2];
        if layer.read_exact(&mut head).is_err() || head[0] & 0x0f != 8 || u16::from_be_bytes(head) % 31 != 0 {
            break;
        }
        let mut inner = ZlibDecoder::new(std::io::Cursor::new(head).chain(layer)).take(most.saturating_add(1));
        let mut buffer = [0; 16 << 10];
        let mut inner_size = 0_u64;
        let mut first = Vec::new();
        while let Ok(read @ 1..) = inner.read(&mut buffer) {
            if first.len() < 1 << 20 {
                first.extend_from_slice(&buffer[..read]);
            }
            inner_size += read as u64;
        }
        size = size.saturating_add(inner_size);
        layer = Box::new(std::io::Cursor::new(first));
    }
    size
}

/// The bytes between the start of the object and its `stream` keyword.
fn dictionary_before(bytes: &[u8]) -> &[u8] {
    const LONGEST: usize = 4 << 10;
    let window = &bytes[bytes.len().saturating_sub(LONGEST)..];
    let start = window.windows(4).rposition(|four| four == b" obj").unwrap_or(0);
    &window[start..]
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    let first = *word.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|&byte| byte == first) {
        if bytes[from + at..].starts_with(word) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}
