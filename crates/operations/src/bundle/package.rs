//! The file: its two first members say what it is; unpacking it can be cut short at any byte and goes on.

use super::keyring::hexadecimal;
use super::refusal::at;
use super::{KeyRing, Manifest, Member, Refusal};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Longest manifest in bytes.
const LONGEST: u64 = 8 << 20;
/// What stays free beside the members.
const SPARE: u64 = 64 << 20;

/// A bundle whose manifest a trusted key has signed. Its members are still unread.
#[derive(Debug)]
pub struct Package {
    file: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// SHA-256 of the manifest: it stands for the whole bundle.
    pub id: String,
}

impl Package {
    /// Reads manifest and signature, and nothing else.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn open(file: &Path, ring: &KeyRing) -> Result<Self, Refusal> {
        let mut archive = tar::Archive::new(File::open(file).map_err(at(file))?);
        let mut entries = archive.entries().map_err(cut)?;
        let mut first = |name: &str, longest: u64| {
            let mut entry = entries.next().ok_or_else(|| Refusal::Cut("it is empty".to_owned()))?.map_err(cut)?;
            if entry.path().map_err(cut)?.as_os_str() != name || entry.size() > longest {
                return Err(Refusal::Cut(format!("it does not begin with {name}")));
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(cut)?;
            if bytes.len() as u64 == entry.size() { Ok(bytes) } else { Err(Refusal::Cut(format!("{name} ends early"))) }
        };
        let bytes = first("manifest.json", LONGEST)?;
        let signature = first("manifest.sig", 64)?;
        // Only the name of the key is believed before its signature is checked.
        let named = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
        let named = named.as_ref().and_then(|value| value.get("key")?.as_str()).unwrap_or_default();
        ring.verify(&bytes, &signature, named)?;
        let manifest = Manifest::read(&bytes)?;
        ring.allows(&manifest.keys)?;
        Ok(Self { file: file.to_owned(), id: hexadecimal(&Sha256::digest(&bytes)), manifest })
    }

    /// Reads every member and compares it with the signed hash; `progress` is told bytes done and bytes in all.
    ///
    /// # Errors
    /// [`Refusal`], of the first member that is not as it was signed.
    pub fn check(&self, progress: &dyn Fn(u64, u64)) -> Result<(), Refusal> {
        self.each(progress, &mut |member, from| compared(member, from, &mut io::sink()))
    }

    /// Unpacks the members into `folder`. What an earlier, interrupted run left there whole is kept, everything else is
    /// written anew; in the end nothing else is in it, all of it is on the disk, and was read back from there.
    ///
    /// # Errors
    /// [`Refusal`]; then `folder` may hold some members, for the next run.
    pub fn unpack(&self, folder: &Path, progress: &dyn Fn(u64, u64)) -> Result<(), Refusal> {
        require_space(folder, self.manifest.bytes().saturating_sub(length(folder)))?;
        let left = self.manifest.members.iter().filter(|member| !is_whole(folder, member));
        let left: Vec<String> = left.map(|member| member.name.clone()).collect();
        private(folder)?;
        self.each(progress, &mut |member, from| {
            if !left.contains(&member.name) {
                // It is there; the archive's copy is still held to the manifest.
                return compared(member, from, &mut io::sink());
            }
            let path = folder.join(&member.name);
            if let Some(above) = path.parent() {
                private(above)?;
            }
            let partial = path.with_file_name(format!(".partial-{}", &member.sha256[..16]));
            let mut file = File::create(&partial).map_err(at(&partial))?;
            compared(member, from, &mut file)?;
            file.sync_all().map_err(at(&partial))?;
            fs::rename(&partial, &path).map_err(at(&path))
        })?;
        File::open(folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?)).map_err(at(folder))?;
        for member in &self.manifest.members {
            if !is_whole(folder, member) {
                return Err(Refusal::Altered(member.name.clone()));
            }
        }
        Ok(())
    }

    /// Hands each member to `take`, in the manifest's order; anything else in the archive is refused.
    fn each(
        &self,
        progress: &dyn Fn(u64, u64),
        take: &mut dyn FnMut(&Member, &mut dyn Read) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut archive = tar::Archive::new(File::open(&self.file).map_err(at(&self.file))?);
        let mut entries = archive.entries().map_err(cut)?.skip(2);
        let (total, mut done) = (self.manifest.bytes(), 0);
        for member in &self.manifest.members {
            let missing = || Refusal::Cut(format!("'{}' is missing", member.name));
            let mut entry = entries.next().ok_or_else(missing)?.map_err(cut)?;
            let name = entry.path().map_err(cut)?.to_string_lossy().into_owned();
            if name != member.name {
                return Err(Refusal::Stranger(name));
            }
            if !entry.header().entry_type().is_file() {
                return Err(Refusal::Altered(name));
            }
            take(member, &mut entry)?;
            done += member.size;
            progress(done, total);
        }
        match entries.next() {
            None => Ok(()),
            Some(Ok(entry)) => Err(Refusal::Stranger(entry.path().map_err(cut)?.to_string_lossy().into_owned())),
            Some(Err(error)) => Err(cut(error)),
        }
    }
}

/// Refuses if the disk that `folder` is on, or will be, has no room for so many bytes.
///
/// # Errors
/// `NoSpace`.
pub fn require_space(folder: &Path, bytes: u64) -> Result<(), Refusal> {
    let mut there = folder;
    while !there.exists() {
        let Some(above) = there.parent() else { break };
        there = above;
    }
    let disk = rustix::fs::statvfs(there).map_err(|error| at(there)(error.into()))?;
    let (free, needed) = (disk.f_bavail.saturating_mul(disk.f_frsize), bytes.saturating_add(SPARE));
    if free >= needed {
        return Ok(());
    }
    Err(Refusal::NoSpace { path: there.to_owned(), free_mb: free >> 20, needed_mb: needed.div_ceil(1 << 20) })
}

#[allow(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
fn cut(error: io::Error) -> Refusal {
    Refusal::Cut(error.to_string())
}

/// Copies a member while comparing it with its signed size and hash; not one byte more than announced is taken.
fn compared(member: &Member, from: &mut dyn Read, to: &mut dyn Write) -> Result<(), Refusal> {
    let (mut hasher, mut size, mut block) = (Sha256::new(), 0_u64, vec![0; 1 << 18]);
    loop {
        let read = from.read(&mut block).map_err(cut)?;
        if read == 0 {
            break;
        }
        size += read as u64;
        if size > member.size {
            return Err(Refusal::Altered(member.name.clone()));
        }
        hasher.update(&block[..read]);
        to.write_all(&block[..read]).map_err(at(Path::new(&member.name)))?;
    }
    if size < member.size {
        return Err(Refusal::Cut(format!("'{}' ends early", member.name)));
    }
    if hexadecimal(&hasher.finalize()) == member.sha256 { Ok(()) } else { Err(Refusal::Altered(member.name.clone())) }
}

fn is_whole(folder: &Path, member: &Member) -> bool {
    let path = folder.join(&member.name);
    let plain = fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && found.len() == member.size);
    plain && File::open(&path).is_ok_and(|mut file| compared(member, &mut file, &mut io::sink()).is_ok())
}

fn length(path: &Path) -> u64 {
    let Ok(found) = fs::symlink_metadata(path) else { return 0 };
    if !found.is_dir() {
        return found.len();
    }
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| length(&entry.path())).sum()
}

fn private(folder: &Path) -> Result<(), Refusal> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))
}
