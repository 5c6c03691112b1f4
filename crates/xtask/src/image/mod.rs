//! `cargo xtask image`: the offline installer image and the signed update that carries the same system.
//!
//! The work is done by the short scripts of appliance/build, one a stage; what is here checks that their tools are
//! there, gives them their places, and makes what needs cargo: the binary, the list of crates and their licences.

mod bill;
mod bundle;
mod keys;
mod licences;
mod models;
mod portable;
mod tools;

use crate::arguments::Arguments;
use crate::failure::{Context, Failure, Result};
use crate::workspace::{Workspace, run as run_command};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

pub use bundle::run as run_bundle;
pub use keys::create as create_key;
pub use tools::provide;

/// What is built and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The system's version; updates go from a lower to a higher one.
    pub version: String,
    /// The folder for what comes out.
    pub out: PathBuf,
    /// Models on the image: archives of models.lock by role, or a folder's content.
    pub models: Models,
    /// The private key that signs.
    pub key: PathBuf,
    /// Compression of the root file system, zstd's 1 to 22.
    pub level: u32,
    /// The server's binary, if it is built already.
    pub carrel: Option<PathBuf>,
    /// A preseed file for the image, so that it installs without questions.
    pub preseed: Option<PathBuf>,
    /// Files to lay over the root file system; for tests.
    pub overlay: Option<PathBuf>,
    /// With a root shell on the serial line, which is for tests only.
    pub test: bool,
}

/// Which models come along.
#[derive(Debug, Clone)]
pub enum Models {
    /// None: an admin imports them.
    None,
    /// Those that `cargo xtask demo` uses.
    Default,
    /// Everything in a folder.
    Folder(PathBuf),
}

/// What a build left.
pub struct Built {
    /// The installer image.
    pub image: PathBuf,
    /// The same system as an update.
    pub update: PathBuf,
}

/// Reads the command line and does it.
pub fn run(mut arguments: Arguments) -> Result<()> {
    let workspace = Workspace::open()?;
    let key = arguments.option("--key")?.map(PathBuf::from);
    if arguments.flag("--new-key") {
        let key = key.ok_or_else(|| Failure::usage("--new-key needs --key FILE, where the key is to be kept"))?;
        arguments.finish()?;
        return keys::create(&key);
    }
    let out = arguments.option("--out")?.map_or_else(|| workspace.scratch("image"), PathBuf::from);
    let version = arguments.option("--version")?.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned());
    let carrel = arguments.option("--carrel")?.map(PathBuf::from);
    if arguments.flag("--portable") {
        arguments.finish()?;
        let carrel = carrel.map_or_else(|| workspace.build_release(), Ok)?;
        return portable::build(&workspace, &carrel, &version, key.as_deref(), &out).map(|_| ());
    }
    let models = match arguments.option("--models")?.as_deref() {
        None => Models::Default,
        Some("none") => Models::None,
        Some(folder) => Models::Folder(absolute(Path::new(folder))?),
    };
    let level = arguments.option("--level")?.unwrap_or_else(|| "19".to_owned());
    let level = level.parse().map_err(|_| Failure::usage(format!("--level {level} is not a number from 1 to 22")))?;
    let preseed = arguments.option("--preseed")?.map(PathBuf::from);
    arguments.finish()?;
    provide()?;
    let key = key.map_or_else(|| keys::development(&workspace), Ok)?;
    let plan = Plan { version, out, models, key, level, carrel, preseed, overlay: None, test: false };
    let built = build(&workspace, &plan)?;
    println!(
        "\n{}\n{}\nCheck and use them as docs/operator/install.md says.",
        built.image.display(),
        built.update.display()
    );
    Ok(())
}

/// Finds or installs the emulator and what the test of an image calls beside.
pub fn provide_emulator() -> Result<()> {
    tools::provide_all(tools::EMULATOR)
}

