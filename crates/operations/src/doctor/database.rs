//! The database: schema, pages and references, what waits in it.

use super::{Depth, Finding, Subject};
use jiff::SignedDuration;
use std::path::Path;
use storage::{JobState, Schema, StorageError, Store};

const CODE: &str = "database";
/// Changes beyond which the index is not just a moment behind.
const BEHIND: u32 = 1_000;
/// A lease without a sign of life for this long belongs to nobody: a worker gives one every two seconds.
const ABANDONED: SignedDuration = SignedDuration::from_mins(5);

const LOSS: &str = "documents, rights and the audit log are in it; what is damaged may be gone, and more may follow";
const RESTORE: &str = "stop the server, keep a copy of the directory as it is, and restore the last good backup \
    ('carrel restore'); then look for a failing disk";

pub(super) fn missing(data: &Path) -> Finding {
    let detail = format!("there is no database in {}", data.display());
    let advice =
        "name the right directory with --data or in the configuration; if it is the right one, restore a backup";
    Finding::failed(CODE, detail, "without it there are no documents, no people and no audit log", advice)
}

pub(super) fn unreadable(error: &StorageError) -> Finding {
    Finding::failed(CODE, error.to_string(), LOSS, RESTORE)
}

/// Whether this release can work with it.
pub(super) async fn schema(store: &Store) -> Finding {
    const CODE: &str = "schema";
    match store.schema().await {
        Ok(Schema::Current) => Finding::ok(CODE, "of this release"),
        Ok(Schema::Older(steps)) => {
            let detail = format!("an older release wrote it; {steps} steps bring it up to this one");
            let advice = "if a server runs, it is of the older release: restart it; else the next start does it";
            Finding::warning(CODE, detail, "some checks cannot be made before", advice).with("steps", steps as u64)
        }
        Ok(Schema::Newer) => {
            let advice = "start the newer release, or go back with 'carrel bundle rollback program'";
            Finding::failed(CODE, "a newer release wrote it", "this release cannot read it", advice)
        }
        Err(error) => unreadable(&error),
    }
}

/// Pages and references; every index as well if every byte is wanted.
pub(super) async fn integrity(store: &Store, depth: Depth) -> Finding {
    let found = match depth {
        Depth::Deep => store.problem().await,
        _ => store.quick_problem().await,
    };
    match found {
        Ok(None) => Finding::ok(CODE, "its pages and references are sound"),
        Ok(Some(problem)) => Finding::failed(CODE, problem, LOSS, RESTORE),
        Err(error) => unreadable(&error),
    }
}

/// Whether the index has taken over what changed. The index itself is opened by whoever may.
pub(super) async fn outbox(store: &Store) -> Finding {
    const CODE: &str = "outbox";
    match store.index_changes(0, BEHIND).await {
        Ok(changes) if changes.is_empty() => Finding::ok(CODE, "the index is in step with the database"),
        Ok(changes) if changes.len() < BEHIND as usize => {
            let detail = format!("{} changes wait for the index", changes.len());
            Finding::ok(CODE, detail).with("changes", changes.len() as u64)
        }
        Ok(changes) => {
            let detail = format!("{} changes or more wait for the index", changes.len());
            let why = "what changed lately is not found, and what was deleted is looked for in vain";
            let advice = "leave the server running, or run 'carrel index rebuild' while it is stopped";
            Finding::warning(CODE, detail, why, advice).with("changes", changes.len() as u64)
        }
        Err(error) => Finding::unknown(CODE, error),
    }
}

/// Jobs that somebody holds and does not work on.
pub(super) async fn leases(subject: &Subject, store: &Store) -> Finding {
    const CODE: &str = "leases";
    match store.abandoned_leases(subject.environment.now() - ABANDONED).await {
        Ok(0) => Finding::ok(CODE, "no job is held by anybody who is gone"),
        Ok(jobs) if !subject.server_running => {
            let detail =
                format!("{jobs} jobs were in work when the last process ended; the next start goes on with them");
            Finding::ok(CODE, detail).with("jobs", jobs)
        }
        Ok(jobs) => {
            let detail = format!("{jobs} jobs are held, and nobody gave a sign of life for five minutes");
            let why = "these documents are not read";
            let advice = "look at the log for 'ingest cannot go on'; restarting the server ends the leases";
            Finding::warning(CODE, detail, why, advice).with("jobs", jobs)
        }
        Err(error) => Finding::unknown(CODE, error),
    }
}

/// What waits and what failed.
pub(super) async fn queue(store: &Store) -> Finding {
    const CODE: &str = "queue";
    let counts = match store.jobs_by_state().await {
        Ok(counts) => counts,
        Err(error) => return Finding::unknown(CODE, error),
    };
    let of = |wanted: JobState| counts.iter().find(|(state, _)| *state == wanted).map_or(0, |(_, count)| *count);
    let (waiting, failed) = (of(JobState::Waiting) + of(JobState::Running), of(JobState::Failed));
    let detail = format!("{waiting} jobs are open, {failed} failed");
    let finding = if failed > 0 {
        let advice = "'carrel job list --state failed' and the jobs page say why; try them again or take them off";
        Finding::warning(CODE, detail, "these documents cannot be found", advice)
    } else {
        Finding::ok(CODE, detail)
    };
    finding.with("open", waiting).with("failed", failed)
}
