//! The data directory's place: modes and owner, room on its disk, the clock, certificates.

use super::{Finding, Subject};
use jiff::{SignedDuration, Timestamp};
use listen::{OwnCertificate, revocation_ends};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use storage::{AuditFilter, Store};

/// Fewer free inodes than this are as good as a full disk, soon.
const FEW_INODES: u64 = 10_000;
/// How far the clock may stand before the last event without a word: two machines' clocks never agree to the second.
const BACK: SignedDuration = SignedDuration::from_mins(5);
/// A log without an event for longer than this means that the clock jumped, or that nobody was here.
const LONG: SignedDuration = SignedDuration::from_hours(400 * 24);
/// No release is older: 2026-01-01T00:00:00Z.
const BEGINNING: i64 = 1_767_225_600;
/// How long before a certificate's end somebody has to act.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The directory, the database and the keys are for their owner only, and the owner is who runs the server.
pub(super) fn permissions(data: &Path) -> Finding {
    const CODE: &str = "permissions";
    let mut owner = None;
    let mut names: Vec<String> = ["", "carrel.db", "carrel.db-wal", "keys"].map(str::to_owned).to_vec();
    names.extend(entries(&data.join("keys")).into_iter().map(|name| format!("keys/{name}")));
    for name in names {
        let path = if name.is_empty() { data.to_owned() } else { data.join(&name) };
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
        if metadata.mode() & 0o077 != 0 && !is_public(&name) {
            let detail = format!("others may look into {} (mode {:03o})", path.display(), metadata.mode() & 0o777);
            let why = "whoever has an account on this machine reads every document, or signs in its name";
            return Finding::failed(CODE, detail, why, "close it with 'chmod go-rwx' on what is named");
        }
        if *owner.get_or_insert(metadata.uid()) != metadata.uid() {
            return somebody_elses(&path);
        }
    }
    // What root made here, by a command that was run as root, the service cannot use.
    for entry in std::fs::read_dir(data).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        // A file system's own folder is root's everywhere.
        if entry.file_name() != "lost+found" && owner.is_some_and(|owner| owner != metadata.uid()) {
            return somebody_elses(&entry.path());
        }
    }
    Finding::ok(CODE, "for their owner only")
}

fn somebody_elses(path: &Path) -> Finding {
    let detail = format!("{} belongs to somebody else than the data directory", path.display());
    let why = "the server cannot use it, or somebody else can change it";
    let advice = "give it to the account of the service with 'chown'; run commands as that account, not as root";
    Finding::failed("permissions", detail, why, advice)
}

