//! The offline verifier: an exported JSONL file and, if at hand, the public key. Nothing else.

mod report;

use crate::export::HeadLine;
use crate::{Entry, EventHash, Head, HeadError, PublicKey};
use jiff::Timestamp;
use serde::Deserialize;
use std::io::{BufRead, Read};

/// No entry is longer, in bytes: so that a file without line breaks cannot fill the memory.
const LONGEST_LINE: u64 = 64 << 20;

/// What an intact export shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Number of entries in the file.
    pub entries: u64,
    /// Sequence of the first entry; not 1 for an extract that was made so on purpose. `None` if there are none.
    pub first: Option<u64>,
    /// Sequence of the last entry. `None` if there are none.
    pub last: Option<u64>,
    /// When the first entry was recorded.
    pub from: Option<Timestamp>,
    /// When the last entry was recorded.
    pub to: Option<Timestamp>,
    /// The signed head.
    pub head: Head,
    /// Whether the head was checked against a key from outside. If not, only integrity against the key inside the file
    /// was shown: whoever wrote the whole file anew with a key of their own would not be found.
    pub key_given: bool,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// The line is not as it was sealed.
    Edited,
    /// Entries from this sequence up to the one before the line's are not in the file.
    Missing {
        /// The first one that is missing.
        from: u64,
    },
    /// Entries stand in another order.
    Reordered,
    /// A line that does not belong there: a sequence that was there before, or something after the head.
    Inserted,
    /// The end of the file is missing.
    CutOff,
    /// Entries are consistent among themselves but do not lead to the signed head: someone sealed them anew.
    Resealed,
    /// The head's signature does not belong to it.
    BadSignature,
    /// The head was signed by another key than the given one.
    WrongKey,
    /// The file is not an audit export in JSONL.
    NotAnExport,
    /// The file could not be read.
    Unreadable(String),
}

/// The first fault of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// 1-based line of the file.
    pub line: u64,
    /// The sequence of the entry there, as far as known.
    pub sequence: Option<u64>,
    /// What is wrong.
    pub kind: FaultKind,
}

impl std::error::Error for Fault {}

/// Checks a JSONL export to its end.
///
/// # Errors
/// The first [`Fault`].
pub fn verify(reader: impl BufRead, key: Option<&PublicKey>) -> Result<Verified, Fault> {
    let mut lines = Lines { reader, number: 0, line: Vec::new() };
    let mut chain = Chain::default();
    loop {
        if !lines.next()? {
            let kind = if lines.number == 0 { FaultKind::NotAnExport } else { FaultKind::CutOff };
            return Err(Fault { line: lines.number + 1, sequence: chain.last.map(|last| last.sequence + 1), kind });
        }
        if lines.line.starts_with(br#"{"head":"#) {
            break;
        }
        let entry = match intact(&lines.line) {
            Some(entry) => entry,
            None if lines.number == 1 && !lines.line.starts_with(br#"{"at":"#) => {
                return Err(lines.fault(None, FaultKind::NotAnExport));
            }
            None => return Err(lines.fault(chain.last.map(|last| last.sequence + 1), FaultKind::Edited)),
        };
        chain.append(&entry, &mut lines)?;
    }
    let head = head_of(&lines.line).ok_or_else(|| lines.fault(None, FaultKind::BadSignature))?;
    head.verify(key).map_err(|error| {
        let kind = match error {
            HeadError::BadSignature => FaultKind::BadSignature,
            HeadError::WrongKey => FaultKind::WrongKey,
        };
        lines.fault(None, kind)
    })?;
    chain.leads_to(&head).map_err(|(sequence, kind)| {
        let at_the_start = matches!(kind, FaultKind::Missing { .. });
        Fault { line: if at_the_start { 1 } else { lines.number }, sequence, kind }
    })?;
    if lines.next()? {
        return Err(lines.fault(None, FaultKind::Inserted));
    }
    Ok(Verified {
        entries: chain.entries,
        first: chain.first.map(|first| first.sequence),
        last: chain.last.map(|last| last.sequence),
        from: chain.first.map(|first| first.at),
        to: chain.last.map(|last| last.at),
        head,
        key_given: key.is_some(),
    })
}

