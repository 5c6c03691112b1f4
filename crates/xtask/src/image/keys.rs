//! The Ed25519 key that signs images and updates, by OpenSSL's command line: anyone can check with the same program.

use super::Plan;
use crate::failure::{Context, Failure, Result};
use crate::workspace::{Workspace, run};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes a key in `file` (PEM, PKCS #8), readable by its owner only, and says how it is to be kept.
pub fn create(file: &Path) -> Result<()> {
    if file.exists() {
        return Err(Failure::new(format!("{} is there already; a key is never overwritten", file.display())));
    }
    run(Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(file))?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))
        .context(|| "cannot close the key to others".to_owned())?;
    println!("{}: keep it off this machine; who has it makes updates that every appliance takes", file.display());
    Ok(())
}

/// A key for trying, made when it is not there. Images signed with it are for nobody else.
pub fn development(workspace: &Workspace) -> Result<PathBuf> {
    let file = workspace.scratch("development-update.key");
    if !file.is_file() {
        create(&file)?;
    }
    println!("signing with a development key; --key FILE gives the real one");
    Ok(file)
}

/// Writes the public half into the folder.
pub fn public(key: &Path, folder: &Path) -> Result<PathBuf> {
    let public = folder.join("update.pub");
    run(Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(key).arg("-out").arg(&public))?;
    Ok(public)
}

/// Writes SHA256SUMS of what was built, SHA256SUMS.sig over it, and the public key beside.
pub fn sums(workspace: &Workspace, plan: &Plan, files: &[&Path]) -> Result<()> {
    let names = files.iter().filter_map(|file| file.file_name());
    let output = Command::new("sha256sum").args(names).current_dir(&plan.out).output();
    let output = output.context(|| "cannot run sha256sum".to_owned())?;
    let sums = plan.out.join("SHA256SUMS");
    fs::write(&sums, output.stdout).context(|| format!("cannot write {}", sums.display()))?;
    let mut sign = Command::new("openssl");
    sign.args(["pkeyutl", "-sign", "-rawin", "-inkey"]).arg(&plan.key).arg("-in").arg(&sums);
    run(sign.arg("-out").arg(plan.out.join("SHA256SUMS.sig")).current_dir(workspace.path(".")))?;
    public(&plan.key, &plan.out).map(|_| ())
}
