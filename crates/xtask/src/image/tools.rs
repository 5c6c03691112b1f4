//! The programs that the scripts call, and the Debian packages that they come in.

use crate::failure::{Failure, Result};
use crate::workspace::{on_path, run};
use std::process::{Command, Stdio};

/// Program, package. /sbin is looked into as well: it is not on everybody's path.
const TOOLS: &[(&str, &str)] = &[
    ("mmdebstrap", "mmdebstrap"),
    ("xorriso", "xorriso"),
    ("grub-mkimage", "grub-common"),
    ("mksquashfs", "squashfs-tools"),
    ("mcopy", "mtools"),
    ("mkfs.vfat", "dosfstools"),
    ("veritysetup", "cryptsetup-bin"),
    ("openssl", "openssl"),
    ("jq", "jq"),
    ("strip", "binutils"),
];

/// What `cargo xtask test-image` calls beside.
pub const EMULATOR: &[(&str, &str)] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("swtpm", "swtpm"),
    ("curl", "curl"),
    ("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "ovmf"),
];

/// Finds the tools, or installs them where that is allowed, or says which packages are missing.
pub fn provide() -> Result<()> {
    provide_all(TOOLS)
}

/// The same for other tools.
pub fn provide_all(tools: &[(&str, &str)]) -> Result<()> {
    let missing = missing(tools);
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    if !(super::require_root().is_ok() && on_path("apt-get").is_some()) {
        return Err(Failure::new(format!("packages are missing: {line}")));
    }
    println!("{} missing: installing", missing.join(", "));
    let mut install = Command::new("apt-get");
    install.args(["--quiet", "install", "--yes", "--no-install-recommends"]).args(&missing);
    install.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(Stdio::null());
    run(&mut install).map_err(|_| Failure::new(format!("packages could not be installed; by hand: {line}")))
}

fn missing(tools: &[(&str, &str)]) -> Vec<String> {
    let here = |tool: &str| on_path(tool).is_some() || std::path::Path::new("/sbin").join(tool).is_file();
    tools.iter().filter(|(tool, _)| !here(tool)).map(|(_, package)| (*package).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_by_its_package() {
        assert_eq!(missing(&[("sh", "dash"), ("no-such-program", "its-package")]), ["its-package"]);
    }
}
