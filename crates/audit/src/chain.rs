//! The hash chain.

use crate::{Event, EventHash};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{self, Write};

/// One event in its place in the chain. Serialising gives canonical JSON (see [`crate::canonical`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When it was recorded, to the millisecond.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
    /// SHA-256 over the canonical JSON of this entry without this field.
    pub hash: EventHash,
    /// The hash of the entry before, or [`EventHash::GENESIS`].
    pub previous: EventHash,
    /// 1 for the first entry ever, then without gaps.
    pub sequence: u64,
}

/// What the hash covers: an [`Entry`] without its hash, fields in alphabetical order.
#[derive(Serialize)]
struct Sealed<'a> {
    at: Timestamp,
    event: &'a Event,
    previous: EventHash,
    sequence: u64,
}

impl Entry {
    /// The entry as one line of canonical JSON, without the line break.
    ///
    /// # Panics
    /// Never: all parts can be written as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut line = Vec::with_capacity(640);
        write_json(self, &mut line);
        String::from_utf8(line).unwrap_or_default()
    }

    /// The hash that the entry's contents demand; equal to `hash` unless someone changed the entry.
    #[must_use]
    pub fn computed_hash(&self) -> EventHash {
        hash_of(&Sealed { at: self.at, event: &self.event, previous: self.previous, sequence: self.sequence })
    }
}

/// Gives `event` its place after the entry whose hash is `previous`. `at` is cut to the millisecond, and numbers in
/// the detail are made exact (see [`crate::canonical::exact`]).
#[must_use]
pub fn seal(previous: EventHash, sequence: u64, at: Timestamp, mut event: Event) -> Entry {
    let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
    event.detail = crate::canonical::exact(event.detail);
    let hash = hash_of(&Sealed { at, event: &event, previous, sequence });
    Entry { at, event, hash, previous, sequence }
}

fn hash_of(sealed: &Sealed<'_>) -> EventHash {
    struct Hashing(Sha256);
    impl Write for Hashing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hashing = Hashing(Sha256::new());
    write_json(sealed, &mut hashing);
    <[u8; 32]>::from(hashing.0.finalize()).into()
}

/// Writes to memory, which cannot fail: the types here have string keys and no fallible parts.
fn write_json(value: &impl Serialize, out: &mut impl Write) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "an entry can always be written: {written:?}");
}

/// What is left of an entry whose content was purged: its place and the two hashes that bind it to its neighbours. Only an
/// `audit.purged` event of the same chain makes such a line valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purged {
    /// The hash of the entry that stood here.
    pub hash: EventHash,
    /// The hash of the entry before.
    pub previous: EventHash,
    /// Always `true`: tells such a line from an entry.
    pub purged: bool,
    /// Its place in the chain.
    pub sequence: u64,
}

impl Purged {
    /// What stays of `entry`.
    #[must_use]
    pub const fn of(entry: &Entry) -> Self {
        Self { hash: entry.hash, previous: entry.previous, purged: true, sequence: entry.sequence }
    }

    /// One line of canonical JSON, without the line break.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut line = Vec::with_capacity(200);
        write_json(self, &mut line);
        String::from_utf8(line).unwrap_or_default()
    }
}
