//! llama.cpp, from the sources that a Python package carries, compiled for this machine's processor.

use super::python::{Python, quietly};
use super::{is_stamped, stamp};
use crate::failure::{Context, Failure, Result};
use crate::models::remove;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "llama-cpp-python";
const VERSION: &str = "0.3.36";
/// SHA-256 of the package's source archive.
const SHA256: &str = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e";

/// What is built.
pub(super) const PROGRAMS: &[&str] = &["llama-bench", "llama-batched-bench"];

/// As its own documentation builds for speed: optimised, for this very processor; without what needs a network.
const CONFIGURATION: &[&str] = &[
    "-DCMAKE_BUILD_TYPE=Release",
    "-DGGML_NATIVE=ON",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_SERVER=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_UI=OFF",
];

/// GCC 12 takes a tile configuration for unused beyond its first eight bytes and drops the rest: the first product on AMX
/// would end the program.
const KEEP_TILES: &str = "-DCMAKE_CXX_FLAGS=-fno-tree-dse -fno-dse";

/// [`CONFIGURATION`], and what this processor needs beside.
fn configuration() -> Vec<&'static str> {
    let tiles = std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains(" amx_tile"));
    CONFIGURATION.iter().copied().chain(tiles.then_some(KEEP_TILES)).collect()
}

/// The folder of the programs under `peers`, built when they are not there (minutes).
pub(super) fn provide(peers: &Path) -> Result<PathBuf> {
    let folder = peers.join(format!("llama.cpp-{VERSION}"));
    let programs = folder.join("bin");
    let wanted = format!("{SHA256}\n{}\n{}\n", configuration().join(" "), PROGRAMS.join(" "));
    if is_stamped(&folder, &wanted) {
        return Ok(programs);
    }
    let python = Python::provide(peers)?;
    let work = folder.join("work");
    remove(&folder).context(|| format!("cannot clear {}", folder.display()))?;
    for made in [&programs, &work] {
        std::fs::create_dir_all(made).context(|| format!("cannot make {}", made.display()))?;
    }
    println!("{PACKAGE} {VERSION}: fetching the sources of llama.cpp");
    let sources = unpack(&python, &download(&python, &work)?, &work)?;
    println!("llama.cpp: compiling {} (minutes)", PROGRAMS.join(" and "));
    build(&python, &sources, &work.join("build"))?;
    for program in PROGRAMS {
        let built = work.join("build/bin").join(program);
        std::fs::copy(&built, programs.join(program)).context(|| format!("cannot keep {}", built.display()))?;
    }
    remove(&work).context(|| format!("cannot clear {}", work.display()))?;
    stamp(&folder, &wanted)?;
    Ok(programs)
}

fn download(python: &Python, work: &Path) -> Result<PathBuf> {
    let mut command = python.pip();
    // The tools its build wants are in this Python already: without isolation none is fetched or compiled.
    command.args(["download", "--quiet", "--no-input", "--no-deps", "--no-build-isolation", "--no-binary", PACKAGE]);
    command.arg("--dest").arg(work).arg(format!("{PACKAGE}=={VERSION}"));
    quietly(&mut command, "check that pip can reach its packages")?;
    let archive = work.join(format!("{}-{VERSION}.tar.gz", PACKAGE.replace('-', "_")));
    let mut hash = Sha256::new();
    std::fs::File::open(&archive)
        .and_then(|mut file| std::io::copy(&mut file, &mut hash))
        .context(|| format!("cannot read {}", archive.display()))?;
    let found = format!("{:x}", hash.finalize());
    if found == SHA256 {
        Ok(archive)
    } else {
        Err(Failure::new(format!("the sources have the SHA-256 {found} instead of {SHA256}")))
    }
}

fn unpack(python: &Python, archive: &Path, work: &Path) -> Result<PathBuf> {
    let mut command = Command::new(python.program());
    command.args(["-m", "tarfile", "--extract"]).arg(archive).arg(work);
    quietly(&mut command, "see whether the disk is full")?;
    Ok(work.join(format!("{}-{VERSION}/vendor/llama.cpp", PACKAGE.replace('-', "_"))))
}

fn build(python: &Python, sources: &Path, build: &Path) -> Result<()> {
    let cmake = || Command::new(python.tool("cmake"));
    let ninja = format!("-DCMAKE_MAKE_PROGRAM={}", python.tool("ninja").display());
    let mut configure = cmake();
    configure.arg("-S").arg(sources).arg("-B").arg(build).args(["-G", "Ninja"]).arg(ninja).args(configuration());
    quietly(&mut configure, "a C++ compiler is needed, on Debian: apt-get install g++")?;
    let mut compile = cmake();
    compile.arg("--build").arg(build).arg("--target").args(PROGRAMS);
    quietly(&mut compile, "see the compiler's message above")
}
