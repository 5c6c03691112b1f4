//! Archives: every file in them goes to the host, under limits on what really comes out of them.

pub(crate) mod gzip;
pub(crate) mod tar;
pub(crate) mod zip;

use crate::{Child, ExtractError, Extracted, Host, Limits, names};
use std::io::{ErrorKind, Read};

/// A file that grows more than this is a bomb, if it grows beyond [`DENSE_BYTES`]. Deflate reaches 1032.
const DENSE_RATIO: u64 = 500;

/// Below this, it may grow as much as it likes.
const DENSE_BYTES: u64 = 16 << 20;

/// How many warnings name a file.
const WARNINGS: usize = 50;

/// What came out of an entry.
enum Inflated {
    Whole(Vec<u8>),
    /// It is damaged.
    Broken,
    /// It grows without end.
    Dense,
}

/// An archive while its files are taken out.
pub(crate) struct Unpacking<'a> {
    limits: &'a Limits,
    host: &'a mut dyn Host,
    /// Bytes that came out so far, of lost entries too.
    unpacked: u64,
    entries: usize,
    files: usize,
    is_encrypted: bool,
    warnings: Vec<String>,
    unnamed_warnings: usize,
}

impl<'a> Unpacking<'a> {
    fn new(limits: &'a Limits, host: &'a mut dyn Host) -> Self {
        let warnings = Vec::new();
        Self { limits, host, unpacked: 0, entries: 0, files: 0, is_encrypted: false, warnings, unnamed_warnings: 0 }
    }

    /// Counts an entry of whatever kind.
    fn count(&mut self) -> Result<(), ExtractError> {
        self.entries += 1;
        self.limits.check_entries(self.entries)
    }

    /// The name under which a file goes to the host; `None` for one that stays behind.
    fn name(&mut self, name: &str) -> Option<String> {
        let Some(path) = names::path(name) else {
            self.warn(name, "leads out of the archive and was left out");
            return None;
        };
        (!names::is_left_behind(&path)).then_some(path)
    }

    /// Unpacks a file of `packed` bytes and gives it to the host. A damaged one costs only itself.
    fn take(&mut self, name: String, reader: &mut dyn Read, packed: u64) -> Result<(), ExtractError> {
        match self.inflate(reader, packed)? {
            Inflated::Whole(bytes) => self.give(name, bytes),
            Inflated::Broken => {
                self.warn(&name, "is damaged and was left out");
                Ok(())
            }
            Inflated::Dense => {
                self.warn(&name, "unpacks to far more than a document would and was left out");
                Ok(())
            }
        }
    }

    /// Gives a file to the host; an empty one says nothing.
    fn give(&mut self, name: String, bytes: Vec<u8>) -> Result<(), ExtractError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.files += 1;
        self.host.child(Child { name, bytes })
    }

    /// Reads to the end. Declared sizes can lie: what counts is how much really comes out.
    fn inflate(&mut self, reader: &mut dyn Read, packed: u64) -> Result<Inflated, ExtractError> {
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 64 << 10];
        loop {
            let count = match reader.read(&mut chunk) {
                Ok(0) => return Ok(Inflated::Whole(bytes)),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Ok(Inflated::Broken),
            };
            self.unpacked += count as u64;
            self.limits.check_unpacked(self.unpacked)?;
            bytes.extend_from_slice(&chunk[..count]);
            let grown = bytes.len() as u64;
            if grown > DENSE_BYTES && grown / DENSE_RATIO > packed {
                return Ok(Inflated::Dense);
            }
        }
    }

    fn encrypted(&mut self, name: &str) {
        self.is_encrypted = true;
        self.warn(name, "is encrypted and was left out");
    }

    fn warn(&mut self, name: &str, what: &str) {
        if self.warnings.len() < WARNINGS {
            let name: String = crate::blocks::running(name).chars().take(200).collect();
            self.warnings.push(format!("{name} {what}"));
        } else {
            self.unnamed_warnings += 1;
        }
    }

    /// What is known of the archive itself.
    ///
    /// # Errors
    /// [`ExtractError::NoText`] or [`ExtractError::Encrypted`] if no file came out.
    fn finish(mut self) -> Result<Extracted, ExtractError> {
        if self.files == 0 {
            return Err(match () {
                () if self.is_encrypted => ExtractError::Encrypted,
                () if self.warnings.is_empty() => ExtractError::NoText { reason: "there are no files in the archive" },
                () => ExtractError::NoText {
                    reason: "no file in the archive could be unpacked; unpack it and bring the files in it",
                },
            });
        }
        if self.unnamed_warnings > 0 {
            self.warnings.push(format!("{} more files were left out", self.unnamed_warnings));
        }
        Ok(Extracted { warnings: self.warnings, ..Extracted::default() })
    }
}
