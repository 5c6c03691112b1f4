//! Giving a backup back, and finding out whether that would work.

use super::error::{BackupError, at};
use super::make::sync;
use super::manifest::{Entry, Manifest};
use super::seal::Secret;
use super::space;
use super::vault::Vault;
use domain::{ContentHash, Environment};
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use storage::Store;

/// What was given back, or found to be whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The backup's name.
    pub snapshot: String,
    /// Its files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Events in the audit log, each checked.
    pub audit_events: u64,
}

/// Reads every byte of the backup `name` and opens its database, in a folder below `scratch` that is gone afterwards.
///
/// # Errors
/// [`BackupError`], which names what is damaged.
pub async fn check(
    vault: Vault,
    name: String,
    secret: Secret,
    scratch: &Path,
    progress: impl Fn(u64, u64) + Send + 'static,
) -> Result<Restored, BackupError> {
    let folder = Partial::begin(scratch.join(format!("carrel-check-{}", std::process::id())))?;
    let into = folder.0.clone();
    let read = move || {
        let manifest = vault.manifest(&name, &secret)?;
        let database = manifest.files.iter().filter(|file| file.path == "carrel.db").map(|file| file.size_bytes);
        space::require(&into, database.sum())?;
        read_all(&vault, &manifest, &secret, progress, |file| {
            if file.path == "carrel.db" { new_file(&file.place(&into)?).map(Some) } else { Ok(None) }
        })?;
        Ok::<_, BackupError>((name, manifest))
    };
    let (name, manifest) = tokio::task::spawn_blocking(read).await.map_err(|_| BackupError::Interrupted)??;
    sound(name, &manifest, &folder.0).await
}

/// Writes the backup `name` into `data`, which must be empty or not there, and appears there whole or not at all.
///
/// # Errors
/// [`BackupError`]; then nothing is in `data`.
pub async fn restore(
    vault: Vault,
    name: String,
    secret: Secret,
    data: &Path,
    progress: impl Fn(u64, u64) + Send + 'static,
) -> Result<Restored, BackupError> {
    if holds_something(data) {
        return Err(BackupError::NotEmpty(data.to_owned()));
    }
    Ok(prepare(vault, name, secret, data, progress).await?.put_in_place()?.0)
}

/// Gives a folder and all in it to an account, as far as it is not that account's already.
fn hand_over(path: &Path, owner: (u32, u32)) -> Result<(), BackupError> {
    let found = fs::symlink_metadata(path).map_err(at(path))?;
    if (found.uid(), found.gid()) != owner {
        chown(path, Some(owner.0), Some(owner.1)).map_err(at(path))?;
    }
    if found.is_dir() {
        for entry in fs::read_dir(path).map_err(at(path))? {
            hand_over(&entry.map_err(at(path))?.path(), owner)?;
        }
    }
    Ok(())
}

/// Whether a restore there would be one over what is there.
#[must_use]
pub fn holds_something(data: &Path) -> bool {
    fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some())
}

/// A backup that was read, checked and written beside its place; gone again if it is dropped.
pub struct Prepared {
    folder: Partial,
    data: PathBuf,
    restored: Restored,
}

/// Writes the backup `name` beside `data`, and checks it as [`check`] does.
///
/// # Errors
/// [`BackupError`].
pub async fn prepare(
    vault: Vault,
    name: String,
    secret: Secret,
    data: &Path,
    progress: impl Fn(u64, u64) + Send + 'static,
) -> Result<Prepared, BackupError> {
    let mut beside = data.as_os_str().to_owned();
    beside.push(".partial");
    let folder = Partial::begin(PathBuf::from(beside))?;
    let into = folder.0.clone();
    let read = move || {
        let manifest = vault.manifest(&name, &secret)?;
        space::require(&into, manifest.bytes())?;
        read_all(&vault, &manifest, &secret, progress, |file| new_file(&file.place(&into)?).map(Some))?;
        Ok::<_, BackupError>((name, manifest))
    };
    let (name, manifest) = tokio::task::spawn_blocking(read).await.map_err(|_| BackupError::Interrupted)??;
    let restored = sound(name, &manifest, &folder.0).await?;
    sync(&folder.0)?;
    Ok(Prepared { folder, data: data.to_owned(), restored })
}

