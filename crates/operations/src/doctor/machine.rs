//! The machine below: what its firewall counted, what its kernel has, which of its units failed.

use super::Finding;
use crate::egress::{dropped, reach};
use std::path::Path;
use std::process::Command;

/// What the appliance's firewall counted; `None` where nobody counts.
pub(super) fn egress(file: &Path) -> Option<Finding> {
    let packets = dropped(file)?;
    let reach = reach(file);
    let allowed = if reach.is_empty() { String::new() } else { format!("; it may reach {}", reach.join(", ")) };
    let detail = format!("{packets} packets were dropped since the start{allowed}");
    let finding = match packets {
        0 => Finding::ok("attempts_to_leave", detail),
        _ => {
            let why = "nothing got out, and something here tries to";
            let advice = "'journalctl -k -g carrel-egress' says where to; an appliance of ours has no reason to";
            Finding::warning("attempts_to_leave", detail, why, advice)
        }
    };
    Some(finding.with("packets", packets))
}

/// What the kernel has for the confinement of processes that read documents, by its own files.
#[must_use]
pub fn kernel() -> Finding {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let release = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let (modules, actions) = (read("/sys/kernel/security/lsm"), read("/proc/sys/kernel/seccomp/actions_avail"));
    let landlock = modules.split(',').any(|module| module.trim() == "landlock");
    let seccomp = actions.contains("errno") || actions.contains("kill");
    let detail = format!(
        "Linux {release}; Landlock {}, seccomp {}",
        // Containers hide the list of security modules: no list says nothing.
        if landlock {
            "present"
        } else if modules.is_empty() {
            "not told"
        } else {
            "missing"
        },
        if seccomp { "present" } else { "missing" }
    );
    if (landlock || modules.is_empty()) && seccomp {
        return Finding::ok("kernel", detail);
    }
    let why = "a file that takes its reader over is held by fewer walls";
    let advice = "use a kernel with both (Linux 5.13 or later, lsm=landlock among its boot parameters)";
    Finding::warning("kernel", detail, why, advice)
}

/// Units of systemd that failed: all of them on an appliance, elsewhere only ours. `None` where systemd does not run.
#[must_use]
pub fn failed_units() -> Option<Finding> {
    if !Path::new("/run/systemd/system").is_dir() {
        return None;
    }
    let appliance = std::fs::read_to_string("/proc/cmdline").is_ok_and(|line| line.contains("carrel.slot="));
    let mut ask = Command::new("systemctl");
    ask.args(["list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"]);
    if !appliance {
        ask.arg("carrel*");
    }
    let output = ask.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    if failed.is_empty() {
        return Some(Finding::ok("units", "none has failed"));
    }
    let finding = Finding::failed(
        "units",
        format!("failed: {}", failed.join(", ")),
        "what they do is not done",
        "'systemctl status UNIT' and 'journalctl -u UNIT' say why; 'systemctl restart UNIT' tries again",
    );
    Some(finding.with("failed", failed.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn counters_are_read_and_what_is_no_counter_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("egress.json");
        assert_eq!(egress(&file), None);
        std::fs::write(&file, r#"{"egress":{"packets":0,"bytes":0}}"#).unwrap();
        assert_eq!(egress(&file).unwrap().state, State::Ok);
        std::fs::write(&file, r#"{"egress":{"packets":0,"bytes":0},"reach":["10.0.0.7:636"]}"#).unwrap();
        assert!(egress(&file).unwrap().detail.ends_with("; it may reach 10.0.0.7:636"));
        std::fs::write(&file, r#"{"egress":{"packets":7,"bytes":420}}"#).unwrap();
        let found = egress(&file).unwrap();
        assert!(found.state == State::Warning && found.detail.starts_with("7 packets"), "{found:?}");
        std::fs::write(&file, "{").unwrap();
        assert_eq!(egress(&file), None);
    }
}
