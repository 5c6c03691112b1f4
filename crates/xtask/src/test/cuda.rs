//! The sources behind the feature `cuda` are checked where there is no CUDA: types and lints, nothing is run.
//!
//! Kernels come from a dependency whose build calls NVIDIA's compiler. Here a script stands in for it that writes empty
//! files, so what is built can be checked and not linked. docs/cuda.md has the real build.

use crate::failure::{Context, Result};
use crate::workspace::{Workspace, run};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const STAND_IN: &str = r#"#!/bin/sh
# Stands in for NVIDIA's compiler where only Rust is to be checked: every output is an empty file.
case "$1" in --version) echo "Cuda compilation tools, release 13.0, V13.0.88"; exit 0 ;; esac
while [ $# -gt 0 ]; do
    case "$1" in
        -o) : > "$2"; shift ;;
        --output-directory) folder=$2; shift ;;
        *.cu) source=$1 ;;
    esac
    shift
done
[ -z "$folder" ] || : > "$folder/$(basename "$source" .cu).ptx"
"#;

/// Checks the crate with the GPU's decoder, in a target folder of its own: real and stand-in kernels never mix.
pub fn check(workspace: &Workspace) -> Result<()> {
    let target = workspace.scratch("cuda");
    let compiler = target.join("stand-in/bin/nvcc");
    write_program(&compiler).context(|| format!("cannot write {}", compiler.display()))?;
    let mut command = workspace.cargo(&["clippy", "--package", "inference", "--features", "cuda", "--locked"]);
    command.args(["--quiet", "--target-dir"]).arg(&target).args(["--", "-D", "warnings"]);
    // Any architecture and version that the libraries know do: nothing is compiled for them.
    command.env("NVCC", &compiler).env("CUDA_COMPUTE_CAP", "90").env("CUDARC_CUDA_VERSION", "13000");
    run(&mut command)
}

fn write_program(file: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(file.parent().unwrap_or(file))?;
    std::fs::write(file, STAND_IN)?;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_stand_in_makes_the_files_that_a_build_waits_for() {
        let folder = tempfile::TempDir::new().unwrap();
        let nvcc = folder.path().join("bin/nvcc");
        write_program(&nvcc).unwrap();
        let call = |words: &[&str]| Command::new(&nvcc).args(words).current_dir(folder.path()).output().unwrap();
        assert!(String::from_utf8_lossy(&call(&["--version"]).stdout).contains("release 13.0"));
        assert!(call(&["-c", "-o", "a.o", "src/a.cu"]).status.success());
        assert!(call(&["--ptx", "--output-directory", ".", "-O3", "src/b.cu"]).status.success());
        assert!(folder.path().join("a.o").is_file() && folder.path().join("b.ptx").is_file());
    }
}