impl Prepared {
    /// Puts it in its place, as the property of whoever owned that. What was there is moved aside and told: nothing is deleted.
    ///
    /// # Errors
    /// [`BackupError`]; then what was there is there again.
    pub fn put_in_place(self) -> Result<(Restored, Option<PathBuf>), BackupError> {
        let Self { folder, data, restored } = self;
        // A restore is root's work, and what it leaves must be readable to the service.
        if let Ok(owner) = fs::metadata(&data) {
            hand_over(&folder.0, (owner.uid(), owner.gid()))?;
        }
        let mut aside = None;
        if holds_something(&data) {
            let moment = Environment::system().now().strftime("%Y%m%dT%H%M%S%3fZ");
            let mut path = data.as_os_str().to_owned();
            path.push(format!(".before-{moment}"));
            let path = PathBuf::from(path);
            fs::rename(&data, &path).map_err(at(&data))?;
            aside = Some(path);
        } else if data.exists() {
            fs::remove_dir(&data).map_err(at(&data))?;
        }
        if let Err(error) = fs::rename(&folder.0, &data) {
            if let Some(aside) = &aside {
                fs::rename(aside, &data).map_err(at(aside))?;
            }
            return Err(at(&data)(error));
        }
        Ok((restored, aside))
    }
}

/// Decrypts every file, compares it with the manifest, and writes it to where `target` says, if anywhere.
fn read_all(
    vault: &Vault,
    manifest: &Manifest,
    secret: &Secret,
    progress: impl Fn(u64, u64),
    target: impl Fn(&Entry) -> Result<Option<File>, BackupError>,
) -> Result<(), BackupError> {
    let (total, mut done) = (manifest.bytes(), 0);
    let mut block = vec![0; 1 << 18];
    for file in &manifest.files {
        let damaged = || BackupError::Damaged { file: file.path.clone() };
        let mut plain = vault.open(&file.object, secret).map_err(|error| match error {
            BackupError::File { source, .. } if source.kind() == io::ErrorKind::NotFound => damaged(),
            error => error,
        })?;
        let mut written = target(file)?;
        let mut hasher = blake3::Hasher::new();
        loop {
            // What age finds cut or altered is an error of reading.
            let length = plain.read(&mut block).map_err(|_| damaged())?;
            if length == 0 {
                break;
            }
            hasher.update(&block[..length]);
            if let Some(written) = &mut written {
                written.write_all(&block[..length]).map_err(at(Path::new(&file.path)))?;
            }
            progress(done + hasher.count(), total);
        }
        if ContentHash::from(*hasher.finalize().as_bytes()) != file.hash {
            return Err(damaged());
        }
        done += file.size_bytes;
    }
    Ok(())
}

/// Opens the database in `folder` and checks its pages, its audit chain, and that the chain ends where the backup says.
async fn sound(snapshot: String, manifest: &Manifest, folder: &Path) -> Result<Restored, BackupError> {
    let store = Store::open(&folder.join("carrel.db"), Environment::system()).await?;
    let found = async {
        if let Some(problem) = store.problem().await? {
            return Err(BackupError::Unsound(problem));
        }
        let events = store.verify_audit().await?.map_err(|fault| BackupError::Unsound(fault.to_string()))?;
        let last = store.audit_last().await?.map(|(count, hash)| (count, hash.to_string()));
        if last != manifest.audit {
            return Err(BackupError::Unsound("its audit log does not end where the backup says".to_owned()));
        }
        Ok(events)
    };
    let found = found.await;
    store.close().await;
    Ok(Restored { snapshot, files: manifest.files.len(), bytes: manifest.bytes(), audit_events: found? })
}

/// A file that only its owner may read, with the folders above it.
fn new_file(path: &Path) -> Result<File, BackupError> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))?;
    }
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(at(path))
}

/// A folder that goes with this value, unless it was moved away.
struct Partial(PathBuf);

impl Partial {
    fn begin(path: PathBuf) -> Result<Self, BackupError> {
        let _ = fs::remove_dir_all(&path);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(at(&path))?;
        Ok(Self(path))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