/// The entry, if the line is byte for byte what was sealed.
fn intact(line: &[u8]) -> Option<Entry> {
    let entry: Entry = serde_json::from_slice(line).ok()?;
    (entry.to_json().as_bytes() == line && entry.computed_hash() == entry.hash).then_some(entry)
}

fn head_of(line: &[u8]) -> Option<Head> {
    #[derive(Deserialize)]
    struct Owned {
        head: Head,
    }
    let Owned { head } = serde_json::from_slice(line).ok()?;
    let text = HeadLine::text(&head).ok()?;
    (text.as_bytes() == line).then_some(head)
}

/// What the chain needs to remember of an entry.
#[derive(Debug, Clone, Copy)]
struct Link {
    sequence: u64,
    at: Timestamp,
    hash: EventHash,
}

#[derive(Default)]
struct Chain {
    entries: u64,
    first: Option<Link>,
    last: Option<Link>,
}

impl Chain {
    /// Takes an entry that is intact in itself.
    fn append<R: BufRead>(&mut self, entry: &Entry, lines: &mut Lines<R>) -> Result<(), Fault> {
        let link = Link { sequence: entry.sequence, at: entry.at, hash: entry.hash };
        match (self.first, self.last) {
            (Some(first), Some(last)) => {
                let expected = last.sequence.saturating_add(1);
                if entry.sequence > expected {
                    let gap = lines.fault(Some(entry.sequence), FaultKind::Missing { from: expected });
                    let comes_later = lines.hold(expected).unwrap_or(false);
                    return Err(if comes_later { Fault { kind: FaultKind::Reordered, ..gap } } else { gap });
                }
                if entry.sequence < expected {
                    let seen = entry.sequence >= first.sequence;
                    let kind = if seen { FaultKind::Inserted } else { FaultKind::Reordered };
                    return Err(lines.fault(Some(entry.sequence), kind));
                }
                if entry.previous != last.hash {
                    // This entry was sealed after another one than the one that stands there now.
                    let line = lines.number - 1;
                    return Err(Fault { line, sequence: Some(last.sequence), kind: FaultKind::Edited });
                }
            }
            _ => {
                if entry.sequence == 0 || (entry.sequence == 1) != (entry.previous == EventHash::GENESIS) {
                    return Err(lines.fault(Some(entry.sequence), FaultKind::Edited));
                }
                self.first = Some(link);
            }
        }
        self.last = Some(link);
        self.entries += 1;
        Ok(())
    }

    /// Compares with a head whose signature holds.
    fn leads_to(&self, head: &Head) -> Result<(), (Option<u64>, FaultKind)> {
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return match head.count {
                0 if head.hash == EventHash::GENESIS => Ok(()),
                0 => Err((None, FaultKind::Resealed)),
                _ => Err((Some(head.first), FaultKind::CutOff)),
            };
        };
        if first.sequence > head.first {
            return Err((Some(first.sequence), FaultKind::Missing { from: head.first }));
        }
        if first.sequence < head.first {
            return Err((Some(first.sequence), FaultKind::Inserted));
        }
        match last.sequence.cmp(&head.count) {
            std::cmp::Ordering::Less => Err((Some(last.sequence + 1), FaultKind::CutOff)),
            std::cmp::Ordering::Greater => Err((Some(head.count + 1), FaultKind::Inserted)),
            std::cmp::Ordering::Equal if last.hash != head.hash => Err((Some(last.sequence), FaultKind::Resealed)),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }
}

struct Lines<R> {
    reader: R,
    /// 1-based number of `line`.
    number: u64,
    /// The line without its break.
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Moves on; `false` at the end of the file. A last line without its break was cut off.
    fn next(&mut self) -> Result<bool, Fault> {
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
    fn hold(&mut self, sequence: u64) -> Result<bool, Fault> {
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

    fn fault(&self, sequence: Option<u64>, kind: FaultKind) -> Fault {
        Fault { line: self.number, sequence, kind }
    }
}

#[cfg(test)]
mod tests;
