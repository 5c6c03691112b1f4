//! The folder that backups lie in.
//!
//! ```text
//! carrel-backup.json       whose it is, and for which public key
//! objects/ab/cdef…         files, encrypted; named by a keyed hash, so that a name tells nothing of the content
//! snapshots/NAME.age       what belongs to one moment, encrypted
//! snapshots/NAME.objects   the names of its objects: what is needed to throw old ones away without the secret
//! ```

use super::error::{BackupError, at};
use super::manifest::Manifest;
use super::seal::{Recipient, Secret};
use domain::{ContentHash, Environment};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const FORMAT: u32 = 1;

/// The name of a snapshot: its moment, so that names sort by time.
pub type SnapshotName = String;

/// Whose vault it is.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    format: u32,
    recipient: String,
    /// Hash of the key that objects are named with.
    appliance: String,
}

/// The key that objects are named with: who finds the vault cannot tell whether a known file is in it.
#[derive(Clone)]
pub struct NameKey([u8; 32]);

impl NameKey {
    /// Reads the key at `path`, or makes it.
    pub(super) fn load_or_create(path: &Path, environment: &Environment) -> Result<Self, BackupError> {
        match fs::read_to_string(path) {
            Ok(text) => match blake3::Hash::from_hex(text.trim()) {
                Ok(key) => Ok(Self(*key.as_bytes())),
                Err(_) => Err(at(path)(io::Error::new(io::ErrorKind::InvalidData, "this is not a key"))),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key: [u8; 32] = environment.random_bytes();
                write_new(path, blake3::Hash::from_bytes(key).to_hex().as_bytes())?;
                Ok(Self(key))
            }
            Err(error) => Err(at(path)(error)),
        }
    }

    fn object(&self, hash: &ContentHash) -> String {
        blake3::keyed_hash(&self.0, hash.as_bytes()).to_hex().to_string()
    }

    fn appliance(&self) -> String {
        blake3::keyed_hash(&self.0, b"carrel backup vault").to_hex().to_string()
    }
}

/// A vault that is open for writing by this process alone, or for reading.
pub struct Vault {
    directory: PathBuf,
    _lock: Option<File>,
}

impl Vault {
    /// Opens the vault of this appliance for writing, and begins it if the folder is empty.
    pub(super) fn for_writing(directory: &Path, key: &NameKey, recipient: &Recipient) -> Result<Self, BackupError> {
        let description = directory.join("carrel-backup.json");
        fs::create_dir_all(directory).map_err(at(directory))?;
        let path = directory.join("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = lock.map_err(at(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::InUse(directory.to_owned())),
            Err(TryLockError::Error(error)) => return Err(at(&path)(error)),
        }
        let vault = Self { directory: directory.to_owned(), _lock: Some(lock) };
        if description.exists() {
            if vault.description()?.appliance != key.appliance() {
                return Err(BackupError::Foreign(directory.to_owned()));
            }
        } else {
            for folder in ["objects", "snapshots"] {
                fs::create_dir_all(directory.join(folder)).map_err(at(directory))?;
            }
        }
        // A new key holds for what is written from now on.
        let now = Description { format: FORMAT, recipient: recipient.to_string(), appliance: key.appliance() };
        let text = serde_json::to_vec_pretty(&now).map_err(|error| at(&description)(error.into()))?;
        replace(&description, &text)?;
        Ok(vault)
    }

    /// Opens a vault for reading.
    ///
    /// # Errors
    /// If there is none.
    pub fn for_reading(directory: &Path) -> Result<Self, BackupError> {
        let vault = Self { directory: directory.to_owned(), _lock: None };
        vault.description()?;
        Ok(vault)
    }

