//! What the verifier says, in words.

use super::{Fault, FaultKind, Verified};
use std::fmt;

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = &self.head;
        match (self.first, self.last, self.from, self.to) {
            (Some(first), Some(last), Some(from), Some(to)) => {
                write!(f, "intact: {} entries, {first} to {last}, {from} to {to}", self.entries)?;
            }
            _ => f.write_str("intact: no entries")?,
        }
        if let Some(first) = self.first.filter(|first| *first > 1) {
            write!(f, "; an extract: the {} entries before are not in this file", first - 1)?;
        }
        if let Some(since) = self.since {
            write!(f, "; complete from the kept head (after entry {since}) to its own")?;
        }
        if self.purged > 0 {
            write!(
                f,
                "; of {} entries the content was purged by the rules of retention, their hashes are in place",
                self.purged
            )?;
        }
        if self.rotations > 0 {
            write!(f, "; the signing key was changed {} times", self.rotations)?;
        }
        write!(f, "; head signed {} with key {}", head.at, head.public_key)?;
        if self.key_given {
            f.write_str(", which is the given key")
        } else {
            f.write_str(
                "; no key was given: this shows only that the file agrees with the key inside it, not who wrote it",
            )
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(sequence) = self.sequence {
            write!(f, ", entry {sequence}")?;
        }
        f.write_str(": ")?;
        match &self.kind {
            FaultKind::Edited => f.write_str("edited: it is not as it was sealed"),
            FaultKind::Missing { from } => match self.sequence {
                Some(next) if next == from + 1 => write!(f, "missing: entry {from} is not in the file"),
                Some(next) => write!(f, "missing: entries {from} to {} are not in the file", next - 1),
                None => write!(f, "missing: entries from {from} on are not in the file"),
            },
            FaultKind::Reordered => f.write_str("reordered: it does not stand in its place"),
            FaultKind::Inserted => f.write_str("inserted: it does not belong there"),
            FaultKind::CutOff => f.write_str("cut off: the end of the file is missing"),
            FaultKind::Resealed => f.write_str("sealed anew: the entries do not lead to the signed head"),
            FaultKind::BadSignature => f.write_str("bad signature: the head is not as it was signed"),
            FaultKind::WrongKey => f.write_str("wrong key: the head was signed with another key than the given one"),
            FaultKind::GoneWithoutRecord => {
                f.write_str("edited: its content is gone, and no event of purging names it")
            }
            FaultKind::OlderThanKept { size } => {
                write!(f, "cut off, or an older file: the kept head knows {size} entries, this file ends before")
            }
            FaultKind::Diverged => {
                f.write_str("another history: the entries up to the kept head are not the ones that it was signed over")
            }
            FaultKind::KeptIsForged => {
                f.write_str("the kept head is not signed by this appliance, or the file is of another one")
            }
            FaultKind::NotAnExport => f.write_str("not an audit export in jsonl form"),
            FaultKind::Unreadable(why) => write!(f, "the file could not be read: {why}"),
        }
    }
}
