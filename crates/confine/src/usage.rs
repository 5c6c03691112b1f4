//! What a process uses, as the kernel counts it (proc(5)).

use std::fs;
use std::time::Duration;

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Its whole address space.
    pub(crate) size: u64,
    /// What lies in the machine's memory.
    pub(crate) resident: u64,
    /// Data and stack.
    pub(crate) data: u64,
}

impl Memory {
    /// Of the process with this id, `self` for our own; `None` where there is none, or no procfs.
    pub(crate) fn of(process: &str) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{process}/statm")).ok()?)
    }

    fn parse(statm: &str) -> Option<Self> {
        let page = rustix::param::page_size() as u64;
        let pages: Vec<u64> = statm.split_ascii_whitespace().map_while(|field| field.parse().ok()).collect();
        let bytes = |index: usize| pages.get(index).map(|pages| pages.saturating_mul(page));
        Some(Self { size: bytes(0)?, resident: bytes(1)?, data: bytes(5)? })
    }
}

/// Time on processors that a process has used, all its threads together.
pub(crate) fn cpu(process: &str) -> Option<Duration> {
    parse_cpu(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?, rustix::param::clock_ticks_per_second())
}

/// `utime` and `stime`, fields 14 and 15. The second one is the program's name between parentheses, which may hold
/// anything.
fn parse_cpu(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    let ticks = fields.next()?.ok()?.checked_add(fields.next()?.ok()?)?;
    Some(Duration::from_millis(ticks.checked_mul(1000)?.checked_div(ticks_per_second)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_use_is_found() {
        let memory = Memory::of("self").unwrap();
        assert!(memory.size > memory.resident && memory.resident > 0 && memory.data > 0);
        assert!(cpu("self").is_some());
        assert_eq!(Memory::of("0"), None);
    }

    #[test]
    fn a_name_with_parentheses_misleads_nobody() {
        let stat = "12 (a) S (b) R 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0";
        assert_eq!(parse_cpu(stat, 100), Some(Duration::from_secs(2)));
    }
}
