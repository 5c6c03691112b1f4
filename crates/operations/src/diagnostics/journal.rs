//! The journal without what the program wrote into it: its sentences may name files and people, so they are counted.

use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// Lines that are looked at.
const LINES: &str = "20000";
/// Lines of systemd itself that are shown, the latest.
const SHOWN: usize = 400;

/// What systemd said of the units of Carrel since the start of the machine, and how often these wrote something, by hour
/// and level.
pub(super) fn excerpt() -> String {
    let mut ask = Command::new("journalctl");
    ask.args(["--boot", "--no-pager", "--output=json", "--lines", LINES, "--unit", "carrel*"]);
    match ask.output() {
        Ok(output) if output.status.success() => told(&String::from_utf8_lossy(&output.stdout)),
        _ => "The journal cannot be read from here: the service's sandbox does not permit it, or there is none. \
              'carrel diagnostics' at the console, as root, can.\n"
            .to_owned(),
    }
}

fn told(lines: &str) -> String {
    let mut shown = Vec::new();
    let mut counted: BTreeMap<(u64, &'static str), u64> = BTreeMap::new();
    for entry in lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let second = text("__REALTIME_TIMESTAMP").parse::<u64>().unwrap_or(0) / 1_000_000;
        // Only the service manager: whatever runs can claim another name, not another process id.
        if text("_PID") == "1" && text("_COMM") == "systemd" {
            shown.push(format!("{} {}", moment(second), text("MESSAGE")));
        } else {
            *counted.entry((second / 3600 * 3600, level(text("MESSAGE")))).or_default() += 1;
        }
    }
    let mut told = String::from("What systemd said of the units\n\n");
    for line in shown.iter().skip(shown.len().saturating_sub(SHOWN)) {
        told += &format!("{line}\n");
    }
    told += "\nLines that the units wrote, by hour\n\n";
    for ((hour, level), lines) in counted {
        told += &format!("{} {level:5} {lines}\n", moment(hour));
    }
    told
}

fn moment(second: u64) -> String {
    let at = i64::try_from(second).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// The level of a line as our log writes it.
fn level(message: &str) -> &'static str {
    let found = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"]
        .into_iter()
        .find(|level| message.split_whitespace().take(2).any(|word| word.contains(level)));
    found.unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_service_manager_is_quoted() {
        let lines = [
            r#"{"_PID":"1","_COMM":"systemd","MESSAGE":"Started carrel.service - Carrel.","__REALTIME_TIMESTAMP":"1767225600000000"}"#,
            r#"{"_PID":"77","_COMM":"carrel","MESSAGE":"2026-01-01T00:00:01Z  WARN secret-plan.pdf cannot be read","__REALTIME_TIMESTAMP":"1767225601000000"}"#,
            r#"{"_PID":"78","_COMM":"systemd","MESSAGE":"secret","__REALTIME_TIMESTAMP":"1767225602000000"}"#,
            "no line",
        ];
        let told = told(&lines.join("\n"));
        assert!(told.contains("2026-01-01T00:00:00Z Started carrel.service"), "{told}");
        assert!(told.contains("2026-01-01T00:00:00Z WARN  1") && told.contains("other 1"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}
