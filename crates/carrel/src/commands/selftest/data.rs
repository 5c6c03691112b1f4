//! Checks of the data directory. They read, and change nothing but what opening a database changes.

use super::{Finding, State};
use crate::config::Configuration;
use crate::lock::IndexLock;
use crate::site::Site;
use ::index::{Index, IndexError};
use inference::ModelKind;
use inference::pack::inspect;
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use storage::Model;

/// Less free space than this is too little to go on, in bytes; SQLite needs room to keep its journal.
const LEAST_FREE: u64 = 500 << 20;

/// Less than this wants attention.
const LITTLE_FREE: u64 = 5 << 30;

/// Where the appliance writes down what its firewall counted.
const COUNTERS: &str = "/run/carrel-egress/counters.json";

type Checked = Result<(State, String), Box<dyn std::error::Error>>;

/// All checks of the data directory, in the order in which they make sense.
pub(super) async fn findings(configuration: &Configuration, quick: bool) -> Vec<Finding> {
    let data = &configuration.data;
    let mut findings = vec![finding("permissions", permissions(data)), finding("disk", space(data))];
    // Opening would make one.
    if !data.join("carrel.db").is_file() {
        let detail = format!("there is no database in {}; --data or the configuration names the place", data.display());
        findings.push(Finding::new("database", State::Failed, detail));
        return findings;
    }
    let site = match Site::open(configuration).await {
        Ok(site) => site,
        Err(error) => {
            findings.push(Finding::new("database", State::Failed, error.to_string()));
            return findings;
        }
    };
    findings.push(finding("audit log", audit(&site).await));
    findings.push(finding("signing key", key(&site, data)));
    match site.store.models().await {
        Ok(models) => {
            for model in models.iter().filter(|model| model.active) {
                findings.push(finding(&format!("model {}", model.name), self::model(data, model, quick).await));
            }
            let embedder = models.iter().find(|model| model.active && model.kind == ModelKind::Embed.as_str());
            findings.push(finding("index", index(data, embedder).await));
        }
        Err(error) => findings.push(Finding::new("models", State::Failed, error.to_string())),
    }
    if let Some(found) = counters(Path::new(COUNTERS)) {
        findings.push(found);
    }
    findings
}

fn finding(check: &str, checked: Checked) -> Finding {
    match checked {
        Ok((state, detail)) => Finding::new(check, state, detail),
        Err(error) => Finding::new(check, State::Failed, error.to_string()),
    }
}

/// The directory, the database and the keys are for their owner only, and the owner is who runs the server.
fn permissions(data: &Path) -> Checked {
    let mut owner = None;
    for name in ["", "carrel.db", "keys", "keys/audit.pem"] {
        let path = if name.is_empty() { data.to_owned() } else { data.join(name) };
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
        if metadata.mode() & 0o077 != 0 {
            let advice = format!("others may look into {}; 'chmod go-rwx' closes it", path.display());
            return Ok((State::Failed, advice));
        }
        if *owner.get_or_insert(metadata.uid()) != metadata.uid() {
            return Ok((State::Failed, format!("{} belongs to somebody else than the rest", path.display())));
        }
    }
    Ok((State::Ok, "for their owner only".to_owned()))
}

fn space(data: &Path) -> Checked {
    let free = fs4::available_space(data)?;
    let text = format!("{:.1} GB free", free as f64 / 1e9);
    Ok(match free {
        0..LEAST_FREE => (State::Failed, format!("{text}; nothing can be taken in any more")),
        LEAST_FREE..LITTLE_FREE => (State::Warning, text),
        _ => (State::Ok, text),
    })
}

async fn audit(site: &Site) -> Checked {
    Ok(match site.store.verify_audit().await? {
        Ok(entries) => (State::Ok, format!("{entries} events, none edited, dropped, added or moved")),
        Err(fault) => (State::Failed, fault.to_string()),
    })
}

