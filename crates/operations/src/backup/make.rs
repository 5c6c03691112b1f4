//! Making a backup while the server runs.

use super::error::{BackupError, at};
use super::manifest::{Entry, Manifest};
use super::seal::Recipient;
use super::space;
use super::vault::{NameKey, SnapshotName, Vault};
use domain::{ContentHash, Environment};
use serde::Serialize;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use storage::Store;

/// How often a copy of the database is taken anew because originals that it names went away meanwhile.
const ATTEMPTS: usize = 3;
/// What else belongs to a data directory.
const FOLDERS: [&str; 3] = ["keys", "models", "recognition"];

/// What a backup did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Its name.
    pub snapshot: SnapshotName,
    /// Files that it holds.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Files that the vault did not have before.
    pub new_files: usize,
    /// Bytes that were written for them.
    pub written_bytes: u64,
    /// Earlier backups that were thrown away.
    pub pruned: usize,
    /// Originals that the database names and the content store lacks.
    pub missing: Vec<ContentHash>,
}

/// A file to keep, where it lies, and where it belongs.
struct Source {
    path: PathBuf,
    name: String,
    hash: ContentHash,
    size_bytes: u64,
}

/// Copies the database as of one moment, and everything that it names, into the vault in `directory`; then keeps the
/// latest `keep` backups. `progress` is told bytes done and bytes in all, of those that the vault lacks.
///
/// Readers and writers of `store` go on. Killed at any point, the vault holds what it held, and the next run goes on.
///
/// # Errors
/// [`BackupError`]; the backups made before stay.
pub async fn make(
    store: &Store,
    data: &Path,
    directory: &Path,
    release: &str,
    keep: usize,
    progress: impl Fn(u64, u64) + Send + 'static,
) -> Result<Made, BackupError> {
    let recipient = recipient(data)?;
    let key = NameKey::load_or_create(&data.join("keys/backup.names"), store.environment())?;
    let vault = Vault::for_writing(directory, &key, &recipient)?;
    let work = Work::begin(data)?;
    let mut attempt = 1;
    let (manifest, sources) = loop {
        let (manifest, sources) = copied(store, data, &work, release).await?;
        if manifest.missing.is_empty() || attempt == ATTEMPTS {
            break (manifest, sources);
        }
        attempt += 1;
    };
    let made_at = manifest.made_at;
    let written = move || {
        let _work = work;
        let mut manifest = manifest;
        let mut fresh: Vec<&Source> = Vec::new();
        for source in &sources {
            let (object, is_there) = vault.object(&key, &source.hash);
            if !is_there && !fresh.iter().any(|known| known.hash == source.hash) {
                fresh.push(source);
            }
            let Source { name, hash, size_bytes, .. } = source;
            manifest.files.push(Entry { path: name.clone(), size_bytes: *size_bytes, hash: *hash, object });
        }
        let total = fresh.iter().map(|source| source.size_bytes).sum();
        space::require(vault.directory(), total)?;
        let (mut done, mut written_bytes) = (0, 0);
        for source in &fresh {
            let mut file = File::open(&source.path).map_err(at(&source.path))?;
            let (object, _) = vault.object(&key, &source.hash);
            written_bytes += vault.put(&object, &recipient, &mut file)?;
            done += source.size_bytes;
            progress(done, total);
        }
        // Bytes before the list that names them.
        sync(vault.directory())?;
        let snapshot = vault.commit(&manifest, &recipient, made_at)?;
        // The list itself, before it is said to be there and older ones go: FAT keeps new names in memory until then.
        sync(vault.directory())?;
        let pruned = vault.prune(keep)?;
        let (files, bytes, new_files) = (manifest.files.len(), manifest.bytes(), fresh.len());
        Ok(Made { snapshot, files, bytes, new_files, written_bytes, pruned, missing: manifest.missing })
    };
    tokio::task::spawn_blocking(written).await.map_err(|_| BackupError::Interrupted)?
}

