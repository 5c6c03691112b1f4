//! Watched folders come, change and go, each with its event; and where such folders may be.

use audit::{Action, Actor, Event};
use domain::OperationId;
use serde_json::json;
use std::path::{Path, PathBuf};
use storage::{Folder, StorageError, Store};

/// Seconds between two looks: not so often that looking is all that happens, and once a week at least.
const EVERY: std::ops::RangeInclusive<u32> = 10..=604_800;

/// Why a folder was not added or changed.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be watched like this; the sentence says why.
    #[error("{0}")]
    Refused(String),
    /// The database refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Adds a folder, whose path [`place`] gave.
///
/// # Errors
/// [`FolderError::Refused`] if it lies in another one of the same collection, or the other way round, so that each file
/// would have two names there.
pub async fn add_folder(
    store: &Store,
    folder: &Folder,
    actor: &Actor,
    operation: OperationId,
) -> Result<(), FolderError> {
    check_interval(folder)?;
    let path = Path::new(&folder.path);
    for other in store.folders().await?.iter().filter(|other| other.collection == folder.collection) {
        if path.starts_with(&other.path) || Path::new(&other.path).starts_with(path) {
            return Err(FolderError::Refused(format!("{} is watched for this collection already", other.path)));
        }
    }
    let mut act = store.begin().await?;
    act.insert_folder(folder).await?;
    let detail = json!({ "before": null, "after": settings(folder) });
    let event = Event::new(Action::FolderChanged, actor, operation).on("folder", folder.id, &folder.path);
    act.record(event.detail(detail)).await?;
    Ok(act.commit().await?)
}

/// Gives a folder other settings.
///
/// # Errors
/// [`FolderError`].
pub async fn change_folder(
    store: &Store,
    before: &Folder,
    after: &Folder,
    actor: &Actor,
    operation: OperationId,
) -> Result<(), FolderError> {
    check_interval(after)?;
    let mut act = store.begin().await?;
    act.update_folder(after).await?;
    let detail = json!({ "before": settings(before), "after": settings(after) });
    let event = Event::new(Action::FolderChanged, actor, operation).on("folder", after.id, &after.path);
    act.record(event.detail(detail)).await?;
    Ok(act.commit().await?)
}

/// Watches a folder no longer; its documents stay.
///
/// # Errors
/// [`FolderError`].
pub async fn remove_folder(
    store: &Store,
    folder: &Folder,
    actor: &Actor,
    operation: OperationId,
) -> Result<(), FolderError> {
    let mut act = store.begin().await?;
    act.delete_folder(folder.id).await?;
    let detail = json!({ "before": settings(folder), "after": null });
    let event = Event::new(Action::FolderChanged, actor, operation).on("folder", folder.id, &folder.path);
    act.record(event.detail(detail)).await?;
    Ok(act.commit().await?)
}

fn check_interval(folder: &Folder) -> Result<(), FolderError> {
    if EVERY.contains(&folder.every) {
        return Ok(());
    }
    let (least, most) = (EVERY.start(), EVERY.end());
    Err(FolderError::Refused(format!("the seconds between two looks must be between {least} and {most}")))
}

fn settings(folder: &Folder) -> serde_json::Value {
    json!({
        "collection": folder.collection,
        "label": folder.label,
        "removal": folder.removal,
        "quarantine": folder.quarantine,
        "every": folder.every,
        "paused": folder.paused,
    })
}

/// The real place of a folder that is to be watched: links are followed before it is compared with anything. It must
/// not hold `data`, nor lie in it; with `places`, it must lie in one of them.
///
/// # Errors
/// One sentence. Outside of `places` it is the same one for what is there and what is not.
pub fn place(wanted: &str, places: Option<&[PathBuf]>, data: &Path) -> Result<PathBuf, String> {
    let wanted = wanted.trim();
    let found = Path::new(wanted).canonicalize();
    if let Some(places) = places {
        let names: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        let roots: Vec<PathBuf> = places.iter().filter_map(|place| place.canonicalize().ok()).collect();
        let inside = found.as_ref().is_ok_and(|found| roots.iter().any(|root| found.starts_with(root)));
        if !inside {
            let advice = "an admin can name others in the configuration, or add the folder at the console";
            return Err(format!(
                "there is no such folder in a place that may be watched ({}); {advice}",
                names.join(", ")
            ));
        }
    }
    let found = found.map_err(|error| format!("the folder {wanted} cannot be read: {error}"))?;
    if !found.is_dir() {
        return Err(format!("{wanted} is a file; name the folder that it lies in"));
    }
    let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    if found.starts_with(&data) || data.starts_with(&found) {
        return Err("this folder holds Carrel's own data; choose another one".to_owned());
    }
    if found.to_str().is_none() {
        return Err(format!("the name of {wanted} is not valid text; rename the folder"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_do_not_lead_out_of_the_places_that_may_be_watched() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().canonicalize().unwrap().join(name);
        for name in ["share/reports", "data", "secret"] {
            std::fs::create_dir_all(path(name)).unwrap();
        }
        std::os::unix::fs::symlink(path("secret"), path("share/door")).unwrap();
        std::fs::write(path("share/file.txt"), "x").unwrap();
        let places = [path("share"), path("no/such/place"), path("data")];
        let ask = |name: &str| place(path(name).to_str().unwrap(), Some(&places), &path("data"));
        assert_eq!(ask("share/reports").unwrap(), path("share/reports"));
        assert_eq!(ask("share/../share/reports").unwrap(), path("share/reports"));
        let outside = ask("secret").unwrap_err();
        for name in ["share/door", "share/../secret", "share/nothing", "nothing"] {
            assert_eq!(ask(name).unwrap_err(), outside, "{name}");
        }
        assert!(ask("share/file.txt").unwrap_err().contains("is a file"));
        assert!(ask("data").unwrap_err().contains("own data"));
        let console = |name: &str| place(path(name).to_str().unwrap(), None, &path("data"));
        assert_eq!(console("secret").unwrap(), path("secret"));
        assert!(console(".").unwrap_err().contains("own data"), "it lies around the data");
    }
}
