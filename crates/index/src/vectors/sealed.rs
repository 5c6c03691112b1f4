//! What is computed from a log that no longer grows: its codes, cluster by cluster, in one file that is mapped.
//!
//! ```text
//! header   magic "CARRELVC" · version u32 · dimension u32 · rows u32 · clusters u32
//! numbers  rows × u64, as in the log
//! records  rows × u32: which record stands at each place
//! scales   rows × f32, place by place
//! centres  clusters × (end u32 · scale f32 · dimension × i16)
//! codes    rows × dimension bytes, place by place
//! check    BLAKE3 of all before, 32 bytes
//! ```
//! All little-endian. It can be lost: what is missing, cut short or for another log is computed anew.

use super::clusters::{Codes, cluster};
use super::codes::Question;
use super::log::write_whole;
use super::map::Map;
use crate::IndexError;
use std::fs::File;
use std::io::Write;
use std::path::Path;

const MAGIC: &[u8; 8] = b"CARRELVC";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 24;
const CHECK_BYTES: usize = 32;

/// Codes in the order of their clusters.
pub(crate) struct Sealed {
    pub(crate) numbers: Vec<u64>,
    /// Place → record.
    pub(crate) records: Vec<u32>,
    pub(crate) scales: Vec<f32>,
    /// Each cluster's centre and where it ends.
    pub(crate) clusters: Vec<(Question, usize)>,
    map: Map,
    codes: std::ops::Range<usize>,
}

impl Sealed {
    /// Clusters the codes of a log, record by record, and writes them to `path`.
    pub(crate) fn write(path: &Path, numbers: &[u64], codes: Codes<'_>) -> Result<Self, IndexError> {
        let (centres, nearest) = cluster(codes);
        let mut records: Vec<u32> = (0..nearest.len() as u32).collect();
        records.sort_by_key(|record| nearest[*record as usize]);
        let mut ends = vec![0_u32; centres.len()];
        nearest.iter().for_each(|centre| ends[*centre as usize] += 1);
        let mut end = 0;
        ends.iter_mut().for_each(|count| {
            end += *count;
            *count = end;
        });

        let mut bytes = MAGIC.to_vec();
        for number in [VERSION, codes.dimension as u32, records.len() as u32, centres.len() as u32] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        records.iter().for_each(|record| bytes.extend_from_slice(&record.to_le_bytes()));
        records.iter().for_each(|record| bytes.extend_from_slice(&codes.scales[*record as usize].to_le_bytes()));
        for (centre, end) in centres.iter().zip(ends) {
            bytes.extend_from_slice(&end.to_le_bytes());
            bytes.extend_from_slice(&centre.scale.to_le_bytes());
            centre.values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        }
        records.iter().for_each(|record| bytes.extend_from_slice(codes.code(*record as usize)));
        let check = *blake3::hash(&bytes).as_bytes();
        bytes.extend_from_slice(&check);
        write_whole(path, |file| file.write_all(&bytes).map_err(IndexError::file(path)))?;
        Self::read(path, codes.dimension)?
            .ok_or_else(|| IndexError::damaged(path, "a file of codes changed while it was written"))
    }

    /// Maps the file; `None` when it is not there or cannot be used.
    pub(crate) fn read(path: &Path, dimension: usize) -> Result<Option<Self>, IndexError> {
        if !path.try_exists().map_err(IndexError::file(path))? {
            return Ok(None);
        }
        let file = File::open(path).map_err(IndexError::file(path))?;
        let map = Map::of(&file).map_err(IndexError::file(path))?;
        Ok(parse(map, dimension))
    }

    /// The codes of these places.
    pub(crate) fn codes(&self) -> &[u8] {
        &self.map[self.codes.clone()]
    }
}

fn parse(map: Map, dimension: usize) -> Option<Sealed> {
    let (body, check) = map.split_at_checked(map.len().checked_sub(CHECK_BYTES)?)?;
    if blake3::hash(body).as_bytes() != check {
        return None;
    }
    let mut cursor = Cursor { bytes: body, at: 0 };
    let is_ours = cursor.take(8)? == MAGIC && cursor.number()? == VERSION && cursor.number()? as usize == dimension;
    let (rows, clusters) = (cursor.number()? as usize, cursor.number()? as usize);
    if !is_ours || cursor.at != HEADER_BYTES {
        return None;
    }
    let eight = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap_or_default());
    let four = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap_or_default());
    let numbers = cursor.take(rows.checked_mul(8)?)?.chunks_exact(8).map(eight).collect();
    let records: Vec<u32> = cursor.take(rows.checked_mul(4)?)?.chunks_exact(4).map(four).collect();
    let scales = cursor.take(rows * 4)?.chunks_exact(4).map(|bytes| f32::from_bits(four(bytes))).collect();
    let mut centres = Vec::new();
    for _ in 0..clusters {
        let (end, scale) = (cursor.number()? as usize, f32::from_bits(cursor.number()?));
        let two = |bytes: &[u8]| i16::from_le_bytes(bytes.try_into().unwrap_or_default());
        let values = cursor.take(dimension * 2)?.chunks_exact(2).map(two).collect();
        centres.push((Question { values, scale }, end));
    }
    let start = cursor.at;
    cursor.take(rows.checked_mul(dimension)?)?;
    let codes = start..cursor.at;
    // The check says that we wrote it; this, that what was written makes sense.
    let in_order = centres.is_sorted_by_key(|(_, end)| *end) && centres.last().map_or(0, |(_, end)| *end) == rows;
    let is_whole = cursor.at == body.len() && in_order && records.iter().all(|record| (*record as usize) < rows);
    is_whole.then_some(Sealed { numbers, records, scales, clusters: centres, map, codes })
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
}
