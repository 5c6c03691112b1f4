//! The models on the image.

use super::Models;
use crate::failure::{Context, Failure, Result};
use crate::models::{ModelsFolder, fetch};
use crate::workspace::{Workspace, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Copies them into the work folder, where they are signed; `None` if none are wanted.
pub fn gather(workspace: &Workspace, models: &Models, work: &Path) -> Result<Option<PathBuf>> {
    let sources = match models {
        Models::None => return Ok(None),
        Models::Default => fetch::fetch(
            workspace,
            &ModelsFolder::open()?,
            &["generate-default", "embed-default", "recognize-default"],
        )?,
        Models::Folder(folder) => {
            let entries = fs::read_dir(folder).context(|| format!("cannot read {}", folder.display()))?;
            let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
            paths.sort();
            paths
        }
    };
    if sources.is_empty() {
        return Err(Failure::new("there are no models in that folder; --models none builds without"));
    }
    let folder = work.join("models");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).context(|| format!("cannot make {}", folder.display()))?;
    // Links where the file system has them: models are large.
    run(Command::new("cp").args(["-rL", "--reflink=auto", "--"]).args(&sources).arg(&folder))?;
    Ok(Some(folder))
}
