//! Memory: what the machine has, and what a model will take of it.

use crate::{Models, ModelsError};
use inference::memory_need;
use std::path::Path;

/// Left free for everything else: the index, documents being read, the operating system.
const RESERVE: u64 = 256 << 20;

/// The machine's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// What can be taken without swapping, by the kernel's own estimate.
    pub available: u64,
}

impl Memory {
    /// As the kernel says now (`/proc/meminfo`); `None` where there is no such file.
    #[must_use]
    pub fn now() -> Option<Self> {
        Self::of(&std::fs::read_to_string("/proc/meminfo").ok()?)
    }

    fn of(meminfo: &str) -> Option<Self> {
        Some(Self { total: kibibytes(meminfo, "MemTotal:")?, available: kibibytes(meminfo, "MemAvailable:")? })
    }
}

/// Bytes of this process that are in memory now; `None` where the kernel does not say.
#[must_use]
pub fn resident_memory() -> Option<u64> {
    kibibytes(&std::fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// The value of a line such as `MemTotal:  16000 kB`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

impl Models {
    /// The memory in bytes that the model at `path` is expected to take.
    pub(crate) fn need(&self, path: &Path) -> Result<u64, ModelsError> {
        Ok(memory_need(path, &self.settings.options)?)
    }

    /// Goes on only if `name` will fit beside all that runs. Without numbers from the kernel nothing is refused.
    pub(crate) fn check_memory(&self, name: &str, need: u64) -> Result<(), ModelsError> {
        let need = need.saturating_add(RESERVE);
        match self.memory() {
            Some(memory) if memory.available < need => {
                Err(ModelsError::Memory { name: name.to_owned(), need, free: memory.available })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_numbers_are_read() {
        let text = "MemTotal:       16301188 kB\nMemFree:          412312 kB\nMemAvailable:    9000000 kB\n";
        assert_eq!(Memory::of(text), Some(Memory { total: 16_301_188 * 1024, available: 9_000_000 * 1024 }));
        assert_eq!(Memory::of("MemTotal: many kB\n"), None);
        assert_eq!(Memory::of(""), None);
    }
}
