//! Whom is trusted: public keys in a folder, a file each, changed by the word of a key that is in it.

use super::refusal::at;
use super::{Refusal, Rotation};
use audit::PublicKey;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// What stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410, section 4).
const DER_BEGINNING: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A key that may sign bundles.
#[derive(Debug, Clone)]
pub struct TrustedKey {
    /// SHA-256 of its DER form, hexadecimal: how manifests name it.
    pub id: String,
    /// The file it is read from.
    pub file: PathBuf,
    key: PublicKey,
}

/// The keys that are trusted here.
#[derive(Debug, Clone)]
pub struct KeyRing {
    folder: PathBuf,
    keys: Vec<TrustedKey>,
}

/// How manifests name a key.
fn id_of(key: &PublicKey) -> String {
    let digits = key.to_string();
    let bytes = (0..digits.len()).step_by(2).filter_map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok());
    let der: Vec<u8> = DER_BEGINNING.into_iter().chain(bytes).collect();
    hexadecimal(&Sha256::digest(der))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl KeyRing {
    /// The keys of `folder` (files `*.pub`, PEM), and of files that the system itself brings, as far as they are there.
    ///
    /// # Errors
    /// `File` or `Manifest` for a key file that cannot be read: a ring that is half understood is none.
    pub fn open(folder: &Path, built_in: &[PathBuf]) -> Result<Self, Refusal> {
        let mut files: Vec<PathBuf> = built_in.iter().filter(|file| file.is_file()).cloned().collect();
        match fs::read_dir(folder) {
            Ok(entries) => {
                let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
                found.retain(|path| path.extension().is_some_and(|end| end == "pub"));
                found.sort();
                files.extend(found);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(folder)(error)),
        }
        let withdrawn = |id: &str| folder.join(format!("{id}.withdrawn")).exists();
        let mut keys: Vec<TrustedKey> = Vec::new();
        for file in files {
            let text = fs::read_to_string(&file).map_err(at(&file))?;
            let unusable = |_| Refusal::Manifest(format!("{} is no Ed25519 public key in PEM", file.display()));
            let key = PublicKey::from_pem(&text).map_err(unusable)?;
            let id = id_of(&key);
            if !withdrawn(&id) && keys.iter().all(|known| known.id != id) {
                keys.push(TrustedKey { id, file, key });
            }
        }
        Ok(Self { folder: folder.to_owned(), keys })
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// Goes on only if a trusted key signed these bytes, the one that `named` says.
    ///
    /// # Errors
    /// `NoKeys`, `Untrusted`, `Forged`.
    pub(super) fn verify(&self, bytes: &[u8], signature: &[u8], named: &str) -> Result<(), Refusal> {
        if self.keys.is_empty() {
            return Err(Refusal::NoKeys(self.folder.clone()));
        }
        let short: String = named.chars().filter(char::is_ascii_hexdigit).take(16).collect();
        let key = self.keys.iter().find(|key| key.id == named).ok_or(Refusal::Untrusted(format!("{short}…")))?;
        if key.key.verifies(bytes, signature) { Ok(()) } else { Err(Refusal::Forged) }
    }

    /// What the ring would be after a change: every key of it can be read, and one is left.
    ///
    /// # Errors
    /// `Manifest`.
    pub fn allows(&self, rotation: &Rotation) -> Result<(), Refusal> {
        let wrong = |sentence: &str| Err(Refusal::Manifest(sentence.to_owned()));
        let mut ids: Vec<String> = self.keys.iter().map(|key| key.id.clone()).collect();
        ids.retain(|id| !rotation.remove.contains(id));
        for pem in &rotation.add {
            match PublicKey::from_pem(pem) {
                Ok(key) => ids.push(id_of(&key)),
                Err(_) => return wrong("a key that it brings is no Ed25519 public key in PEM"),
            }
        }
        if ids.is_empty() { wrong("after it no key would be trusted any more") } else { Ok(()) }
    }

    /// Brings the keys of a bundle that was accepted into the ring, and takes the others out: first the new ones. Doing it
    /// twice does no harm.
    ///
    /// # Errors
    /// `File`; what [`KeyRing::allows`] refuses.
    pub fn rotate(&self, rotation: &Rotation) -> Result<(), Refusal> {
        if rotation.is_empty() {
            return Ok(());
        }
        self.allows(rotation)?;
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let write = |name: String, text: &str| {
            let (file, draft) = (self.folder.join(&name), self.folder.join(format!(".{name}.new")));
            fs::write(&draft, text).map_err(at(&draft))?;
            fs::rename(&draft, &file).map_err(at(&file))
        };
        for pem in &rotation.add {
            if let Ok(key) = PublicKey::from_pem(pem) {
                write(format!("{}.pub", &id_of(&key)[..32]), pem)?;
            }
        }
        for id in rotation.remove.iter().filter(|id| id.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            // A mark, not a removal: keys of the system's own root cannot be removed.
            write(format!("{id}.withdrawn"), "")?;
        }
        fs::File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(at(&self.folder))
    }
}
