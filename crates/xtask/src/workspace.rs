//! Where the repository is and how cargo is called in it.

use crate::failure::{Context, Failure, Result};
use serde::Deserialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What cargo knows about this workspace.
#[derive(Debug, Deserialize)]
pub struct Workspace {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Workspace {
    /// Asks cargo. Needs no network and no built crate.
    pub fn open() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        // A checkout that was moved after the build still knows its place from cargo's own variable.
        let manifest =
            std::env::var_os("CARGO_MANIFEST_DIR").map_or(manifest, |at| PathBuf::from(at).join("Cargo.toml"));
        let output = Command::new(cargo_program())
            .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
            .arg(&manifest)
            .stderr(Stdio::inherit())
            .output()
            .context(|| "cannot run cargo metadata".to_owned())?;
        if !output.status.success() {
            return Err(Failure::new("cargo metadata failed; see above"));
        }
        serde_json::from_slice(&output.stdout).context(|| "cannot read the output of cargo metadata".to_owned())
    }

    /// A path inside the repository.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.workspace_root.join(inside)
    }

    /// The release binary of the server.
    pub fn carrel(&self) -> PathBuf {
        self.target_directory.join("release").join("carrel")
    }

    /// A folder for what a command makes and throws away.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.target_directory.join(name)
    }

    /// The names of all integration tests (one a file under some crate's `tests/`), sorted.
    pub fn integration_tests(&self) -> Vec<String> {
        let targets = self.packages.iter().flat_map(|package| &package.targets);
        let mut names: Vec<_> =
            targets.filter(|target| target.kind.iter().any(|kind| kind == "test")).map(|t| t.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// A cargo command in the repository's root.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(cargo_program());
        command.args(arguments).current_dir(&self.workspace_root);
        command
    }

    /// Builds the server as it is shipped and says where the binary is.
    pub fn build_release(&self) -> Result<PathBuf> {
        run(&mut self.cargo(&["build", "--release", "--locked", "--package", "carrel"]))?;
        Ok(self.carrel())
    }
}

fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Runs a command on this terminal; a bad end is a [`Failure`].
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().context(|| format!("cannot run {}", spelled(command)))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{} failed ({status})", spelled(command)))) }
}

/// The command as a person would type it.
pub fn spelled(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Where a program stands on PATH, if it does.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
