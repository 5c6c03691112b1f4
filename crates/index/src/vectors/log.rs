//! The vectors as they came: what the embedding model computed at great cost, kept so that a restart need not compute it
//! again, and what the last candidates of a search are compared with.
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
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"CARRELVF";
/// Grows with every change of this file, of the analysis or of the full-text schema: all are rebuilt together.
const VERSION: u32 = 2;
const HEADER_BYTES: usize = 24;
const CHECK_BYTES: usize = 8;

/// The records of a log, to be read side by side.
#[derive(Clone)]
pub(crate) struct Records {
    file: Arc<File>,
    path: PathBuf,
    dimension: usize,
}

/// A log that can grow.
pub(crate) struct Log {
    records: Records,
    /// Records in the file, dead and damaged ones included. What lies behind them was never finished.
    count: usize,
    /// Number of the next record.
    next: u64,
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

const fn record_bytes(dimension: usize) -> usize {
    8 + dimension * 4 + CHECK_BYTES
}

/// Values from little-endian bytes.
fn values(bytes: &[u8], vector: &mut Vec<f32>) {
    vector.clear();
    vector.extend(bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap_or_default())));
}

impl Records {
    /// Reads the vector of a record into `vector`. Records were checked when the log was opened.
    pub(crate) fn read(&self, record: usize, bytes: &mut Vec<u8>, vector: &mut Vec<f32>) -> Result<(), IndexError> {
        bytes.resize(self.dimension * 4, 0);
        let start = HEADER_BYTES + record * record_bytes(self.dimension) + 8;
        self.file.read_exact_at(bytes, start as u64).map_err(IndexError::file(&self.path))?;
        values(bytes, vector);
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Log {
    /// Puts an empty log at `path`; its first record will be `first`.
    pub(crate) fn create(path: &Path, dimension: usize, first: u64) -> Result<Self, IndexError> {
        let log = Self::replace(path, dimension, std::iter::empty())?;
        Ok(Self { next: first, ..log })
    }

    /// Opens a log whose numbers begin with `first` or later, and hands each record to `visit`, numbers ascending; a damaged
    /// one without its vector and with a number that may not be its own.
    pub(crate) fn open(
        path: &Path,
        dimension: usize,
        first: u64,
        mut visit: impl FnMut(u64, Option<&[f32]>),
    ) -> Result<Self, IndexError> {
        let failed = || IndexError::file(path);
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed())?;
        let length = file.metadata().map_err(failed())?.len();
        let mut reader = BufReader::with_capacity(1 << 20, &file);

        let mut found = vec![0; HEADER_BYTES.min(length as usize)];
        reader.read_exact(&mut found).map_err(failed())?;
        if found != header(dimension) {
            let directory = path.parent().and_then(Path::parent).unwrap_or(path);
            let reason =
                "its vector file is cut short, or was written by another version or for another embedding model";
            return Err(IndexError::damaged(directory, reason));
        }
        let mut bytes = vec![0; record_bytes(dimension)];
        let mut vector = Vec::with_capacity(dimension);
        let (mut next, mut count) = (first, 0);
        while (HEADER_BYTES + (count + 1) * bytes.len()) as u64 <= length {
            reader.read_exact(&mut bytes).map_err(failed())?;
            let (body, found) = bytes.split_at(bytes.len() - CHECK_BYTES);
            let (number, stored) = body.split_at(8);
            let number = u64::from_le_bytes(number.try_into().unwrap_or_default());
            // A torn record belongs to a change that never held, or the passage that names it finds it missing.
            if check(body) == found && number >= next {
                values(stored, &mut vector);
                visit(number, Some(&vector));
                next = number + 1;
            } else {
                visit(next, None);
                next += 1;
            }
            count += 1;
        }
        let records = Records { file: Arc::new(file), path: path.to_path_buf(), dimension };
        Ok(Self { records, count, next })
    }

    pub(crate) fn records(&self) -> &Records {
        &self.records
    }

    /// Number that the next record gets.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Appends records numbered from [`Log::next`] on, durably.
    pub(crate) fn append<'a>(&mut self, vectors: impl Iterator<Item = &'a [f32]>) -> Result<(), IndexError> {
        let Records { file, path, dimension } = &self.records;
        let failed = || IndexError::file(path);
        let end = HEADER_BYTES + self.count * record_bytes(*dimension);
        let mut file: &File = file;
        file.seek(SeekFrom::Start(end as u64)).map_err(failed())?;
        let mut writer = BufWriter::with_capacity(1 << 20, file);
        let mut bytes = Vec::with_capacity(record_bytes(*dimension));
        let mut number = self.next;
        for vector in vectors {
            record(number, vector, &mut bytes);
            writer.write_all(&bytes).map_err(failed())?;
            number += 1;
        }
        writer.flush().map_err(failed())?;
        drop(writer);
        if number > self.next {
            file.sync_data().map_err(failed())?;
        }
        // Only now: after a failure the next append writes over what is left of this one.
        self.count += (number - self.next) as usize;
        self.next = number;
        Ok(())
    }

    /// Puts a log with only these records, numbers ascending, in the place of the one at `path`.
    pub(crate) fn replace(
        path: &Path,
        dimension: usize,
        vectors: impl Iterator<Item = Result<(u64, Vec<f32>), IndexError>>,
    ) -> Result<Self, IndexError> {
        let (mut count, mut next) = (0, 0);
        let file = write_whole(path, |writer| {
            writer.write_all(&header(dimension)).map_err(IndexError::file(path))?;
            let mut bytes = Vec::with_capacity(record_bytes(dimension));
            for vector in vectors {
                let (number, vector) = vector?;
                record(number, &vector, &mut bytes);
                writer.write_all(&bytes).map_err(IndexError::file(path))?;
                (count, next) = (count + 1, number + 1);
            }
            Ok(())
        })?;
        Ok(Self { records: Records { file: Arc::new(file), path: path.to_path_buf(), dimension }, count, next })
    }

    /// The same, whose next record gets a number of at least `next`.
    pub(crate) fn going_on_from(self, next: u64) -> Self {
        Self { next: self.next.max(next), ..self }
    }
}

/// Writes a whole new file and renames it into place, so that at any moment the old or the new one is there, complete.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), IndexError>,
) -> Result<File, IndexError> {
    let failed = || IndexError::file(path);
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(true).open(&new).map_err(failed())?;
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    write(&mut writer)?;
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
    Ok(file)
}