/// Builds the image and the update.
pub fn build(workspace: &Workspace, plan: &Plan) -> Result<Built> {
    require_root()?;
    fs::create_dir_all(&plan.out).context(|| format!("cannot make {}", plan.out.display()))?;
    let plan = Plan { out: absolute(&plan.out)?, key: absolute(&plan.key)?, ..plan.clone() };
    let work = plan.out.join("work");
    fs::create_dir_all(&work).context(|| format!("cannot make {}", work.display()))?;
    let epoch = source_date(workspace)?;
    let public = keys::public(&plan.key, &work)?;
    let version = plan.version.as_str();

    let rootfs = stage("root file system from Debian's packages", || rootfs(workspace, &epoch))?;
    let carrel = match &plan.carrel {
        Some(carrel) => absolute(carrel)?,
        None => stage("the server", || workspace.build_release())?,
    };
    let extra = work.join("extra");
    stage("bill of materials and licences", || {
        let _ = fs::remove_dir_all(&extra);
        fs::create_dir_all(extra.join("licences")).context(|| format!("cannot make {}", extra.display()))?;
        licences::collect(workspace, &extra.join("licences"))
    })?;
    let system = work.join(format!("system-{version}"));
    stage("the sealed system", || {
        let mut script = script(workspace, "system.sh", &epoch);
        script.arg(&system).env("ROOTFS", &rootfs).env("CARREL", &carrel).env("VERSION", version);
        script.env("PUBLIC_KEY", &public).env("DOCS", workspace.path("docs")).env("EXTRA", &extra).env("WORK", &work);
        script.env("LEVEL", plan.level.to_string()).env("TEST", if plan.test { "1" } else { "0" });
        script.env("BILL", bill::write_crates(workspace, version, &epoch, &work)?);
        if let Some(overlay) = &plan.overlay {
            script.env("OVERLAY", absolute(overlay)?);
        }
        run_command(&mut script)
    })?;
    let update = plan.out.join(format!("carrel-{version}.carrel"));
    stage("the signed update", || package(workspace, &plan, "system", &system, Some(&update), &epoch))?;
    let models = models::gather(workspace, &plan.models, &work)?;
    if let Some(models) = &models {
        stage("the signed models", || package(workspace, &plan, "models", models, None, &epoch))?;
    }
    let image = plan.out.join(format!("carrel-{version}.iso"));
    stage("the installer image", || {
        let mut script = script(workspace, "medium.sh", &epoch);
        script.arg(&image).env("SYSTEM", &system).env("ROOTFS", &rootfs).env("WORK", &work);
        script.env("PUBLIC_KEY", &public).env("VERSION", version);
        if let Some(models) = &models {
            script.env("MODELS", models);
        }
        if let Some(preseed) = &plan.preseed {
            script.env("PRESEED", absolute(preseed)?).env("TIMEOUT", "1");
        }
        run_command(&mut script)
    })?;
    keys::sums(workspace, &plan, &[&image, &update])?;
    fs::remove_dir_all(&work).context(|| format!("cannot remove {}", work.display()))?;
    Ok(Built { image, update })
}

/// Signs a folder as a package of that kind.
fn package(
    workspace: &Workspace,
    plan: &Plan,
    kind: &str,
    folder: &Path,
    out: Option<&Path>,
    epoch: &str,
) -> Result<()> {
    let mut script = script(workspace, "package.sh", epoch);
    script.arg(folder).args(out).env("KIND", kind).env("VERSION", &plan.version).env("KEY", &plan.key);
    run_command(&mut script)
}

/// The root file system, which is kept for as long as what it is made from is the same.
fn rootfs(workspace: &Workspace, epoch: &str) -> Result<PathBuf> {
    let suite = std::env::var("CARREL_SUITE").unwrap_or_else(|_| "bookworm".to_owned());
    let mut made_from = suite.clone();
    for file in ["appliance/packages.list", "appliance/build/rootfs.sh"] {
        let path = workspace.path(file);
        made_from += &fs::read_to_string(&path).context(|| format!("cannot read {}", path.display()))?;
    }
    let folder = crate::models::cache_folder("CARREL_IMAGE_CACHE", "image")?;
    fs::create_dir_all(&folder).context(|| format!("cannot make {}", folder.display()))?;
    let (tar, stamp) = (folder.join("rootfs.tar"), folder.join("rootfs.made-from"));
    if tar.is_file() && fs::read_to_string(&stamp).is_ok_and(|kept| kept == made_from) {
        println!("kept from before: {} (remove it to fetch newer packages)", tar.display());
        return Ok(tar);
    }
    let _ = fs::remove_file(&stamp);
    run_command(script(workspace, "rootfs.sh", epoch).arg(suite).arg(&tar))?;
    fs::write(&stamp, made_from).context(|| format!("cannot write {}", stamp.display()))?;
    Ok(tar)
}

fn script(workspace: &Workspace, name: &str, epoch: &str) -> Command {
    let mut command = Command::new(workspace.path("appliance/build").join(name));
    command.env("SOURCE_DATE_EPOCH", epoch);
    command
}

/// `SOURCE_DATE_EPOCH`, or else the time of the last commit, in seconds.
fn source_date(workspace: &Workspace) -> Result<String> {
    if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(given);
    }
    let output = Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(workspace.path(".")).output();
    let seconds = output.ok().filter(|output| output.status.success());
    let seconds = seconds.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    seconds.ok_or_else(|| Failure::new("no commit says when this is from: set SOURCE_DATE_EPOCH to seconds since 1970"))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().context(|| format!("cannot open {}", path.display()))
}

fn require_root() -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        return Ok(());
    }
    Err(Failure::new("owners of files and a chroot need root: run it as root, such as by sudo"))
}

/// Says what is being done and how long it took.
fn stage<T>(about: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("== {about}");
    let begun = Instant::now();
    let done = work()?;
    println!("   {:.1} s", begun.elapsed().as_secs_f64());
    Ok(done)
}
