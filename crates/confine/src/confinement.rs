//! What a worker gives up before it sees the first file: all that reading does not need.
//!
//! Three layers, each of which the kernel may lack: limits on resources, Landlock against files and network, seccomp
//! against all system calls that are not on a list. They overlap on purpose.

mod calls;
mod files;
mod resources;

use serde::{Deserialize, Serialize};
use std::fmt;

/// What holds for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Files and network.
    pub landlock: Landlock,
    /// System calls.
    pub seccomp: bool,
    /// Memory, open files, file sizes, core dumps.
    pub rlimits: bool,
}

/// How much of Landlock holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Landlock {
    /// All that we ask for, for all threads.
    Full,
    /// What an older kernel knows, or not for threads that were there before.
    Partial,
    /// The kernel lacks it or it is switched off.
    None,
}

impl Confinement {
    /// Whether a worker can touch nothing. Landlock of an older kernel is enough beside seccomp, which forbids what
    /// it does not know.
    #[must_use]
    pub const fn is_tight(&self) -> bool {
        self.seccomp && self.rlimits && !matches!(self.landlock, Landlock::None)
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let landlock = match self.landlock {
            Landlock::Full => "full",
            Landlock::Partial => "partial",
            Landlock::None => "missing",
        };
        let holds = |held: bool| if held { "full" } else { "missing" };
        write!(f, "landlock {landlock}, seccomp {}, limits {}", holds(self.seccomp), holds(self.rlimits))
    }
}

/// Confines this process, as far as the kernel can. `memory_bytes` is what it may take beyond what it has now.
pub(crate) fn confine(memory_bytes: u64) -> Confinement {
    resources::give_way();
    // Before the others: they forbid changing limits and looking at /proc.
    let rlimits = resources::limit(memory_bytes).is_ok();
    let landlock = files::forbid();
    let seccomp = calls::restrict().is_ok();
    Confinement { landlock, seccomp, rlimits }
}
