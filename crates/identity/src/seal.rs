//! A key beside the database, with which what must not be read from a copy of the database is sealed: secrets of second
//! factors, and what a browser keeps for us during a sign-in elsewhere.

use domain::Environment;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Bytes of the key.
const LENGTH: usize = 32;

/// Why the key could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file could not be read or written.
    #[error("the key file {} could not be read or written: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than its owner may read it.
    #[error("the key file {} can be read by others; run chmod 600 on it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// It is no key.
    #[error("the key file {} does not hold 32 bytes; restore it from a backup", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
}

/// The key. It never leaves the appliance and is never shown.
#[derive(Clone)]
pub struct SealingKey([u8; LENGTH]);

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey")
    }
}

impl SealingKey {
    /// A key that lives as long as the process: for tests.
    #[must_use]
    pub fn random(environment: &Environment) -> Self {
        Self(environment.random_bytes())
    }

    /// Reads the key at `path`, or makes one there, readable by its owner only.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn load_or_create(path: &Path, environment: &Environment) -> Result<Self, SealError> {
        match Self::load(path) {
            Err(SealError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                match Self::random(environment).create(path, environment) {
                    // Another process may have made one at the same moment: that one counts.
                    Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                        Err(SealError::File { path: path.to_owned(), source })
                    }
                    _ => Self::load(path),
                }
            }
            other => other,
        }
    }

    fn load(path: &Path) -> Result<Self, SealError> {
        let failed = |source| SealError::File { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(SealError::Exposed { path: path.to_owned() });
        }
        let mut bytes = Vec::new();
        Read::take(&mut file, LENGTH as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        bytes.try_into().map(Self).map_err(|_| SealError::NotAKey { path: path.to_owned() })
    }

    /// Written beside and linked into place, so that nobody ever reads half a key and none is overwritten.
    fn create(&self, path: &Path, environment: &Environment) -> io::Result<()> {
        let suffix = u64::from_le_bytes(environment.random_bytes());
        let draft = path.with_extension(format!("{suffix:016x}.new"));
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
            file.write_all(&self.0)?;
            file.sync_all()?;
            fs::hard_link(&draft, path)
        });
        fs::remove_file(&draft)?;
        written
    }

    fn aead(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&CHACHA20_POLY1305, &self.0).ok().map(LessSafeKey::new)
    }

    /// `plain`, encrypted and bound to `context` (ChaCha20-Poly1305, RFC 8439): a random nonce of 12 bytes, then the
    /// ciphertext with its tag. With nonces at random a key is good for 2³² messages.
    pub(crate) fn seal(&self, environment: &Environment, context: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = environment.random_bytes();
        let mut bytes = plain.to_vec();
        let sealing = self.aead()?;
        sealing.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut bytes).ok()?;
        Some([&nonce[..], &bytes].concat())
    }

    /// What was sealed for this very `context` with this key.
    pub(crate) fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, bytes) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = bytes.to_vec();
        let opening = self.aead()?;
        let plain = opening.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut bytes).ok()?;
        Some(plain.to_vec())
    }

    /// Bytes that follow from the key and `context`, and that tell nothing of the key (HMAC-SHA-256).
    pub(crate) fn derive(&self, context: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), context);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_key_and_context_open_what_was_sealed() {
        let environment = Environment::system();
        let key = SealingKey::random(&environment);
        let sealed = key.seal(&environment, b"anna", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"));
        assert_eq!(key.open(b"anna", &sealed).as_deref(), Some(&b"secret"[..]));
        assert_eq!(key.open(b"ben", &sealed), None);
        assert_eq!(SealingKey::random(&environment).open(b"anna", &sealed), None);
        let mut edited = sealed.clone();
        edited[13] ^= 1;
        assert_eq!(key.open(b"anna", &edited), None);
        assert_eq!(key.open(b"anna", &sealed[..5]), None);
        assert_ne!(key.seal(&environment, b"anna", b"secret").unwrap(), sealed);
    }

    #[test]
    fn the_file_is_made_once_and_kept_from_others() {
        let (folder, environment) = (tempfile::tempdir().unwrap(), Environment::system());
        let path = folder.path().join("identity.key");
        let made = SealingKey::load_or_create(&path, &environment).unwrap();
        assert_eq!(SealingKey::load_or_create(&path, &environment).unwrap().0, made.0);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(SealingKey::load_or_create(&path, &environment), Err(SealError::Exposed { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"short").unwrap();
        assert!(matches!(SealingKey::load_or_create(&path, &environment), Err(SealError::NotAKey { .. })));
    }
}
