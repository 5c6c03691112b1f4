//! The vector file: what the embedding model computed at great cost, kept so that a restart need not compute it again.
//!
//! ```text
//! header   magic "CARRELVF" · version u32 · dimension u32 · BLAKE3 of these 16 bytes, first 8
//! record   number u64 · dimension × f32 · BLAKE3 of these bytes, first 8
//! ```
//! All little-endian. Numbers ascend and are never given twice, so a record that no committed passage names (its
//! change was cut off, or its passage is gone) is dead and nothing else. Records are only ever appended; a
//! compaction writes the living ones into a new file and renames it over the old one.

use crate::IndexError;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"CARRELVF";
/// Grows with every change of this file, of the analysis or of the full-text schema: all are rebuilt together.
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 24;
const CHECK_BYTES: usize = 8;
/// A compaction is due from so many dead records on, if they are this share of all.
const DEAD: (usize, f64) = (1_024, 0.3);

pub(crate) struct VectorFile {
    path: PathBuf,
    file: File,
    dimension: usize,
    /// Number of the next record.
    next: u64,
    /// Records in the file, dead ones included.
    records: usize,
    /// Where the next one will stand. What lies behind it was never finished.
    end: u64,
}

fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&blake3::hash(bytes).as_bytes()[..CHECK_BYTES]);
    check
}

fn header(dimension: usize) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&(dimension as u32).to_le_bytes());
    header.extend_from_slice(&check(&header));
    header
}

fn record(number: u64, vector: &[f32], record: &mut Vec<u8>) {
    record.clear();
    record.extend_from_slice(&number.to_le_bytes());
    vector.iter().for_each(|value| record.extend_from_slice(&value.to_le_bytes()));
    record.extend_from_slice(&check(record));
}

impl VectorFile {
    /// Opens the file, or creates an empty one, and hands each intact record to `visit`, numbers ascending.
    pub(crate) fn open(path: &Path, dimension: usize, mut visit: impl FnMut(u64, &[f32])) -> Result<Self, IndexError> {
        let failed = || IndexError::file(path);
        if !path.try_exists().map_err(failed())? {
            replace(path, dimension, std::iter::empty())?;
        }
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed())?;
        let length = file.metadata().map_err(failed())?.len();
        let mut reader = BufReader::with_capacity(1 << 20, &file);

        let directory = path.parent().unwrap_or(path);
        let mut found = vec![0; HEADER_BYTES.min(length as usize)];
        reader.read_exact(&mut found).map_err(failed())?;
        if found != header(dimension) {
            let reason =
                "its vector file is cut short, or was written by another version or for another embedding model";
            return Err(IndexError::damaged(directory, reason));
        }

        let mut bytes = vec![0; Self::record_bytes(dimension)];
        let mut vector = vec![0.0_f32; dimension];
        let (mut next, mut records, mut end) = (0, 0, HEADER_BYTES as u64);
        while end + bytes.len() as u64 <= length {
            reader.read_exact(&mut bytes).map_err(failed())?;
            let (body, found) = bytes.split_at(bytes.len() - CHECK_BYTES);
            let (number, values) = body.split_at(8);
            let number = u64::from_le_bytes(number.try_into().unwrap_or_default());
            // A torn record belongs to a change that never held, or the passage that names it finds it missing.
            if check(body) == found && number >= next {
                for (value, bytes) in vector.iter_mut().zip(values.chunks_exact(4)) {
                    *value = f32::from_le_bytes(bytes.try_into().unwrap_or_default());
                }
                visit(number, &vector);
                next = number + 1;
            }
            records += 1;
            end += bytes.len() as u64;
        }
        Ok(Self { path: path.to_path_buf(), file, dimension, next, records, end })
    }

    const fn record_bytes(dimension: usize) -> usize {
        8 + dimension * 4 + CHECK_BYTES
    }

    /// Number that the next record gets.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Appends records numbered from [`VectorFile::next`] on, durably.
    pub(crate) fn append<'a>(&mut self, vectors: impl Iterator<Item = &'a [f32]>) -> Result<(), IndexError> {
        let failed = || IndexError::file(&self.path);
        let (mut number, mut end) = (self.next, self.end);
        self.file.seek(SeekFrom::Start(end)).map_err(failed())?;
        let mut writer = BufWriter::with_capacity(1 << 20, &self.file);
        let mut bytes = Vec::with_capacity(Self::record_bytes(self.dimension));
        for vector in vectors {
            record(number, vector, &mut bytes);
            writer.write_all(&bytes).map_err(failed())?;
            number += 1;
            end += bytes.len() as u64;
        }
        writer.flush().map_err(failed())?;
        drop(writer);
        if number > self.next {
            self.file.sync_data().map_err(failed())?;
        }
        // Only now: after a failure the next append writes over what is left of this one.
        self.records += (number - self.next) as usize;
        (self.next, self.end) = (number, end);
        Ok(())
    }

    /// Whether so many records are dead, `alive` of them being alive, that a compaction is worth its cost.
    pub(crate) fn is_wasteful(&self, alive: usize) -> bool {
        let dead = self.records.saturating_sub(alive);
        dead >= DEAD.0 && dead as f64 > DEAD.1 * self.records as f64
    }

    /// Puts a file with only these records, numbers ascending, in the place of this one.
    pub(crate) fn compact<'a>(&mut self, living: impl Iterator<Item = (u64, &'a [f32])>) -> Result<(), IndexError> {
        (self.file, self.records) = replace(&self.path, self.dimension, living)?;
        self.end = (HEADER_BYTES + self.records * Self::record_bytes(self.dimension)) as u64;
        Ok(())
    }
}

/// Writes a whole new file and renames it into place, so that at any moment one of the two is there, complete.
fn replace<'a>(
    path: &Path,
    dimension: usize,
    vectors: impl Iterator<Item = (u64, &'a [f32])>,
) -> Result<(File, usize), IndexError> {
    let failed = || IndexError::file(path);
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(true).open(&new).map_err(failed())?;
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    let mut records = 0;
    writer.write_all(&header(dimension)).map_err(failed())?;
    let mut bytes = Vec::with_capacity(VectorFile::record_bytes(dimension));
    for (number, vector) in vectors {
        record(number, vector, &mut bytes);
        writer.write_all(&bytes).map_err(failed())?;
        records += 1;
    }
    let file = writer.into_inner().map_err(|error| IndexError::file(path)(error.into_error()))?;
    file.sync_all().map_err(failed())?;
    std::fs::rename(&new, path).map_err(failed())?;
    if let Some(directory) = path.parent() {
        // The new file is in place now, whatever this says; after a power failure the old one could come back, and
        // then the next start finds the index damaged.
        if let Err(error) = File::open(directory).and_then(|directory| directory.sync_all()) {
            tracing::warn!(%error, path = %path.display(), "a new vector file may not outlive a power failure");
        }
    }
    Ok((file, records))
}
