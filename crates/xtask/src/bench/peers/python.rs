//! A Python of our own (a venv) with ready-made packages only: no set-up code of a package runs while installing.

use super::{Pin, is_stamped, stamp};
use crate::failure::{Failure, Result};
use crate::models::remove;
use crate::workspace::run;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Every package, its dependencies included, each pinned: onnxruntime and what writes its model, then the tools that
/// build llama.cpp and that its source package wants before it says what it is.
const PACKAGES: &[Pin] = &[
    "onnxruntime==1.31.1",
    "flatbuffers==25.12.19",
    "onnx==1.23.2",
    "protobuf==7.36.2",
    "ml_dtypes==0.6.0",
    "typing_extensions==4.16.0",
    "numpy==2.4.6",
    "tokenizers==0.23.3",
    "cmake==4.4.4",
    "ninja==1.13.2",
    "scikit_build_core==1.1.2",
    "packaging==26.3",
    "pathspec==1.1.1",
];

/// A venv with [`PACKAGES`].
#[derive(Debug)]
pub(super) struct Python {
    folder: PathBuf,
}

impl Python {
    /// The venv under `peers`, made when it is not there.
    pub(super) fn provide(peers: &Path) -> Result<Self> {
        let python = Self { folder: peers.join("python") };
        let wanted = PACKAGES.join("\n");
        if is_stamped(&python.folder, &wanted) {
            return Ok(python);
        }
        println!("making a Python of its own in {}", python.folder.display());
        remove(&python.folder).map_err(|error| Failure::new(format!("cannot make room for it: {error}")))?;
        quietly(Command::new("python3").args(["-m", "venv"]).arg(&python.folder), "apt-get install python3-venv")?;
        let mut install = python.pip();
        install.args(["install", "--no-deps", "--only-binary", ":all:", "--quiet", "--no-input"]).args(PACKAGES);
        quietly(&mut install, "check that pip can reach its packages")?;
        stamp(&python.folder, &wanted)?;
        Ok(python)
    }

    /// The interpreter.
    pub(super) fn program(&self) -> PathBuf {
        self.tool("python")
    }

    /// A program that a package brought.
    pub(super) fn tool(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// Its pip.
    pub(super) fn pip(&self) -> Command {
        let mut command = Command::new(self.program());
        command.args(["-m", "pip", "--disable-pip-version-check"]);
        command
    }
}

/// Runs a command without its small talk; what is to be done about it when it fails is `remedy`.
pub(super) fn quietly(command: &mut Command, remedy: &str) -> Result<()> {
    run(command.stdin(Stdio::null()).stdout(Stdio::null())).map_err(|fault| Failure::new(format!("{fault}: {remedy}")))
}
