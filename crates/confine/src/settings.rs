//! What a site can set about reading.

use extract::Limits;
use std::time::Duration;

/// How the pool reads.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Files that are read at the same time, each by a worker of its own; at least 1.
    pub workers: usize,
    /// Bounds on what one file may unpack to.
    pub limits: Limits,
    /// Memory that reading one file may take, in bytes, beyond what a worker has when it starts.
    pub memory_bytes: u64,
    /// What a worker may say about one file, in bytes of the protocol, the files in it not counted. It bounds the
    /// server's own memory.
    pub output_bytes: u64,
    /// Time on the clock, from the first byte of the file to the last of the answer.
    pub wall: Allowance,
    /// Time on the processors, all threads together.
    pub cpu: Allowance,
    /// Further time, on the clock and on the processors, for each picture whose text was recognised.
    pub picture: Duration,
    /// The most of that for one file.
    pub pictures: Duration,
    /// Time that a worker may take to start, which includes loading its models.
    pub start: Duration,
    /// Files after which a worker makes way for a new one; at least 1. With 1 no file can do anything to another,
    /// not even one that takes its worker over.
    pub files_per_worker: u32,
    /// Memory in use, in bytes beyond what it was at the start, from which on a worker makes way for a new one.
    pub resident_growth_bytes: u64,
    /// Whether to refuse to read where the kernel cannot confine a worker fully. Otherwise that is logged, once.
    pub require_confinement: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 2,
            limits: Limits::default(),
            memory_bytes: 1 << 30,
            output_bytes: 256 << 20,
            wall: Allowance { base: Duration::from_secs(120), per_mib: Duration::from_secs(2) },
            cpu: Allowance { base: Duration::from_secs(60), per_mib: Duration::from_secs(1) },
            picture: Duration::from_secs(60),
            pictures: Duration::from_secs(6 * 3600),
            start: Duration::from_secs(60),
            files_per_worker: 100,
            resident_growth_bytes: 192 << 20,
            require_confinement: false,
        }
    }
}

/// Time that grows with the size of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// For a file of any size.
    pub base: Duration,
    /// For each MiB of it.
    pub per_mib: Duration,
}

impl Allowance {
    /// The time for a file of so many bytes.
    #[must_use]
    pub fn for_size(&self, bytes: u64) -> Duration {
        let mib = u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
        self.base.saturating_add(self.per_mib.saturating_mul(mib))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_files_get_more_time() {
        let allowance = Allowance { base: Duration::from_secs(60), per_mib: Duration::from_secs(1) };
        assert_eq!(allowance.for_size(100), Duration::from_secs(60));
        assert_eq!(allowance.for_size(100 << 20), Duration::from_secs(160));
        assert!(allowance.for_size(u64::MAX) > Duration::from_secs(1 << 31));
    }
}
