//! Limits on resources (setrlimit(2)), and giving way to others.

use crate::usage::Memory;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, nice, set_dumpable_behavior, setrlimit};
use std::{fs, io};

/// Descriptors: three of its own, one for the watch over the server, and some to spare.
const DESCRIPTORS: u64 = 16;

/// Reading waits for people who ask, and is the first to go when the machine runs out of memory. Both are
/// courtesies: it does no harm if the system refuses them.
pub(super) fn give_way() {
    let _ = nice(10);
    let _ = fs::write("/proc/self/oom_score_adj", "500");
}

/// Limits memory to what the process has now and `memory_bytes` more, and forbids what reading does not need.
///
/// The number of processes is not limited: the kernel counts all that run as the same user, threads of the server
/// among them. New processes are forbidden by seccomp, and threads cost memory.
pub(super) fn limit(memory_bytes: u64) -> io::Result<()> {
    let now = Memory::of("self").ok_or_else(|| io::Error::other("/proc cannot be read"))?;
    let limits = [
        (Resource::Data, now.data.saturating_add(memory_bytes)),
        // Each thread's arena reserves address space that it does not use (malloc(3)); this is the second line, for
        // memory that does not count as data.
        (Resource::As, now.size.saturating_add(memory_bytes.saturating_mul(2))),
        (Resource::Nofile, DESCRIPTORS),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
    ];
    for (resource, limit) in limits {
        let limit = getrlimit(resource).maximum.map_or(limit, |maximum| maximum.min(limit));
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
    }
    // No other process of the same user may look into this one, which holds documents.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
