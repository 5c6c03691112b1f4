//! When, on what machine and with which versions something was measured.

use crate::workspace::Workspace;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Goes with every figure.
#[derive(Debug, Clone)]
pub struct Place {
    /// ISO 8601, UTC.
    pub date: String,
    /// Processor, cores, memory, system.
    pub machine: String,
    /// The server's and the compiler's.
    pub versions: String,
}

impl Place {
    /// Here and now.
    pub fn here(workspace: &Workspace) -> Self {
        let words = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).current_dir(workspace.path(".")).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let commit = words("git", &["describe", "--always", "--dirty", "--abbrev=10"]);
        let compiler = words("rustc", &["--version"]).unwrap_or_else(|| "unknown rustc".to_owned());
        // rustc 1.95.0 (hash date)
        let compiler = compiler.split(" (").next().unwrap_or_default().to_owned();
        let commit = commit.map_or_else(String::new, |commit| format!(" ({commit})"));
        Self {
            date: today(),
            machine: machine(),
            versions: format!("carrel {}{commit}, {compiler}", env!("CARGO_PKG_VERSION")),
        }
    }
}

fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let processor = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kib = field(&read("/proc/meminfo"), "MemTotal").and_then(|size| size.split(' ').next()?.parse::<u64>().ok());
    let memory = kib.map_or_else(String::new, |kib| format!(", {} GiB", (kib + (1 << 19)) >> 20));
    format!("{processor}, {cores} cores{memory}, {} {}", std::env::consts::OS, std::env::consts::ARCH)
}

/// The value of the first `name : value` line.
fn field(text: &str, name: &str) -> Option<String> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}

#[allow(clippy::disallowed_methods, reason = "a developer command stands outside the server and its clock")]
fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    date_of_day(seconds / 86_400)
}

/// The civil date of a day counted from 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms").
fn date_of_day(day: u64) -> String {
    let shifted = day + 719_468; // days since 0000-03-01
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153; // March is 0
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        for (day, date) in [(0, "1970-01-01"), (11_016, "2000-02-29"), (11_017, "2000-03-01"), (20_818, "2026-12-31")] {
            assert_eq!(date_of_day(day), date);
        }
    }

    #[test]
    fn fields_of_proc_files_are_read() {
        let text = "processor\t: 0\nmodel name\t: A B: C\nMemTotal:       24 kB\n";
        assert_eq!(field(text, "model name").as_deref(), Some("A B: C"));
        assert_eq!(field(text, "MemTotal").as_deref(), Some("24 kB"));
        assert_eq!(field(text, "flags"), None);
    }
}
