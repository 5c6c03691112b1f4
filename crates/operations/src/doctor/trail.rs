//! The audit log: its chain, its key, its checkpoints; and whether a backup of it all is somewhere else.

use super::{Finding, Subject};
use audit::{Action, Outcome, SigningKey};
use jiff::SignedDuration;
use std::path::Path;
use storage::{AuditFilter, Store};

/// Every entry, every link, every checkpoint.
pub(super) async fn chain(subject: &Subject, store: &Store) -> Finding {
    const CODE: &str = "audit_log";
    let key = SigningKey::load(&subject.data.join("keys/audit.pem")).ok().map(|key| key.public());
    match store.check_audit(key.as_ref()).await {
        Ok(Ok(checked)) => {
            let detail = format!(
                "{} events, none edited, dropped, added or moved; {} signed checkpoints hold",
                checked.entries, checked.checkpoints
            );
            Finding::ok(CODE, detail).with("events", checked.entries).with("checkpoints", checked.checkpoints)
        }
        Ok(Err(fault)) => {
            let why = "from there on the log proves nothing: somebody changed it, or the disk did";
            let advice = "keep the directory as it is, tell the auditor, and compare with the exports and checkpoints kept elsewhere";
            Finding::failed(CODE, fault.to_string(), why, advice)
        }
        Err(error) => Finding::unknown(CODE, error),
    }
}

/// The key that signs the log's head can be read; it is not made here.
pub(super) fn key(data: &Path) -> Finding {
    const CODE: &str = "signing_key";
    let path = data.join("keys/audit.pem");
    if !path.is_file() {
        let advice = "nothing, if no server has run here yet: the first start makes it; else restore it from a backup";
        return Finding::warning(CODE, "there is none", "the log's checkpoints cannot be signed", advice);
    }
    match SigningKey::load(&path) {
        Ok(_) => Finding::ok(CODE, "can be read"),
        Err(error) => {
            let why = "the log's checkpoints cannot be signed, and the server does not start";
            Finding::failed(
                CODE,
                error.to_string(),
                why,
                "mend what the sentence names, or restore the key from a backup",
            )
        }
    }
}

/// Whether checkpoints are signed as they should be.
pub(super) async fn checkpoint(subject: &Subject, store: &Store) -> Finding {
    const CODE: &str = "checkpoint";
    let (last, end) = match (store.last_checkpoint().await, store.audit_last().await) {
        (Ok(last), Ok(end)) => (last, end.map_or(0, |(count, _)| count)),
        (Err(error), _) | (_, Err(error)) => return Finding::unknown(CODE, error),
    };
    let Some(last) = last else {
        let finding = Finding::ok(CODE, "none was signed yet; the server signs the first one soon after its start");
        return finding.with("uncovered_events", end);
    };
    let (age, uncovered) = (subject.environment.now().duration_since(last.at), end.saturating_sub(last.size));
    let detail = format!("the last one, of {:.0}, covers all but {uncovered} events", last.at);
    let late = age > SignedDuration::from_mins(2 * i64::from(subject.checkpoint_minutes) + 10);
    let finding = if subject.server_running && uncovered > 0 && late {
        let why = "the newest events are covered by no signature: their loss would not be proved";
        let advice = "look at the log for 'no checkpoint of the audit log could be signed'; sign one with 'carrel audit checkpoint'";
        Finding::warning(CODE, detail, why, advice)
    } else {
        Finding::ok(CODE, detail)
    };
    finding.with("uncovered_events", uncovered)
}

/// When the last backup was made, by the events of the log.
pub(super) async fn backup(subject: &Subject, store: &Store) -> Finding {
    const CODE: &str = "backup";
    const WHY: &str = "if this disk fails, everything since the last backup is lost";
    let made = AuditFilter { action: Some(Action::BackupMade), ..AuditFilter::default() };
    let events = match store.audit_entries(&made, None, 50).await {
        Ok(events) => events,
        Err(error) => return Finding::unknown(CODE, error),
    };
    let last = events.iter().find(|entry| entry.event.outcome == Outcome::Success);
    let failing = events.first().filter(|entry| entry.event.outcome != Outcome::Success);
    let Some(last) = last else {
        let advice =
            "make a key with 'carrel backup key', and name a folder on another disk as backup.to in the configuration";
        let detail = match failing.and_then(|entry| entry.event.detail.get("reason")?.as_str()) {
            Some(reason) => format!("none was ever made; the last attempt failed: {reason}"),
            None => "none was ever made".to_owned(),
        };
        return Finding::warning(CODE, detail, WHY, advice);
    };
    let age = subject.environment.now().duration_since(last.at);
    let hours = u64::try_from(age.as_hours()).unwrap_or(0);
    let every = i64::from(subject.backup_hours.unwrap_or(0));
    let finding = if let Some(failed) = failing {
        let reason = failed.event.detail.get("reason").and_then(|reason| reason.as_str()).unwrap_or("unknown");
        let detail = format!("the last attempt failed: {reason}; the last good one is of {:.0}", last.at);
        Finding::failed(CODE, detail, WHY, "mend what the sentence names; the server tries again every ten minutes")
    } else if every > 0 && age > SignedDuration::from_hours(2 * every + 1) {
        let detail = format!("the last one is of {:.0}, {hours} hours ago; it should be every {every} hours", last.at);
        Finding::failed(CODE, detail, WHY, "see that the server runs and that the disk of backup.to is mounted")
    } else if every == 0 && age > SignedDuration::from_hours(7 * 24) {
        let detail = format!("the last one is of {:.0}", last.at);
        Finding::warning(CODE, detail, WHY, "run 'carrel backup run', or have the server do it with backup.to")
    } else {
        Finding::ok(CODE, format!("the last one is of {:.0}", last.at))
    };
    finding.with("age_hours", hours)
}
