//! The lines of an export, one at a time.

use super::{Fault, FaultKind};
use serde::Deserialize;
use std::io::{BufRead, Read};

/// No entry is longer, in bytes: so that a file without line breaks cannot fill the memory.
const LONGEST_LINE: u64 = 64 << 20;

pub(super) struct Lines<R> {
    reader: R,
    /// 1-based number of `line`.
    pub(super) number: u64,
    /// The line without its break.
    pub(super) line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, number: 0, line: Vec::new() }
    }

    /// Moves on; `false` at the end of the file. A last line without its break was cut off.
    pub(super) fn next(&mut self) -> Result<bool, Fault> {
        self.line.clear();
        let read = self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line);
        self.number += 1;
        match read {
            Ok(0) => {
                self.number -= 1;
                Ok(false)
            }
            Ok(_) if self.line.pop_if(|byte| *byte == b'\n').is_some() => Ok(true),
            Ok(_) if self.line.starts_with(b"{") => Err(self.fault(None, FaultKind::CutOff)),
            Ok(_) => Err(self.fault(None, if self.number == 1 { FaultKind::NotAnExport } else { FaultKind::CutOff })),
            Err(error) => Err(self.fault(None, FaultKind::Unreadable(error.to_string()))),
        }
    }

    /// Whether the rest of the file has an entry with this sequence.
    pub(super) fn hold(&mut self, sequence: u64) -> Result<bool, Fault> {
        #[derive(Deserialize)]
        struct Numbered {
            sequence: u64,
        }
        while self.next()? {
            if serde_json::from_slice::<Numbered>(&self.line).is_ok_and(|entry| entry.sequence == sequence) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) const fn fault(&self, sequence: Option<u64>, kind: FaultKind) -> Fault {
        Fault { line: self.number, sequence, kind }
    }
}
