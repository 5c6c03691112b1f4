//! `cargo xtask bundle`: one signed file for a machine that runs already (docs/operator/update.md).

use super::{keys, portable, script, source_date, stage};
use crate::arguments::Arguments;
use crate::failure::{Context, Failure, Result};
use crate::workspace::{Workspace, run as run_command};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What can be made here; a system comes with its image.
const KINDS: [&str; 6] = ["program", "models", "lists", "crl", "passwords", "keys"];

/// Reads the command line and does it.
pub fn run(mut arguments: Arguments) -> Result<()> {
    let workspace = Workspace::open()?;
    let kind = arguments.option("--kind")?.unwrap_or_default();
    if !KINDS.contains(&kind.as_str()) {
        return Err(Failure::usage(format!("--kind is one of {}", KINDS.join(", "))));
    }
    let version = arguments.option("--version")?.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned());
    let folder = arguments.option("--folder")?.map(PathBuf::from);
    let carrel = arguments.option("--carrel")?.map(PathBuf::from);
    let key = arguments.option("--key")?.map(PathBuf::from);
    let sequence = arguments.option("--sequence")?;
    let (add, remove) = (arguments.options("--add-key")?, arguments.options("--remove-key")?);
    let out = arguments.option("--out")?.map(PathBuf::from);
    arguments.finish()?;
    if sequence.as_ref().is_some_and(|sequence| sequence.parse::<u64>().is_err()) {
        return Err(Failure::usage("--sequence is a whole number, higher than that of the bundle before"));
    }
    if folder.is_none() && !["program", "keys"].contains(&kind.as_str()) {
        return Err(Failure::usage(format!("--folder DIR: what the bundle of the kind '{kind}' is to hold")));
    }
    let key = key.map_or_else(|| keys::development(&workspace), Ok)?;
    let epoch = source_date(&workspace)?;
    let work = workspace.scratch("bundle").join(format!("{kind}-{version}"));
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).context(|| format!("cannot make {}", work.display()))?;
    if let Some(folder) = &folder {
        // A copy: the manifest is written beside the files. Links where the file system has them, for models are large.
        run_command(Command::new("cp").args(["-rL", "--reflink=auto", "--"]).arg(folder.join(".")).arg(&work))?;
    } else if kind == "program" {
        let carrel = carrel.map_or_else(|| workspace.build_release(), Ok)?;
        portable::release(&workspace, &carrel, &version, &epoch, &work)?;
    }
    let out = out.unwrap_or_else(|| workspace.scratch("bundle").join(format!("carrel-{version}-{kind}.carrel")));
    let absolute = |path: &Path| path.canonicalize().context(|| format!("cannot open {}", path.display()));
    if let Some(above) = out.parent().filter(|above| !above.as_os_str().is_empty()) {
        fs::create_dir_all(above).context(|| format!("cannot make {}", above.display()))?;
    }
    fs::write(&out, "").context(|| format!("cannot write {}", out.display()))?;
    let out = absolute(&out)?;
    let add: Result<Vec<String>> =
        add.iter().map(|file| Ok(absolute(Path::new(file))?.display().to_string())).collect();
    let add = add?;
    if let Some(file) = add.iter().find(|file| file.contains(char::is_whitespace)) {
        return Err(Failure::new(format!("{file}: a key's path must be without spaces")));
    }
    stage("signing", || {
        let mut package = script(&workspace, "package.sh", &epoch);
        package.arg(&work).arg(&out).env("KIND", &kind).env("VERSION", &version).env("KEY", absolute(&key)?);
        package.env("ADD_KEYS", add.join(" ")).env("REMOVE_KEYS", remove.join(" "));
        if let Some(sequence) = &sequence {
            package.env("SEQUENCE", sequence);
        }
        run_command(&mut package)
    })?;
    fs::remove_dir_all(&work).context(|| format!("cannot remove {}", work.display()))?;
    println!("\n{}", out.display());
    Ok(())
}