fn entries(folder: &Path) -> Vec<String> {
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    found.filter(|entry| entry.path().is_file()).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// What is meant to be given away: the server's own certificate and the public half of the backup key.
fn is_public(name: &str) -> bool {
    matches!(name, "keys/tls.pem" | "keys/backup.recipient")
}

/// Free space and inodes of the disk, against what is kept free.
pub(super) fn space(subject: &Subject) -> Finding {
    const CODE: &str = "disk";
    let disk = match rustix::fs::statvfs(&subject.data) {
        Ok(disk) => disk,
        Err(error) => return Finding::unknown(CODE, std::io::Error::from(error)),
    };
    let (free, reserve) = (disk.f_bavail.saturating_mul(disk.f_frsize), subject.reserve_bytes);
    let total = disk.f_blocks.saturating_mul(disk.f_frsize);
    let text = format!("{:.1} GB free, {:.1} GB are kept for what must go on", free as f64 / 1e9, reserve as f64 / 1e9);
    let advice = "make room: delete documents that nobody needs, move backups away, or give the disk more space; \
                  taking in goes on by itself";
    let finding = if free < reserve {
        Finding::failed(CODE, text, "no document is taken in; reading, asking and the audit log still go on", advice)
    } else if free < reserve.saturating_mul(4) {
        Finding::warning(CODE, text, "soon no document is taken in any more", advice)
    } else if disk.f_files > 0 && disk.f_favail < FEW_INODES {
        let text = format!("{} files more can be made", disk.f_favail);
        Finding::warning(CODE, text, "a disk without inodes is full, whatever its free space", advice)
    } else {
        Finding::ok(CODE, text)
    };
    finding.with("free_bytes", free).with("total_bytes", total).with("reserve_bytes", reserve)
}

/// The clock against the last event of the audit log, and against the age of this program.
pub(super) async fn clock(subject: &Subject, store: &Store) -> Finding {
    const CODE: &str = "clock";
    let why = "events stand in the log at times when they did not happen, and certificates and sessions end at the wrong time";
    let advice = "set the clock (at the console of an appliance, or with 'timedatectl set-time'), and write down when and by how much";
    let now = subject.environment.now();
    if now.as_second() < BEGINNING {
        return Finding::failed(CODE, format!("it says {now}, which is before this program was written"), why, advice);
    }
    let last = match store.audit_entries(&AuditFilter::default(), None, 1).await {
        Ok(mut entries) => entries.pop(),
        Err(error) => return Finding::unknown(CODE, error),
    };
    let Some(last) = last else { return Finding::ok(CODE, format!("it says {now:.0}")) };
    let since = now.duration_since(last.at);
    if since < -BACK {
        let detail = format!("it says {now:.0}, and the last event is of {:.0}", last.at);
        return Finding::failed(CODE, detail, why, advice).with("behind_seconds", since.as_secs().unsigned_abs());
    }
    if since > LONG {
        let detail = format!("it says {now:.0}, and the last event is of {:.0}", last.at);
        return Finding::warning(CODE, detail, why, advice)
            .with("since_last_event_seconds", since.as_secs().unsigned_abs());
    }
    Finding::ok(CODE, format!("it says {now:.0}"))
}

/// How long the server's certificate holds.
pub(super) fn certificate(subject: &Subject) -> Option<Finding> {
    const CODE: &str = "certificate";
    let (file, own) = subject.certificate.as_ref()?;
    if *own && !file.exists() {
        return Some(Finding::ok(CODE, "the first start of the server makes one"));
    }
    let advice = match own {
        true => "start the server: it makes its own certificate anew 30 days before the end",
        false => "have a new one signed and put it into its place; the server takes it up without a restart",
    };
    Some(ending(
        CODE,
        OwnCertificate::end_of(file).map(Some),
        subject.environment.now(),
        "browsers refuse to connect",
        advice,
    ))
}

/// How long the list of revoked certificates of people holds.
pub(super) fn revoked(subject: &Subject) -> Option<Finding> {
    let file = subject.revoked.as_ref()?;
    let (why, advice) = (
        "with a list out of date nobody signs in with a certificate",
        "bring a new list of the authority, as a bundle or by hand; the server takes it up without a restart",
    );
    Some(ending("revocation_list", revocation_ends(file), subject.environment.now(), why, advice))
}

fn ending(
    code: &'static str,
    end: Result<Option<Timestamp>, listen::TlsError>,
    now: Timestamp,
    why: &'static str,
    advice: &'static str,
) -> Finding {
    let end = match end {
        Ok(Some(end)) => end,
        Ok(None) => return Finding::ok(code, "it does not say when it ends"),
        Err(error) => return Finding::failed(code, error.to_string(), why, advice),
    };
    let left = end.duration_since(now);
    let days = u64::try_from(left.as_hours() / 24).unwrap_or(0);
    let finding = if left.is_negative() {
        Finding::failed(code, format!("it ended on {end:.0}"), why, advice)
    } else if left < SOON {
        Finding::warning(code, format!("it ends on {end:.0}, in {days} days"), why, advice)
    } else {
        Finding::ok(code, format!("it holds until {end:.0}"))
    };
    finding.with("days_left", days)
}