/// Whom this appliance encrypts its backups for.
fn recipient(data: &Path) -> Result<Recipient, BackupError> {
    let path = data.join("keys/backup.recipient");
    let text = fs::read_to_string(path).map_err(|_| BackupError::NoKey)?;
    Recipient::parse(&text).ok_or(BackupError::NoKey)
}

impl Recipient {
    /// Makes this the key that backups of `data` are encrypted for from now on.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn install(&self, data: &Path) -> Result<(), BackupError> {
        let path = data.join("keys/backup.recipient");
        fs::create_dir_all(data.join("keys")).and_then(|()| fs::write(&path, format!("{self}\n"))).map_err(at(&path))
    }

    /// Whether a key was made for `data`.
    #[must_use]
    pub fn is_installed(data: &Path) -> bool {
        recipient(data).is_ok()
    }
}

/// The database as of one moment and the files that belong to it, still unencrypted where they lie.
async fn copied(
    store: &Store,
    data: &Path,
    work: &Work,
    release: &str,
) -> Result<(Manifest, Vec<Source>), BackupError> {
    let database = work.0.join("carrel.db");
    let live = data.join("carrel.db");
    space::require(data, fs::metadata(&live).map_err(at(&live))?.len())?;
    let made_at = store.environment().now();
    if database.exists() {
        fs::remove_file(&database).map_err(at(&database))?;
    }
    store.copy_to(&database).await?;
    let copy = Store::open(&database, Environment::system()).await?;
    let audit = copy.audit_last().await?.map(|(count, hash)| (count, hash.to_string()));
    let originals = copy.contents_in_use().await?;
    copy.close().await;

    let data = data.to_owned();
    let release = release.to_owned();
    let gather = move || {
        let mut missing = Vec::new();
        let mut sources = vec![source(&database, "carrel.db".to_owned())?];
        for hash in originals {
            let name = hash.to_string();
            let name = format!("content/{}/{}", &name[..2], &name[2..]);
            let path = data.join(&name);
            match fs::metadata(&path) {
                Ok(found) => sources.push(Source { path, name, hash, size_bytes: found.len() }),
                Err(_) => missing.push(hash),
            }
        }
        for folder in FOLDERS {
            walk(&data, folder, &mut sources)?;
        }
        Ok((Manifest { release, made_at, audit, missing, files: Vec::new() }, sources))
    };
    tokio::task::spawn_blocking(gather).await.map_err(|_| BackupError::Interrupted)?
}

/// The file at `path`, read once for its hash.
fn source(path: &Path, name: String) -> Result<Source, BackupError> {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).map_err(at(path))?;
    hasher.update_reader(&file).map_err(at(path))?;
    let hash = ContentHash::from(*hasher.finalize().as_bytes());
    Ok(Source { path: path.to_owned(), name, hash, size_bytes: hasher.count() })
}

/// Regular files below `data`/`name`; links are not followed, and what is still being written is left out.
fn walk(data: &Path, name: &str, sources: &mut Vec<Source>) -> Result<(), BackupError> {
    let folder = data.join(name);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(at(&folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(at(&folder))?;
        let below = format!("{name}/{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().map_err(at(&entry.path()))?;
        if kind.is_dir() {
            walk(data, &below, sources)?;
        } else if kind.is_file() && !below.ends_with(".partial") {
            sources.push(source(&entry.path(), below)?);
        }
    }
    Ok(())
}

/// Makes everything written to the disk of `folder` durable.
pub(super) fn sync(folder: &Path) -> Result<(), BackupError> {
    let file = File::open(folder).map_err(at(folder))?;
    rustix::fs::syncfs(file).map_err(|error| at(folder)(error.into()))
}

/// A folder for the copy of the database, beside it and gone with this value.
struct Work(PathBuf);

impl Work {
    fn begin(data: &Path) -> Result<Self, BackupError> {
        use std::os::unix::fs::DirBuilderExt;
        let path = data.join("backup.partial");
        // Left by a run that was killed; another one that still runs holds the vault's lock.
        let _ = fs::remove_dir_all(&path);
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(at(&path))?;
        Ok(Self(path))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
