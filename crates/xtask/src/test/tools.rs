//! What tests need on the machine: a Chromium and the chromedriver that goes with it, and a Python that can make
//! environments, for OpenAI's own client; jq and openssl, with which bundles are made. A slapd is installed where that is allowed; without one the tests of the directory
//! skip themselves.

use crate::failure::{Failure, Result};
use crate::workspace::{on_path, run, spelled};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Finds them, or installs them where that is allowed, or says in one line what is missing.
pub fn provide() -> Result<()> {
    provide_directory();
    let Some(lacking) = lacking() else {
        println!("a Chromium, chromedriver, Python, jq and openssl are here");
        return Ok(());
    };
    if !(is_root() && on_path("apt-get").is_some()) {
        return Err(Failure::new(format!(
            "{lacking} is missing; install it, on Debian: apt-get install chromium chromium-driver python3-venv jq openssl"
        )));
    }
    println!("{lacking} is missing: installing it");
    apt_get(&["update"])?;
    let packages = ["chromium", "chromium-driver", "fonts-liberation", "python3", "python3-venv", "jq", "openssl"];
    apt_get(&[&["install", "--yes", "--no-install-recommends"], &packages[..]].concat())?;
    self::lacking()
        .map_or(Ok(()), |still| Err(Failure::new(format!("{still} is still missing after its installation"))))
}

/// A directory server for the tests of sign-in; they can do without.
fn provide_directory() {
    let is_here = || Path::new("/usr/sbin/slapd").exists() || on_path("slapd").is_some();
    if is_here() {
        return;
    }
    if is_root() && on_path("apt-get").is_some() {
        println!("slapd is missing: installing it");
        let install = ["install", "--yes", "--no-install-recommends", "slapd"];
        let _ = apt_get(&["update"]).and_then(|()| apt_get(&install));
    }
    if !is_here() {
        println!("slapd is missing, so the tests of the directory are skipped; on Debian: apt-get install slapd");
    }
}

fn lacking() -> Option<&'static str> {
    if BROWSERS.iter().all(|name| on_path(name).is_none()) {
        Some("a Chromium")
    } else if on_path("chromedriver").is_none() {
        Some("chromedriver")
    } else if !makes_environments() {
        Some("Python with its modules venv and pip")
    } else if on_path("jq").is_none() || on_path("openssl").is_none() {
        Some("jq or openssl, with which bundles are made,")
    } else {
        None
    }
}

fn makes_environments() -> bool {
    let mut python = Command::new("python3");
    python.args(["-c", "import venv, ensurepip"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.arg("--quiet").args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    run(&mut command).map_err(|failure| Failure::new(format!("{failure}; `{}` by hand shows why", spelled(&command))))
}
