//! Backups on a schedule.

use crate::commands::backup::make;
use crate::config::Backups;
use crate::site::Site;
use audit::Actor;
use jiff::{SignedDuration, Timestamp};
use operations::backup::Vault;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is asked whether a backup is due. One that failed is tried again after this time.
const LOOK_EVERY: Duration = Duration::from_secs(600);

/// Makes a backup whenever the latest one is older than the configuration wants, until `stop` is cancelled.
pub(crate) async fn run(site: Site, backups: Backups, stop: CancellationToken) {
    let Some(folder) = backups.to.filter(|_| backups.every_hours > 0) else { return };
    let every = SignedDuration::from_hours(i64::from(backups.every_hours));
    while !stop.is_cancelled() {
        let latest = Vault::for_reading(&folder).and_then(|vault| vault.find(None)).ok();
        let latest = latest.and_then(|name| moment(&name));
        let now = site.store.environment().now();
        if latest.is_none_or(|latest| now.duration_since(latest) >= every) {
            let actor = Actor::system();
            let making = make(&site, &folder, backups.keep, &actor, |_, _| {});
            let made = tokio::select! {
                made = making => made,
                // Nothing is lost: the next one begins with what this one has written.
                () = stop.cancelled() => return,
            };
            match made {
                Ok(made) if made.missing.is_empty() => tracing::info!(backup = made.snapshot, "a backup was made"),
                Ok(made) => {
                    tracing::warn!(backup = made.snapshot, missing = made.missing.len(), "a backup lacks originals");
                }
                Err(error) => tracing::error!(%error, "the backup was not made"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// The moment that a backup's name says.
fn moment(name: &str) -> Option<Timestamp> {
    let (date, time) = name.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = [date.get(..4)?, date.get(4..6)?, date.get(6..8)?];
    let [hour, minute, second] = [time.get(..2)?, time.get(2..4)?, time.get(4..6)?];
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_moment() {
        let expected: Timestamp = "2026-11-21T15:04:05Z".parse().unwrap();
        assert_eq!(moment("20261121T150405123Z"), Some(expected));
        for other in ["", "T", "20261121T15Z", "not a name"] {
            assert_eq!(moment(other), None, "{other}");
        }
    }
}
