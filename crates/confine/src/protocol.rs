//! What the server and a worker say to each other, over the worker's standard input and output.
//!
//! Everything is a frame: one byte that says its kind, the length of its payload in four bytes, the least significant
//! first, and the payload, JSON. Bytes of files are not wrapped: a frame that announces `length` bytes is followed by
//! exactly so many.
//!
//! ```text
//! server                        worker
//! Start { memory, version }  →
//!                            ←  Hello { confinement, version }, or Unable(sentence) and the end
//! Read { name, limits, … } and the file
//!                            →
//!                            ←  any number of Child and its bytes, Progress, Blocks
//!                            ←  Done or Failed, then the next Read may come
//!                            ←  if a page was to be drawn, instead of all these: Drawn and its bytes, or Failed
//! ```
//!
//! A worker answers only after it has taken the whole file. It ends when its standard input does.

use crate::{Confinement, Refusal};
use extract::{Extracted, Format, Limits};
use render::Order;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// Both sides are the same program, unless it was exchanged under a running server.
pub(crate) const VERSION: u32 = 2;

/// Bytes that a frame may have whose size no document decides.
pub(crate) const SMALL: usize = 1 << 20;

/// How many bytes of JSON are gathered for one frame of blocks.
pub(crate) const BLOCKS: usize = 256 << 10;

/// Bytes of kind and length.
pub(crate) const HEAD: usize = 5;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Hello = 1,
    Unable = 2,
    Child = 3,
    Progress = 4,
    Blocks = 5,
    Done = 6,
    Failed = 7,
    Drawn = 8,
    Start = 16,
    Read = 17,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Hello,
        Self::Unable,
        Self::Child,
        Self::Progress,
        Self::Blocks,
        Self::Done,
        Self::Failed,
        Self::Drawn,
        Self::Start,
        Self::Read,
    ];

    /// Takes kind and length apart; `None` for a kind that does not exist.
    pub(crate) fn head(head: [u8; HEAD]) -> Option<(Self, usize)> {
        let [kind, length @ ..] = head;
        let kind = Self::ALL.into_iter().find(|known| *known as u8 == kind)?;
        Some((kind, usize::try_from(u32::from_le_bytes(length)).ok()?))
    }
}

/// The first frame to a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) version: u32,
    /// What reading may take beyond what the worker has when it starts.
    pub(crate) memory_bytes: u64,
}

/// The first frame from a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) version: u32,
    pub(crate) confinement: Confinement,
}

/// What is wanted of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Task {
    /// Its text.
    Read,
    /// One of its pages as it looks.
    Draw(Order),
}

/// A file to read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) name: String,
    pub(crate) task: Task,
    pub(crate) limits: Limits,
    /// Bytes of JSON in all frames of blocks and the last frame together, or of a picture.
    pub(crate) output_bytes: u64,
    /// Bytes of the file, which follow.
    pub(crate) length: u64,
}

/// A file in the file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ChildHead {
    pub(crate) name: String,
    /// Its bytes, which follow.
    pub(crate) length: u64,
}

/// How far a worker has come with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Pictures in which text was looked for: the part of reading that takes long.
    pub pictures: u32,
}

/// A file that was read; its blocks came before, so `extracted` has none.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) format: Format,
    pub(crate) extracted: Extracted,
}

/// A page that was drawn.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Drawn {
    /// Pixels in a row.
    pub(crate) width: u32,
    /// Rows.
    pub(crate) height: u32,
    /// Bytes of its PNG file, which follow.
    pub(crate) length: u64,
}

/// A file that could not be read.
pub(crate) type Failed = Refusal;

/// The frame, ready to be sent.
///
/// # Errors
/// A payload of more than 4 GiB.
pub(crate) fn frame(kind: Kind, payload: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(payload.len()).map_err(|_| io::Error::other("a frame is too long"))?;
    let mut frame = Vec::with_capacity(HEAD + payload.len());
    frame.push(kind as u8);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(payload);
    Ok(frame)
}

/// The frame of a message.
///
/// # Errors
/// As [`frame`]; none of our messages fails to become JSON.
pub(crate) fn message<T: Serialize>(kind: Kind, message: &T) -> io::Result<Vec<u8>> {
    frame(kind, &serde_json::to_vec(message)?)
}

/// The worker's side: writes a message.
pub(crate) fn send<T: Serialize>(to: &mut impl Write, kind: Kind, content: &T) -> io::Result<()> {
    to.write_all(&message(kind, content)?)
}

/// The worker's side: reads the message that must come now; `None` at the end of its input.
pub(crate) fn receive<T: for<'a> Deserialize<'a>>(from: &mut impl Read, kind: Kind) -> io::Result<Option<T>> {
    let mut head = [0; HEAD];
    if from.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut head[1..])?;
    match Kind::head(head) {
        Some((found, length)) if found == kind && length <= SMALL => {
            let mut payload = vec![0; length];
            from.read_exact(&mut payload)?;
            Ok(Some(serde_json::from_slice(&payload)?))
        }
        _ => Err(io::Error::other("an unexpected frame")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_out_as_it_went_in() {
        let mut bytes = Vec::new();
        send(&mut bytes, Kind::Start, &Start { version: 7, memory_bytes: 1 << 40 }).unwrap();
        let start: Start = receive(&mut bytes.as_slice(), Kind::Start).unwrap().unwrap();
        assert_eq!((start.version, start.memory_bytes), (7, 1 << 40));
        assert!(receive::<Start>(&mut [].as_slice(), Kind::Start).unwrap().is_none());
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let mut bytes = Vec::new();
        send(&mut bytes, Kind::Start, &Start { version: 7, memory_bytes: 1 }).unwrap();
        receive::<Start>(&mut bytes.as_slice(), Kind::Read).unwrap_err();
        receive::<Start>(&mut &bytes[..bytes.len() - 1], Kind::Start).unwrap_err();
        receive::<Start>(&mut [16, 255, 255, 255, 255].as_slice(), Kind::Start).unwrap_err();
        assert_eq!(Kind::head([99, 0, 0, 0, 0]), None);
    }
}
