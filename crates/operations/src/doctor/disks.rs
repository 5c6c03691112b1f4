//! What the disks say of themselves (SMART). On an appliance a unit of its own asks them, since this program has no access to
//! devices, and writes the answers of `smartctl --json` down.

use super::Finding;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::path::Path;

/// Where the appliance writes down what its disks said.
pub(super) const ANSWERS: &str = "/run/carrel-disks/disks.json";
/// They are asked every hour; after this long something is wrong with the asking.
const STALE: SignedDuration = SignedDuration::from_hours(24);
/// Of a flash disk's rated life, in percent.
const WORN: u64 = 90;
/// Attributes of ATA disks whose raw value counts sectors: reallocated, pending, uncorrectable.
const BAD_SECTORS: [u64; 3] = [5, 197, 198];

/// A finding for each disk that tells of its health; one for all if none does; none where nobody asks them.
pub(super) fn disks(file: &Path, now: Timestamp) -> Vec<Finding> {
    let Ok(text) = std::fs::read_to_string(file) else { return Vec::new() };
    let Ok(answers) = serde_json::from_str::<Vec<Value>>(&text) else {
        return vec![Finding::unknown("disk_health", "what the disks said cannot be read")];
    };
    let mut findings: Vec<Finding> = answers.iter().filter_map(disk).collect();
    if findings.is_empty() {
        findings.push(Finding::ok("disk_health", "no disk here tells of its health"));
    }
    let written = std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
    let written = written.and_then(|time| Timestamp::try_from(time).ok());
    if written.is_none_or(|written| now.duration_since(written) > STALE) {
        let why = "a disk that begins to fail would not be seen";
        findings.push(Finding::warning(
            "disk_health",
            "the disks were not asked for a day",
            why,
            "'systemctl status carrel-disks' says why",
        ));
    }
    findings
}

fn disk(answer: &Value) -> Option<Finding> {
    let number = |pointer: &str| answer.pointer(pointer).and_then(Value::as_u64);
    let passed = answer.pointer("/smart_status/passed")?.as_bool()?;
    let name = answer.pointer("/device/name").and_then(Value::as_str).unwrap_or("a disk");
    let model = answer.pointer("/model_name").and_then(Value::as_str).unwrap_or("unknown");
    let table = answer.pointer("/ata_smart_attributes/table").and_then(Value::as_array);
    let counts =
        table.into_iter().flatten().filter(|row| row["id"].as_u64().is_some_and(|id| BAD_SECTORS.contains(&id)));
    let sectors: u64 = counts.filter_map(|row| row.pointer("/raw/value")?.as_u64()).sum();
    let errors = number("/nvme_smart_health_information_log/media_errors").unwrap_or_default();
    let critical = number("/nvme_smart_health_information_log/critical_warning").unwrap_or_default();
    let used = number("/nvme_smart_health_information_log/percentage_used").unwrap_or_default();
    let hours = number("/power_on_time/hours").unwrap_or_default();
    let detail = |said: &str| format!("{name} ({model}, {hours} hours): {said}");
    let advice = "make a backup and verify it now, then replace the disk and restore (docs/operator/backup.md)";
    let finding = if !passed || critical > 0 {
        let why = "everything since the last backup is lost when it does";
        Finding::failed("disk_health", detail("it says itself that it is about to fail"), why, advice)
    } else if sectors + errors > 0 {
        let said = format!("{} sectors or blocks are bad", sectors + errors);
        Finding::warning("disk_health", detail(&said), "disks that begin so seldom stop there", advice)
    } else if used >= WORN {
        let said = format!("{used} % of its rated life are used");
        Finding::warning("disk_health", detail(&said), "a worn flash disk fails without further signs", advice)
    } else {
        Finding::ok("disk_health", detail("it finds itself well"))
    };
    Some(finding.with("bad_blocks", sectors + errors).with("used_percent", used).with("hours", hours))
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn found(answers: &str) -> Vec<Finding> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("disks.json");
        std::fs::write(&file, answers).unwrap();
        let written = std::fs::metadata(&file).unwrap().modified().unwrap();
        disks(&file, Timestamp::try_from(written).unwrap())
    }

    /// As smartctl 7.3 answers, cut down to what is read here.
    fn ata(passed: bool, pending: u64) -> String {
        format!(
            r#"{{"device":{{"name":"/dev/sda","type":"sat"}},"model_name":"ST4000NM0035","smart_status":{{"passed":{passed}}},
               "ata_smart_attributes":{{"table":[{{"id":1,"name":"Raw_Read_Error_Rate","raw":{{"value":81712}}}},
               {{"id":5,"name":"Reallocated_Sector_Ct","raw":{{"value":0}}}},
               {{"id":197,"name":"Current_Pending_Sector","raw":{{"value":{pending}}}}}]}},"power_on_time":{{"hours":1200}}}}"#
        )
    }

    fn nvme(critical: u64, used: u64) -> String {
        format!(
            r#"{{"device":{{"name":"/dev/nvme0n1","type":"nvme"}},"model_name":"PM9A3","smart_status":{{"passed":true}},
               "nvme_smart_health_information_log":{{"critical_warning":{critical},"percentage_used":{used},"media_errors":0}}}}"#
        )
    }

    #[test]
    fn disks_are_taken_at_their_word() {
        let state = |answer: String| found(&format!("[{answer}]"))[0].state;
        assert_eq!(state(ata(true, 0)), State::Ok);
        assert_eq!(state(ata(true, 8)), State::Warning);
        assert_eq!(state(ata(false, 0)), State::Failed);
        assert_eq!(state(nvme(0, 3)), State::Ok);
        assert_eq!(state(nvme(0, 97)), State::Warning);
        assert_eq!(state(nvme(4, 3)), State::Failed);
        let two = found(&format!("[{},{}]", ata(true, 8), nvme(0, 3)));
        assert_eq!(two.len(), 2);
        assert!(two[0].detail.starts_with("/dev/sda (ST4000NM0035, 1200 hours): 8 sectors"), "{}", two[0].detail);
    }

    #[test]
    fn disks_that_say_nothing_are_no_fault_and_unread_answers_are() {
        let virtual_disk = r#"{"device":{"name":"/dev/vda"},"smartctl":{"exit_status":1}}"#;
        assert_eq!(found(&format!("[{virtual_disk}]"))[0].state, State::Ok);
        assert_eq!(found("[]")[0].detail, "no disk here tells of its health");
        assert_eq!(found("{")[0].state, State::Failed);
        assert_eq!(disks(Path::new("/nowhere"), Timestamp::UNIX_EPOCH), []);
    }

    #[test]
    fn old_answers_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("disks.json");
        std::fs::write(&file, "[]").unwrap();
        let written = Timestamp::try_from(std::fs::metadata(&file).unwrap().modified().unwrap()).unwrap();
        let found = disks(&file, written + SignedDuration::from_hours(25));
        assert_eq!(found[1].state, State::Warning);
    }
}
