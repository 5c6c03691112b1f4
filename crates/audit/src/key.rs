//! The appliance's signing key (Ed25519, RFC 8032) and its public half.

use crate::hex;
use domain::Environment;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, spki::der::pem::LineEnding,
};
use ed25519_dalek::{Signature, Signer};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why a key could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or written.
    #[error("the key file {} could not be read or written: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others than its owner may read the private key.
    #[error("the key file {} can be read by others; run chmod 600 on it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// It is not an Ed25519 key in PEM.
    #[error("this is not an Ed25519 key in PEM form")]
    NotAKey,
}

/// The private key. It never leaves the appliance and is never shown.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

/// The public key: what an auditor keeps to verify exports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl SigningKey {
    /// Reads the key at `path` (PEM, PKCS#8), or makes one there, readable by its owner only.
    ///
    /// # Errors
    /// [`KeyError`] if the file can't be read or written, is open to others or is no such key.
    pub fn load_or_create(path: &Path, environment: &Environment) -> Result<Self, KeyError> {
        match Self::load(path) {
            Err(KeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let key = Self::generate(environment);
                match key.create(path, environment) {
                    Ok(()) => Ok(key),
                    // Another process made one at the same moment: that one counts.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::load(path),
                    Err(source) => Err(KeyError::File { path: path.to_owned(), source }),
                }
            }
            other => other,
        }
    }

    /// A new key, in memory only.
    #[must_use]
    pub fn generate(environment: &Environment) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&environment.random_bytes()))
    }

    /// Makes a new key at `path`, where none may be.
    ///
    /// # Errors
    /// [`KeyError::File`], also if there is a file already.
    pub fn create_at(path: &Path, environment: &Environment) -> Result<Self, KeyError> {
        let key = Self::generate(environment);
        key.create(path, environment).map_err(|source| KeyError::File { path: path.to_owned(), source })?;
        Ok(key)
    }

    /// Reads the key at `path` (PEM, PKCS#8).
    ///
    /// # Errors
    /// [`KeyError`] if the file can't be read, is open to others or is no such key.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.to_owned() });
        }
        let mut pem = String::new();
        file.read_to_string(&mut pem).map_err(failed)?;
        ed25519_dalek::SigningKey::from_pkcs8_pem(&pem).map(Self).map_err(|_| KeyError::NotAKey)
    }

    /// Written beside and linked into place, so that nobody ever reads half a key and none is overwritten.
    fn create(&self, path: &Path, environment: &Environment) -> io::Result<()> {
        let pem = self.0.to_pkcs8_pem(LineEnding::LF).map_err(io::Error::other)?;
        let suffix = hex::encode(&environment.random_bytes::<8>());
        let draft = path.with_extension(format!("{suffix}.new"));
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
            file.write_all(pem.as_bytes())?;
            file.sync_all()?;
            fs::hard_link(&draft, path)
        });
        fs::remove_file(&draft)?;
        written
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }
}

impl PublicKey {
    /// Reads a PEM file's contents (`BEGIN PUBLIC KEY`).
    ///
    /// # Errors
    /// [`KeyError::NotAKey`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        ed25519_dalek::VerifyingKey::from_public_key_pem(pem).map(Self).map_err(|_| KeyError::NotAKey)
    }

    /// The key as PEM (SubjectPublicKeyInfo, RFC 8410).
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).unwrap_or_default()
    }

    /// Reads the 64 hexadecimal digits that [`PublicKey`] is shown as.
    #[must_use]
    pub fn from_hex(digits: &str) -> Option<Self> {
        hex::read(digits).and_then(Self::of_bytes)
    }

    /// Whether this key signed the message: 64 bytes of signature, strictly (RFC 8032, section 8.4). For what is signed
    /// outside of the log, such as bundles.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.try_into().is_ok_and(|signature| self.signed(message, signature))
    }

    pub(crate) fn of_bytes(bytes: [u8; 32]) -> Option<Self> {
        ed25519_dalek::VerifyingKey::from_bytes(&bytes).ok().map(Self)
    }

    /// Strict, so that only one signature exists for a message (RFC 8032, section 8.4).
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

/// The key's 32 bytes as 64 hexadecimal digits: it is as short as any fingerprint of it would be.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(self.0.as_bytes(), f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.pem");
        let environment = Environment::system();
        let key = SigningKey::load_or_create(&path, &environment).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(fs::read_to_string(&path).unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));

        let again = SigningKey::load_or_create(&path, &environment).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(PublicKey::from_pem(&key.public().to_pem()).unwrap(), key.public());
        assert!(key.create(&path, &environment).is_err(), "an existing key is never overwritten");
        assert!(!format!("{key:?}").contains(&hex::encode(key.0.as_bytes())), "the private key is never shown");
    }

    #[test]
    fn a_key_that_others_can_read_and_one_that_is_none_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.pem");
        let environment = Environment::system();
        SigningKey::load_or_create(&path, &environment).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(SigningKey::load_or_create(&path, &environment), Err(KeyError::Exposed { .. })));

        fs::write(&path, "not a key").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(SigningKey::load_or_create(&path, &environment), Err(KeyError::NotAKey)));
        assert!(matches!(PublicKey::from_pem("not a key"), Err(KeyError::NotAKey)));
    }
}
