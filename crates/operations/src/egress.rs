//! What an appliance's firewall says: how many packets tried to leave and were dropped, and which servers inside the service
//! may reach. A unit of its own writes it down; here it is read, and the audit log hears of what is new.

use audit::{Action, Actor, Event};
use domain::OperationId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;
use storage::{StorageError, Store};

/// Where the appliance writes them.
pub const COUNTERS: &str = "/run/carrel-egress/counters.json";
/// The setting that holds what the log has heard of.
const SETTING: &str = "egress";

/// Up to where the log has heard: counters begin anew with each start of the machine.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Heard {
    boot: String,
    packets: u64,
    /// Servers that the service could reach.
    #[serde(default)]
    reach: Vec<String>,
}

/// Packets that were dropped since the machine's start; `None` where nobody counts.
#[must_use]
pub fn dropped(counters: &Path) -> Option<u64> {
    read(counters)?.get("egress")?.get("packets")?.as_u64()
}

/// Names this start of the machine.
#[must_use]
pub fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Servers inside, as ADDRESS:PORT, that the firewall lets the service reach.
#[must_use]
pub fn reach(counters: &Path) -> Vec<String> {
    let listed = read(counters).and_then(|told| serde_json::from_value(told.get("reach")?.clone()).ok());
    listed.unwrap_or_default()
}

fn read(counters: &Path) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(counters).ok()?).ok()
}

/// Writes an event if more packets tried to leave than the log has heard of, and one if the service may reach other servers
/// than before. `boot` names this start of the machine.
///
/// # Errors
/// A failing database.
pub async fn record(store: &Store, counters: &Path, boot: &str) -> Result<(), StorageError> {
    let Some(packets) = dropped(counters) else { return Ok(()) };
    let heard: Heard =
        store.setting(SETTING).await?.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
    // Fewer than before: the firewall was started anew.
    let before = if heard.boot == boot && heard.packets <= packets { heard.packets } else { 0 };
    let reach = reach(counters);
    if packets == before && reach == heard.reach {
        return Ok(());
    }
    let event = |action| Event::new(action, &Actor::system(), OperationId::new(store.environment()));
    let mut act = store.begin().await?;
    if packets > before {
        let detail = json!({ "packets": packets - before, "since_start": packets });
        act.record(event(Action::EgressDropped).detail(detail)).await?;
    }
    if reach != heard.reach {
        act.record(event(Action::EgressReach).detail(json!({ "reach": reach, "before": heard.reach }))).await?;
    }
    act.set_setting(SETTING, &json!(Heard { boot: boot.to_owned(), packets, reach })).await?;
    act.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Environment;

    #[tokio::test]
    async fn the_log_hears_once_of_each_attempt() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("carrel.db"), Environment::system()).await.unwrap();
        let file = folder.path().join("counters.json");
        record(&store, &file, "first").await.unwrap();
        for (boot, counted) in [("first", 0), ("first", 7), ("first", 7), ("first", 9), ("second", 0), ("second", 2)] {
            std::fs::write(&file, format!(r#"{{"egress":{{"packets":{counted},"bytes":0}}}}"#)).unwrap();
            record(&store, &file, boot).await.unwrap();
        }
        let log = store.audit_from(1, 100).await.unwrap();
        let told: Vec<u64> = log
            .iter()
            .filter(|entry| entry.event.action == Action::EgressDropped)
            .filter_map(|entry| entry.event.detail["packets"].as_u64())
            .collect();
        assert_eq!(told, [7, 2, 2]);
    }

    #[tokio::test]
    async fn the_log_hears_of_each_change_of_what_may_be_reached() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("carrel.db"), Environment::system()).await.unwrap();
        let file = folder.path().join("counters.json");
        for (boot, listed) in [
            ("first", json!([])),
            ("first", json!(["10.0.0.7:636"])),
            ("first", json!(["10.0.0.7:636"])),
            ("second", json!(["10.0.0.7:636"])),
            ("second", json!(["10.0.0.7:636", "[fd00::7]:6514"])),
            ("third", json!([])),
        ] {
            let told = json!({ "egress": { "packets": 0, "bytes": 0 }, "reach": listed });
            std::fs::write(&file, told.to_string()).unwrap();
            record(&store, &file, boot).await.unwrap();
        }
        let log = store.audit_from(1, 100).await.unwrap();
        let told: Vec<usize> = log
            .iter()
            .filter(|entry| entry.event.action == Action::EgressReach)
            .filter_map(|entry| Some(entry.event.detail["reach"].as_array()?.len()))
            .collect();
        assert_eq!(told, [1, 2, 0]);
    }
}
