//! The portable variant: a tarball for a host that is there already, installed by a script, without network.

use super::{bill, keys, licences, source_date, stage};
use crate::failure::{Context, Result};
use crate::workspace::{Workspace, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lays out what a release of the portable variant is made of: program, documentation, licences, bill of materials.
pub fn release(workspace: &Workspace, carrel: &Path, version: &str, epoch: &str, folder: &Path) -> Result<()> {
    let licences_folder = folder.join("licences");
    fs::create_dir_all(&licences_folder).context(|| format!("cannot make {}", licences_folder.display()))?;
    stage("bill of materials and licences", || {
        licences::collect(workspace, &licences_folder)?;
        bill::write_crates(workspace, version, epoch, folder).map(|_| ())
    })?;
    let program = folder.join("carrel");
    fs::copy(carrel, &program).context(|| format!("cannot copy {}", carrel.display()))?;
    run(Command::new("strip").arg("--strip-debug").arg(&program))?;
    run(Command::new("cp").arg("-r").arg(workspace.path("docs")).arg(folder.join("doc")))?;
    fs::write(folder.join("version"), format!("{version}\n")).context(|| "cannot write the version".to_owned())
}

/// Builds `carrel-VERSION-portable.tar.gz` in the folder; with a key, its public half goes along, to be trusted.
pub fn build(workspace: &Workspace, carrel: &Path, version: &str, key: Option<&Path>, out: &Path) -> Result<PathBuf> {
    let name = format!("carrel-{version}");
    let folder = out.join("portable").join(&name);
    let _ = fs::remove_dir_all(&folder);
    let units = folder.join("systemd");
    fs::create_dir_all(&units).context(|| format!("cannot make {}", units.display()))?;
    let epoch = source_date(workspace)?;
    release(workspace, carrel, version, &epoch, &folder)?;
    if let Some(key) = key {
        keys::public(key, &folder)?;
    }
    let archive = out.join(format!("{name}-portable.tar.gz"));
    stage("the tarball", || {
        let copy = |from: &Path, to: PathBuf| {
            fs::copy(from, &to).context(|| format!("cannot copy {}", from.display())).map(|_| ())
        };
        for file in ["install.sh", "uninstall.sh", "README"] {
            copy(&workspace.path("appliance/portable").join(file), folder.join(file))?;
        }
        copy(&workspace.path("appliance/root/usr/lib/carrel/bin/carrel"), folder.join("carrel-command"))?;
        // The same sandbox as in the appliance; only the places differ.
        for unit in ["carrel.service", "carrel.socket"] {
            copy(&workspace.path("appliance/root/usr/lib/systemd/system").join(unit), units.join(unit))?;
        }
        let mut tar = Command::new("tar");
        tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=ustar"]);
        tar.arg(format!("--mtime=@{epoch}")).args(["--use-compress-program=gzip -n", "-C"]).arg(out.join("portable"));
        run(tar.arg("-cf").arg(&archive).arg(&name))
    })?;
    fs::remove_dir_all(out.join("portable")).context(|| "cannot remove the folder it was made in".to_owned())?;
    println!("\n{}", archive.display());
    Ok(archive)
}
