//! Vectors on disk, in segments.
//!
//! `vectors/NUMBER.log` holds the vectors whose numbers begin with NUMBER (16 hexadecimal digits). Changes append to the last log.
//! Once that is long enough its segment is sealed: the vectors' codes, in clusters, go into `NUMBER.codes`, and a new
//! log begins. A segment that is mostly dead is written anew, together with a neighbour if both fit into one.
//!
//! Only logs are written with care. Which vectors are alive and whose they are, the full-text part says; codes are computed anew
//! when they are missing or damaged; a log that was merged into the one before it and not yet removed is known by its
//! numbers.

mod clusters;
mod codes;
mod kernel;
mod log;
mod map;
mod sealed;
mod segment;
mod upkeep;

pub(crate) use codes::Question;
pub(crate) use log::Log;
pub(crate) use segment::{Group, Segment};
pub(crate) use upkeep::{Replacement, open};

/// How vectors are kept and searched. The default is for products; tests and measurements choose others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VectorOptions {
    /// Rows from which on a segment is sealed. Until then they are in memory.
    pub segment: usize,
    /// Up to so many rows that a scope may see are all compared; of more, about so many of the clusters nearest to the
    /// question.
    pub probe: usize,
}

impl Default for VectorOptions {
    fn default() -> Self {
        Self { segment: 65_536, probe: 500_000 }
    }
}
