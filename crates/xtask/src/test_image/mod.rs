//! `cargo xtask test-image`: the appliance from an empty disk to a bad update that it takes back by itself, in an
//! emulator. Nothing in it asks for KVM: with pure emulation it takes the better part of an hour.

mod hardware;
mod machine;
mod person;
mod second;
mod story;

use crate::arguments::Arguments;
use crate::failure::{Context, Failure, Result};
use crate::image::{self, Built, Models, Plan};
use crate::workspace::{Workspace, run as run_command};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The versions of the story: the one that is installed, a good update, and one whose server does not start.
const INSTALLED: &str = "0.9.0";
const GOOD: &str = "0.9.1";
const BAD: &str = "0.9.2";

/// Larger than the least disk that may be installed on.
const INSTALLER_STICK_BYTES: u64 = 16 << 30;

const PRESEED: &str = "disk=auto\nerase=yes\nencrypt=tpm\npassphrase=three quiet lizards\nkeyboard=de-latin1\nhostname=carrel-test\n\
address=10.0.2.15/24\ngateway=10.0.2.2\ntimezone=Europe/Berlin\ntime=keep\nfinish=poweroff\n";

/// Reads the command line and does it.
pub fn run(mut arguments: Arguments) -> Result<()> {
    let workspace = Workspace::open()?;
    let folder = arguments.option("--work")?.map_or_else(|| workspace.scratch("test-image"), PathBuf::from);
    let carrel = arguments.option("--carrel")?.map(PathBuf::from);
    let no_build = arguments.flag("--no-build");
    let second = arguments.flag("--second");
    arguments.finish()?;
    image::provide()?;
    image::provide_emulator()?;
    fs::create_dir_all(&folder).context(|| format!("cannot make {}", folder.display()))?;
    let folder = folder.canonicalize().context(|| format!("cannot open {}", folder.display()))?;
    if !no_build {
        build_all(&workspace, &folder, carrel)?;
    }
    let built = |version: &str| Built {
        image: folder.join(format!("carrel-{version}.iso")),
        update: folder.join(format!("carrel-{version}.carrel")),
    };
    if !built(INSTALLED).image.is_file() || !folder.join("updates.iso").is_file() {
        return Err(Failure::new("the images are not there; leave out --no-build to build them"));
    }
    story::tell(&workspace, &folder, &built(INSTALLED).image, second)
}

fn build_all(workspace: &Workspace, folder: &Path, carrel: Option<PathBuf>) -> Result<()> {
    let carrel = carrel.map_or_else(|| workspace.build_release(), Ok)?;
    stick(&folder.join("preseed.img"), "CARREL-PRE", &[("carrel-preseed.conf", PRESEED)])?;
    let key = folder.join("test.key");
    if !key.is_file() {
        image::create_key(&key)?;
    }
    // The bad one has a server that ends at once, and is given up after a minute rather than ten.
    let bad = folder.join("bad");
    fs::create_dir_all(bad.join("usr/bin")).context(|| format!("cannot make {}", bad.display()))?;
    let broken = bad.join("usr/bin/carrel");
    write(&broken, b"#!/bin/sh\necho this version is broken >&2\nexit 1\n")?;
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).context(|| "cannot set rights".to_owned())?;
    fs::create_dir_all(bad.join("usr/share/carrel")).context(|| format!("cannot make {}", bad.display()))?;
    write(&bad.join("usr/share/carrel/health-seconds"), b"60\n")?;

    let models = test_models(workspace, folder)?;
    let plan = |version: &str, models: Models, overlay: Option<PathBuf>| Plan {
        version: version.to_owned(),
        out: folder.to_owned(),
        models,
        key: key.clone(),
        level: 3,
        carrel: Some(carrel.clone()),
        preseed: None,
        overlay,
        test: true,
    };
    image::build(workspace, &plan(INSTALLED, Models::Folder(models), None))?;
    let good = image::build(workspace, &plan(GOOD, Models::None, None))?;
    let bad = image::build(workspace, &plan(BAD, Models::None, Some(bad)))?;
    for image in [&good.image, &bad.image] {
        fs::remove_file(image).context(|| format!("cannot remove {}", image.display()))?;
    }
    update_stick(folder, &good.update, &bad.update)
}

/// The smallest models: one that embeds and one that writes.
fn test_models(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let models = crate::models::ModelsFolder::open()?;
    let found = crate::models::fetch::fetch(workspace, &models, &["generate-tests", "embed-default"])?;
    let folder = folder.join("models");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).context(|| format!("cannot make {}", folder.display()))?;
    run_command(Command::new("cp").args(["-rL", "--reflink=auto"]).args(&found).arg(&folder))?;
    Ok(folder)
}

/// A stick with both updates, and with copies of the good one that are cut short and altered.
fn update_stick(folder: &Path, good: &Path, bad: &Path) -> Result<()> {
    let stick = folder.join("stick");
    let _ = fs::remove_dir_all(&stick);
    fs::create_dir_all(&stick).context(|| format!("cannot make {}", stick.display()))?;
    let link = |from: &Path, name: &str| {
        fs::hard_link(from, stick.join(name)).context(|| format!("cannot link {}", from.display()))
    };
    link(good, "good.carrel")?;
    link(bad, "bad.carrel")?;
    link(&folder.join(format!("carrel-{INSTALLED}.carrel")), "same.carrel")?;
    let mut bytes = fs::read(good).context(|| format!("cannot read {}", good.display()))?;
    let half = bytes.len() / 2;
    write(&stick.join("cut.carrel"), &bytes[..half])?;
    bytes[half] ^= 1;
    write(&stick.join("altered.carrel"), &bytes)?;
    // In the manifest, which comes first: another version than the signed one.
    bytes[half] ^= 1;
    if let Some(at) = bytes.windows(GOOD.len()).position(|window| window == GOOD.as_bytes()) {
        bytes[at..at + GOOD.len()].copy_from_slice(b"9.9.9");
    }
    write(&stick.join("forged.carrel"), &bytes)?;
    let mut xorriso = Command::new("xorriso");
    xorriso.args(["-as", "mkisofs", "-quiet", "-r", "-V", "CARREL-UPD", "-iso-level", "3", "-o"]);
    run_command(xorriso.arg(folder.join("updates.iso")).arg(&stick))?;
    fs::remove_dir_all(&stick).context(|| format!("cannot remove {}", stick.display()))
}

/// A USB stick with these files, as the file that it is.
fn stick(path: &Path, label: &str, files: &[(&str, &str)]) -> Result<()> {
    fs::File::create(path).and_then(|file| file.set_len(16 << 20)).context(|| "cannot make a stick".to_owned())?;
    run_command(Command::new("mkfs.vfat").args(["-n", label]).arg(path).stdout(std::process::Stdio::null()))?;
    for (name, text) in files {
        let file = path.with_extension(name);
        write(&file, text.as_bytes())?;
        run_command(Command::new("mcopy").arg("-i").arg(path).arg(&file).arg(format!("::{name}")))?;
        fs::remove_file(&file).context(|| format!("cannot remove {}", file.display()))?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).context(|| format!("cannot write {}", path.display()))
}
