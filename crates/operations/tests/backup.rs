//! Backups made, damaged, and given back.

#![allow(clippy::unwrap_used, clippy::panic)]

use audit::{Action, Actor, Event};
use domain::{Environment, OperationId};
use operations::backup::{BackupError, Made, Secret, Vault, check, make, restore};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use storage::Store;

struct Appliance {
    folder: tempfile::TempDir,
    store: Store,
    key: PathBuf,
}

impl Appliance {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir_all(data.join("models/small")).unwrap();
        fs::create_dir_all(data.join("keys")).unwrap();
        fs::write(data.join("models/small/weights"), vec![7; 300_000]).unwrap();
        fs::write(data.join("keys/audit.pem"), "the key of the log").unwrap();
        let store = Store::open(&data.join("carrel.db"), Environment::system()).await.unwrap();
        let key = folder.path().join("secret.txt");
        let secret = Secret::generate();
        secret.write_new(&key).unwrap();
        secret.recipient().install(&data).unwrap();
        let appliance = Self { folder, store, key };
        appliance.event().await;
        appliance
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn vault(&self) -> PathBuf {
        self.folder.path().join("vault")
    }

    async fn event(&self) {
        let operation = OperationId::new(self.store.environment());
        let mut act = self.store.begin().await.unwrap();
        act.record(Event::new(Action::ServerStarted, &Actor::system(), operation)).await.unwrap();
        act.commit().await.unwrap();
    }

    async fn backup(&self, keep: usize) -> Result<Made, BackupError> {
        make(&self.store, &self.data(), &self.vault(), "1.0", keep, |_, _| {}).await
    }

    async fn check(&self, key: &Path) -> Result<u64, BackupError> {
        let vault = Vault::for_reading(&self.vault())?;
        let name = vault.find(None)?;
        check(vault, name, Secret::read(key)?, self.folder.path(), |_, _| {}).await.map(|found| found.audit_events)
    }

    async fn restore(&self, name: Option<&str>, data: &Path) -> Result<u64, BackupError> {
        let vault = Vault::for_reading(&self.vault())?;
        let name = vault.find(name)?;
        restore(vault, name, Secret::read(&self.key)?, data, |_, _| {}).await.map(|found| found.audit_events)
    }
}

/// Files of the vault below `folder`, by their paths.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.insert(entry.path(), fs::read(entry.path()).unwrap());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_comes_back_and_the_second_backup_writes_only_what_is_new() {
    let appliance = Appliance::new().await;
    let first = appliance.backup(9).await.unwrap();
    assert!(first.new_files >= 4 && first.written_bytes > 300_000, "{first:?}");
    appliance.event().await;
    let second = appliance.backup(9).await.unwrap();
    assert_eq!(second.new_files, 1, "the database alone has changed: {second:?}");
    assert!(appliance.check(&appliance.key).await.unwrap() == 2);

    let elsewhere = appliance.folder.path().join("elsewhere");
    assert_eq!(appliance.restore(Some(&first.snapshot), &elsewhere).await.unwrap(), 1);
    assert_eq!(fs::read(elsewhere.join("models/small/weights")).unwrap(), vec![7; 300_000]);
    assert_eq!(fs::read_to_string(elsewhere.join("keys/audit.pem")).unwrap(), "the key of the log");
    let refused = appliance.restore(None, &elsewhere).await;
    assert!(matches!(refused, Err(BackupError::NotEmpty(_))), "nothing is written over");
    let latest = appliance.folder.path().join("latest");
    assert_eq!(appliance.restore(None, &latest).await.unwrap(), 2);
    // A restored appliance goes on with its own vault.
    let store = Store::open(&latest.join("carrel.db"), Environment::system()).await.unwrap();
    let third = make(&store, &latest, &appliance.vault(), "1.0", 9, |_, _| {}).await.unwrap();
    assert!(third.new_files <= 1, "{third:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_backups_go_and_what_later_ones_need_stays() {
    let appliance = Appliance::new().await;
    let mut made = Vec::new();
    for _ in 0..4 {
        appliance.event().await;
        made.push(appliance.backup(2).await.unwrap());
    }
    assert_eq!(made.iter().map(|made| made.pruned).collect::<Vec<_>>(), [0, 0, 1, 1]);
    let vault = Vault::for_reading(&appliance.vault()).unwrap();
    let kept = [made[2].snapshot.clone(), made[3].snapshot.clone()];
    assert_eq!(vault.snapshots().unwrap(), kept);
    assert_eq!(appliance.check(&appliance.key).await.unwrap(), 5);
    let objects = files(&appliance.vault().join("objects")).len();
    assert_eq!(objects, made[3].files + 1, "of the backups that went, nothing is left");
    assert!(matches!(vault.find(Some(&made[0].snapshot)), Err(BackupError::NoSuchSnapshot(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_a_vault_can_be_read_or_changed_without_the_key() {
    let appliance = Appliance::new().await;
    appliance.backup(1).await.unwrap();
    let vault = files(&appliance.vault());
    for bytes in vault.values() {
        assert!(!bytes.windows(18).any(|window| window == b"the key of the log"));
    }
    let other = appliance.folder.path().join("other.txt");
    Secret::generate().write_new(&other).unwrap();
    assert!(matches!(appliance.check(&other).await, Err(BackupError::Sealed { .. })));
    fs::write(&other, "no key at all").unwrap();
    assert!(matches!(appliance.check(&other).await, Err(BackupError::NotAKey(_))));

    for (path, bytes) in vault.iter().filter(|(path, _)| path.starts_with(appliance.vault().join("objects"))) {
        let mut altered = bytes.clone();
        let middle = altered.len() / 2;
        altered[middle] ^= 1;
        fs::write(path, &altered).unwrap();
        assert!(appliance.check(&appliance.key).await.is_err(), "a changed byte is noticed");
        fs::write(path, &bytes[..bytes.len() - 20]).unwrap();
        assert!(appliance.check(&appliance.key).await.is_err(), "a cut file is noticed");
        fs::remove_file(path).unwrap();
        assert!(matches!(appliance.check(&appliance.key).await, Err(BackupError::Damaged { .. })));
        fs::write(path, bytes).unwrap();
    }
    let mut objects = vault.keys().filter(|path| path.starts_with(appliance.vault().join("objects")));
    let (one, another) = (objects.next().unwrap(), objects.next().unwrap());
    fs::copy(one, another).unwrap();
    assert!(
        matches!(appliance.check(&appliance.key).await, Err(BackupError::Damaged { .. })),
        "swapped files are noticed"
    );
    let elsewhere = appliance.folder.path().join("elsewhere");
    assert!(appliance.restore(None, &elsewhere).await.is_err());
    assert!(!elsewhere.exists(), "a failed restore leaves nothing behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_belongs_to_one_appliance() {
    let (one, other) = (Appliance::new().await, Appliance::new().await);
    one.backup(1).await.unwrap();
    let foreign = make(&other.store, &other.data(), &one.vault(), "1.0", 1, |_, _| {}).await;
    assert!(matches!(foreign, Err(BackupError::Foreign(_))));
    assert!(matches!(Vault::for_reading(&other.vault()), Err(BackupError::NotAVault(_))));
    fs::remove_file(other.data().join("keys/backup.recipient")).unwrap();
    assert!(matches!(other.backup(1).await, Err(BackupError::NoKey)));
}
