//! What an appliance's firewall counted: packets that tried to leave, and were dropped. Its own unit writes the counters
//! down; here they are read, and the audit log hears of new ones.

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
}

/// Packets that were dropped since the machine's start; `None` where nobody counts.
#[must_use]
pub fn dropped(counters: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(counters).ok()?;
    serde_json::from_str::<Value>(&text).ok()?.get("egress")?.get("packets")?.as_u64()
}

/// Writes an event if more packets tried to leave than the log has heard of. `boot` names this start of the machine.
///
/// # Errors
/// A failing database.
pub async fn record(store: &Store, counters: &Path, boot: &str) -> Result<(), StorageError> {
    let Some(packets) = dropped(counters) else { return Ok(()) };
    let heard: Heard =
        store.setting(SETTING).await?.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
    // Fewer than before: the firewall was started anew.
    let before = if heard.boot == boot && heard.packets <= packets { heard.packets } else { 0 };
    if packets == before {
        return Ok(());
    }
    let mut act = store.begin().await?;
    act.set_setting(SETTING, &json!(Heard { boot: boot.to_owned(), packets })).await?;
    let event = Event::new(Action::EgressDropped, &Actor::system(), OperationId::new(store.environment()));
    act.record(event.detail(json!({ "packets": packets - before, "since_start": packets }))).await?;
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
}
