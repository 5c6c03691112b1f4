//! `[disk]`: what taking in leaves free.

use serde::{Deserialize, Serialize};

/// What a site can configure of its disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Disk {
    /// Megabytes that stay free for the audit log, sessions, answers and backups: below, no document is taken in.
    pub(crate) reserve_mb: u64,
}

impl Default for Disk {
    fn default() -> Self {
        Self { reserve_mb: 1000 }
    }
}

impl Disk {
    /// The same in bytes.
    pub(crate) const fn reserve_bytes(&self) -> u64 {
        self.reserve_mb.saturating_mul(1_000_000)
    }
}
