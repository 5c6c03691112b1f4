//! The hash chain.

use crate::{Event, hex};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

/// SHA-256 of an entry. Written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventHash([u8; 32]);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event hash of 64 hexadecimal digits")]
pub struct ParseEventHashError;

impl EventHash {
    /// What the first entry names as the one before it: 32 zero bytes.
    pub const GENESIS: Self = Self([0; 32]);

    /// The hash's 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for EventHash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for EventHash {
    type Error = ParseEventHashError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| ParseEventHashError)
    }
}

impl fmt::Display for EventHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for EventHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventHash({self})")
    }
}

impl FromStr for EventHash {
    type Err = ParseEventHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex::read(text).map(Self).ok_or(ParseEventHashError)
    }
}

impl Serialize for EventHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

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
    EventHash(hashing.0.finalize().into())
}

/// Writes to memory, which cannot fail: the types here have string keys and no fallible parts.
fn write_json(value: &impl Serialize, out: &mut impl Write) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "an entry can always be written: {written:?}");
}
