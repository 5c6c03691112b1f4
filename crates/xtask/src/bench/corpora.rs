//! Real files to read: documentation from the machine's own Debian packages, and the sample documents many times over.

use crate::failure::{Context, Failure, Result};
use crate::workspace::Workspace;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Placeholder, Debian package, and the folder in it.
const PACKAGED: [(&str, &str, &str); 3] = [
    ("{manual}", "postgresql-doc-15", "usr/share/doc/postgresql-doc-15/html"),
    ("{wiki}", "sqlite3-doc", "usr/share/doc/sqlite3"),
    ("{long-pdfs}", "r-doc-pdf", "usr/share/R/doc/manual"),
];
/// The sample documents' PDFs, each so many times with other bytes behind its end, so that none equals another.
const SHORT_PDFS: &str = "{short-pdfs}";
const COPIES: usize = 30;
/// In r-doc-pdf this is the same file as another one.
const TWIN: &str = "fullrefman.pdf";

/// The folder that a placeholder stands for, made ready; `None` if it is none of these.
pub fn provide(word: &str, workspace: &Workspace, samples: &Path) -> Result<Option<PathBuf>> {
    let cache = cache(workspace);
    if word == SHORT_PDFS {
        return short_pdfs(&cache.join("short-pdfs"), samples).map(Some);
    }
    let Some((_, package, inside)) = PACKAGED.iter().find(|(placeholder, ..)| *placeholder == word) else {
        return Ok(None);
    };
    let folder = cache.join(package);
    let documents = folder.join(inside);
    if !documents.is_dir() {
        unpack(package, &folder)?;
        let _ = fs::remove_file(documents.join(TWIN));
    }
    if documents.is_dir() { Ok(Some(documents)) } else { Err(Failure::new(format!("{package} has no {inside}"))) }
}

/// Where these folders are kept from one run to the next.
fn cache(workspace: &Workspace) -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    home.map_or_else(|| workspace.scratch("corpora"), |home| home.join(".cache/carrel/corpora"))
}

/// Fetches a Debian package through the machine's own package client and unpacks it, without installing it.
fn unpack(package: &str, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).context(|| format!("cannot make {}", folder.display()))?;
    let run = |command: &mut Command, what: &str| {
        let output = command.current_dir(folder).output().context(|| format!("cannot {what} {package}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Failure::new(format!("cannot {what} {package}, whose documents this benchmark reads: {said}")))
    };
    run(Command::new("apt-get").args(["download", package]), "fetch")?;
    let found = fs::read_dir(folder).context(|| format!("cannot read {}", folder.display()))?;
    let file = found.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "deb"));
    let file = file.ok_or_else(|| Failure::new(format!("apt-get left no file of {package}")))?;
    run(Command::new("dpkg-deb").arg("-x").arg(&file).arg("."), "unpack")
}

fn short_pdfs(folder: &Path, samples: &Path) -> Result<PathBuf> {
    if folder.is_dir() {
        return Ok(folder.to_owned());
    }
    let partial = folder.with_extension("partial");
    fs::create_dir_all(&partial).context(|| format!("cannot make {}", partial.display()))?;
    for department in fs::read_dir(samples).context(|| format!("cannot read {}", samples.display()))?.flatten() {
        for file in fs::read_dir(department.path()).into_iter().flatten().flatten() {
            let path = file.path();
            let Some(stem) = path.file_stem().filter(|_| path.extension().is_some_and(|end| end == "pdf")) else {
                continue;
            };
            let bytes = fs::read(&path).context(|| format!("cannot read {}", path.display()))?;
            for copy in 1..=COPIES {
                let name = partial.join(format!("{}-{copy:02}.pdf", stem.to_string_lossy()));
                let copy = [bytes.as_slice(), format!("\n% copy {copy}\n").as_bytes()].concat();
                fs::write(&name, copy).context(|| format!("cannot write {}", name.display()))?;
            }
        }
    }
    fs::rename(&partial, folder).context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder.to_owned())
}
