//! The machine and the disk, in numbers and in names that are the operating system's.

use serde_json::{Value, json};
use std::path::Path;

/// Kernel, distribution, processor, memory.
pub(super) fn versions() -> Value {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.split([':', '=']).next().is_some_and(|key| key.trim() == name));
        line.and_then(|line| line.split_once([':', '=']).map(|(_, value)| value.trim().trim_matches('"').to_owned()))
    };
    let (system, processor, memory) = (read("/etc/os-release"), read("/proc/cpuinfo"), read("/proc/meminfo"));
    let flags = field(&processor, "flags").unwrap_or_default();
    let wanted = ["avx2", "fma", "f16c", "avx512f", "avx512_vnni"];
    let has: Vec<&str> = wanted.into_iter().filter(|flag| flags.split(' ').any(|found| found == *flag)).collect();
    json!({
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "distribution": field(&system, "ID"),
        "distribution_version": field(&system, "VERSION_ID"),
        "architecture": std::env::consts::ARCH,
        "processor": field(&processor, "model name"),
        "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "instructions": has,
        "memory_total": field(&memory, "MemTotal"),
        "memory_available": field(&memory, "MemAvailable"),
        "uptime_seconds": read("/proc/uptime").split('.').next().and_then(|text| text.parse::<u64>().ok()),
    })
}

/// Bytes of what lies in a data directory, under the names that every data directory has, and free space.
pub(super) fn disk(data: &Path) -> Value {
    let known = ["carrel.db", "carrel.db-wal", "content", "index", "models", "recognition", "keys", "bundles"];
    let sizes: serde_json::Map<String, Value> =
        known.into_iter().map(|name| (name.to_owned(), length(&data.join(name)).into())).collect();
    let disk = rustix::fs::statvfs(data).ok();
    let (free, total) = disk.map_or((None, None), |disk| {
        (Some(disk.f_bavail.saturating_mul(disk.f_frsize)), Some(disk.f_blocks.saturating_mul(disk.f_frsize)))
    });
    json!({ "bytes": sizes, "all": length(data), "free": free, "total": total })
}

/// The length of a file, or of what lies in a folder; links are not followed.
fn length(path: &Path) -> u64 {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| length(&entry.path())).sum()
}
