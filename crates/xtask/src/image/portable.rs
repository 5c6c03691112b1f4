//! The portable variant: a tarball for a host that is there already, installed by a script, without network.

use super::{bill, licences, source_date, stage};
use crate::failure::{Context, Result};
use crate::workspace::{Workspace, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds `carrel-VERSION-portable.tar.gz` in the folder.
pub fn build(workspace: &Workspace, carrel: &Path, version: &str, out: &Path) -> Result<PathBuf> {
    let name = format!("carrel-{version}");
    let folder = out.join("portable").join(&name);
    let _ = fs::remove_dir_all(&folder);
    let make = |inside: &str| {
        let path = folder.join(inside);
        fs::create_dir_all(&path).context(|| format!("cannot make {}", path.display())).map(|()| path)
    };
    let licences_folder = make("licences")?;
    let units = make("systemd")?;
    let epoch = source_date(workspace)?;
    stage("bill of materials and licences", || {
        licences::collect(workspace, &licences_folder)?;
        bill::write_crates(workspace, version, &epoch, &folder).map(|_| ())
    })?;
    let archive = out.join(format!("{name}-portable.tar.gz"));
    stage("the tarball", || {
        let copy = |from: &Path, to: PathBuf| {
            fs::copy(from, &to).context(|| format!("cannot copy {}", from.display())).map(|_| ())
        };
        copy(carrel, folder.join("carrel"))?;
        run(Command::new("strip").arg("--strip-debug").arg(folder.join("carrel")))?;
        for file in ["install.sh", "uninstall.sh", "README"] {
            copy(&workspace.path("appliance/portable").join(file), folder.join(file))?;
        }
        // The same sandbox as in the appliance; only the places differ.
        for unit in ["carrel.service", "carrel.socket"] {
            copy(&workspace.path("appliance/root/usr/lib/systemd/system").join(unit), units.join(unit))?;
        }
        run(Command::new("cp").arg("-r").arg(workspace.path("docs")).arg(folder.join("doc")))?;
        fs::write(folder.join("version"), format!("{version}\n")).context(|| "cannot write the version".to_owned())?;
        let mut tar = Command::new("tar");
        tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=ustar"]);
        tar.arg(format!("--mtime=@{epoch}")).args(["--use-compress-program=gzip -n", "-C"]).arg(out.join("portable"));
        run(tar.arg("-cf").arg(&archive).arg(&name))
    })?;
    fs::remove_dir_all(out.join("portable")).context(|| "cannot remove the folder it was made in".to_owned())?;
    println!("\n{}", archive.display());
    Ok(archive)
}