/// The key that signs the log's head is there and can be read; it is not made here.
fn key(site: &Site, data: &Path) -> Checked {
    if !data.join("keys/audit.pem").is_file() {
        return Ok((State::Warning, "there is none yet; the first start of the server makes it".to_owned()));
    }
    site.signing_key()?;
    Ok((State::Ok, "can be read".to_owned()))
}

/// The files of a model in use are there, and those that were imported.
async fn model(data: &Path, model: &Model, quick: bool) -> Checked {
    let path: PathBuf = data.join(&model.file);
    if !path.exists() {
        return Ok((State::Failed, format!("{} is gone; import it again", path.display())));
    }
    if quick {
        return Ok((State::Ok, "is there".to_owned()));
    }
    let info = tokio::task::spawn_blocking(move || inspect(&path)).await??;
    Ok(match info.sha256 == model.sha256 {
        true => (State::Ok, format!("as it was imported, sha256 {}…", &info.sha256[..12])),
        false => (State::Failed, "its files were changed after the import; import it again".to_owned()),
    })
}

/// The index can be opened. While a server has it, the server did.
async fn index(data: &Path, embedder: Option<&Model>) -> Checked {
    let dimension = embedder.and_then(|model| model.info.get("dimension")).and_then(Value::as_u64);
    let Some(dimension) = dimension.and_then(|dimension| usize::try_from(dimension).ok()) else {
        return Ok((State::Failed, "no embedding model is in use; 'carrel model import' adds one".to_owned()));
    };
    let directory = data.join("index");
    if !directory.exists() {
        return Ok((State::Ok, "there is none yet; the next start makes it".to_owned()));
    }
    let Some(lock) = IndexLock::acquire(data)? else {
        return Ok((State::Ok, "in use by the running server".to_owned()));
    };
    let opened = tokio::task::spawn_blocking(move || {
        let opened = Index::open(&directory, dimension).map(|index| index.passages());
        drop(lock);
        opened
    });
    Ok(match opened.await? {
        Ok(passages) => (State::Ok, format!("{passages} passages can be searched")),
        Err(IndexError::Damaged { .. }) => {
            (State::Warning, "damaged; the next start makes it anew from the database".to_owned())
        }
        Err(error) => (State::Failed, error.to_string()),
    })
}

/// What the appliance's firewall counted; `None` where nobody counts.
fn counters(file: &Path) -> Option<Finding> {
    let text = std::fs::read_to_string(file).ok()?;
    let packets = serde_json::from_str::<Value>(&text).ok()?.get("egress")?.get("packets")?.as_u64()?;
    let state = if packets == 0 { State::Ok } else { State::Warning };
    Some(Finding::new("attempts to leave", state, format!("{packets} packets were dropped since the start")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{DirBuilder, Permissions, set_permissions, write};
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

    #[test]
    fn what_others_may_read_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        DirBuilder::new().mode(0o700).create(&data).unwrap();
        write(data.join("carrel.db"), "").unwrap();
        set_permissions(data.join("carrel.db"), Permissions::from_mode(0o600)).unwrap();
        assert_eq!(permissions(&data).unwrap().0, State::Ok);
        set_permissions(data.join("carrel.db"), Permissions::from_mode(0o640)).unwrap();
        let (state, detail) = permissions(&data).unwrap();
        assert!(state == State::Failed && detail.contains("carrel.db"), "{detail}");
    }

    #[test]
    fn counters_are_read_and_what_is_no_counter_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("egress.json");
        assert_eq!(counters(&file), None);
        write(&file, r#"{"egress":{"packets":0,"bytes":0}}"#).unwrap();
        assert_eq!(counters(&file).unwrap().state, State::Ok);
        write(&file, r#"{"egress":{"packets":7,"bytes":420}}"#).unwrap();
        let found = counters(&file).unwrap();
        assert!(found.state == State::Warning && found.detail.starts_with("7 packets"), "{found:?}");
        write(&file, "{").unwrap();
        assert_eq!(counters(&file), None);
    }
}