    fn description(&self) -> Result<Description, BackupError> {
        let text = match fs::read(self.directory.join("carrel-backup.json")) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BackupError::NotAVault(self.directory.clone()));
            }
            Err(error) => return Err(at(&self.directory)(error)),
        };
        let description: Description =
            serde_json::from_slice(&text).map_err(|_| BackupError::NotAVault(self.directory.clone()))?;
        if description.format > FORMAT { Err(BackupError::Newer(self.directory.clone())) } else { Ok(description) }
    }

    /// The folder.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Names of the snapshots, the oldest first.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn snapshots(&self) -> Result<Vec<SnapshotName>, BackupError> {
        let folder = self.directory.join("snapshots");
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let name = entry.map_err(at(&folder))?.file_name();
            names.extend(name.to_str().and_then(|name| name.strip_suffix(".age")).map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The snapshot with this name; with none, the latest.
    ///
    /// # Errors
    /// If there is no such snapshot.
    pub fn find(&self, name: Option<&str>) -> Result<SnapshotName, BackupError> {
        let mut names = self.snapshots()?;
        match name {
            None => names.pop().ok_or_else(|| BackupError::NotAVault(self.directory.clone())),
            Some(name) if names.iter().any(|known| known == name) => Ok(name.to_owned()),
            Some(name) => Err(BackupError::NoSuchSnapshot(name.to_owned())),
        }
    }

    /// The name of the object for these bytes, and whether the vault has it.
    pub(super) fn object(&self, key: &NameKey, hash: &ContentHash) -> (String, bool) {
        let name = key.object(hash);
        let is_there = self.object_path(&name).is_some_and(|path| path.exists());
        (name, is_there)
    }

    /// Encrypts `plain` into the object `name`, whole or not at all.
    pub(super) fn put(&self, name: &str, recipient: &Recipient, plain: &mut impl Read) -> Result<u64, BackupError> {
        let path = self.object_path(name).ok_or_else(|| BackupError::Outside(name.to_owned()))?;
        let folder = path.parent().unwrap_or(&self.directory);
        fs::create_dir_all(folder).map_err(at(folder))?;
        let partial = path.with_extension("partial");
        let written = File::create(&partial).and_then(|file| {
            recipient.seal(plain, io::BufWriter::with_capacity(1 << 18, &file))?;
            file.sync_data()?;
            fs::rename(&partial, &path)?;
            Ok(file.metadata()?.len())
        });
        written.map_err(|error| {
            let _ = fs::remove_file(&partial);
            at(&path)(error)
        })
    }

    /// Reads the object `name`, decrypted.
    pub(super) fn open(&self, name: &str, secret: &Secret) -> Result<impl Read, BackupError> {
        let path = self.object_path(name).ok_or_else(|| BackupError::Outside(name.to_owned()))?;
        open(&path, secret)
    }

    /// Names are hexadecimal digits: nothing else becomes a path.
    fn object_path(&self, name: &str) -> Option<PathBuf> {
        let valid = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        valid.then(|| self.directory.join("objects").join(&name[..2]).join(&name[2..]))
    }

    /// Writes the list of a snapshot, last of all: only now the snapshot is there.
    pub(super) fn commit(
        &self,
        manifest: &Manifest,
        recipient: &Recipient,
        made_at: Timestamp,
    ) -> Result<SnapshotName, BackupError> {
        let name = made_at.strftime("%Y%m%dT%H%M%S%3fZ").to_string();
        let folder = self.directory.join("snapshots");
        let objects: String = manifest.files.iter().flat_map(|file| [file.object.as_str(), "\n"]).collect();
        replace(&folder.join(format!("{name}.objects")), objects.as_bytes())?;
        let path = folder.join(format!("{name}.age"));
        let text = serde_json::to_vec(manifest).map_err(|error| at(&path)(error.into()))?;
        let mut sealed = Vec::new();
        recipient.seal(&mut text.as_slice(), &mut sealed).map_err(at(&path))?;
        replace(&path, &sealed)?;
        Ok(name)
    }

    /// BLAKE3 of a snapshot's sealed list: two snapshots of one name in two folders differ in it.
    ///
    /// # Errors
    /// If the list cannot be read.
    pub fn digest(&self, name: &str) -> Result<ContentHash, BackupError> {
        let path = self.directory.join("snapshots").join(format!("{name}.age"));
        Ok(ContentHash::of(&fs::read(&path).map_err(at(&path))?))
    }

    /// What belongs to a snapshot.
    ///
    /// # Errors
    /// If the secret is another one, or the list was altered.
    pub fn manifest(&self, name: &str, secret: &Secret) -> Result<Manifest, BackupError> {
        let path = self.directory.join("snapshots").join(format!("{name}.age"));
        let sealed = |reason: String| BackupError::Sealed { path: path.clone(), reason };
        let mut text = Vec::new();
        open(&path, secret)?.read_to_end(&mut text).map_err(|error| sealed(error.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| sealed(error.to_string()))
    }

    /// Keeps the latest `keep` snapshots and the objects that these name; gives how many snapshots went.
    pub(super) fn prune(&self, keep: usize) -> Result<usize, BackupError> {
        let folder = self.directory.join("snapshots");
        let mut names = self.snapshots()?;
        let kept = names.split_off(names.len().saturating_sub(keep.max(1)));
        if names.is_empty() {
            return Ok(0);
        }
        let mut needed: HashSet<String> = HashSet::new();
        for name in &kept {
            // Without the list nobody knows what may go, so nothing goes.
            let path = folder.join(format!("{name}.objects"));
            needed.extend(fs::read_to_string(&path).map_err(at(&path))?.lines().map(str::to_owned));
        }
        for name in &names {
            // The list last: a snapshot without its list would keep every later run from throwing anything away.
            for ending in ["age", "objects"] {
                let path = folder.join(format!("{name}.{ending}"));
                fs::remove_file(&path).map_err(at(&path))?;
            }
        }
        let objects = self.directory.join("objects");
        for first in fs::read_dir(&objects).map_err(at(&objects))? {
            let first = first.map_err(at(&objects))?;
            for rest in fs::read_dir(first.path()).map_err(at(&first.path()))? {
                let rest = rest.map_err(at(&first.path()))?;
                let name = format!("{}{}", first.file_name().to_string_lossy(), rest.file_name().to_string_lossy());
                if !needed.contains(&name) {
                    fs::remove_file(rest.path()).map_err(at(&rest.path()))?;
                }
            }
        }
        Ok(names.len())
    }
}

fn open(path: &Path, secret: &Secret) -> Result<impl Read + use<>, BackupError> {
    let file = File::open(path).map_err(at(path))?;
    let sealed = |error: age::DecryptError| BackupError::Sealed { path: path.to_owned(), reason: error.to_string() };
    secret.open(BufReader::with_capacity(1 << 18, file)).map_err(sealed)
}

/// Writes a file whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    });
    written.map_err(at(path))
}

/// Writes a file that only its owner may read, and that is not there yet.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all())).map_err(at(path))
}
