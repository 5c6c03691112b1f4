//! Encryption for a key whose secret half is not on the machine (age-encryption.org/v1: X25519, ChaCha20-Poly1305 in
//! blocks of 64 KiB, so that a cut or altered file is noticed).

use super::error::{BackupError, at};
use age::secrecy::ExposeSecret;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;

/// Whom backups are encrypted for. Public.
#[derive(Clone)]
pub struct Recipient(age::x25519::Recipient);

/// What opens backups. It belongs on paper or on a medium in a safe, and nowhere else.
pub struct Secret(age::x25519::Identity);

impl Recipient {
    /// Reads what [`std::fmt::Display`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        age::x25519::Recipient::from_str(text.trim()).ok().map(Self)
    }

    /// Writes all of `plain` to `sealed`, encrypted.
    pub(super) fn seal(&self, plain: &mut impl Read, sealed: impl Write) -> io::Result<()> {
        let encryptor = age::Encryptor::with_recipients(std::iter::once(&self.0 as &dyn age::Recipient));
        let mut writer = encryptor.map_err(io::Error::other)?.wrap_output(sealed)?;
        io::copy(plain, &mut writer)?;
        writer.finish()?.flush()
    }
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Secret {
    /// A new one, from the operating system's random source.
    #[must_use]
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// Reads a key file: its first line that begins with `AGE-SECRET-KEY-1`.
    ///
    /// # Errors
    /// If the file cannot be read or holds no key.
    pub fn read(path: &Path) -> Result<Self, BackupError> {
        let text = std::fs::read_to_string(path).map_err(at(path))?;
        let key = text.lines().map(str::trim).find(|line| line.starts_with("AGE-SECRET-KEY-1"));
        let key = key.and_then(|key| age::x25519::Identity::from_str(key).ok());
        key.map(Self).ok_or_else(|| BackupError::NotAKey(path.to_owned()))
    }

    /// Writes a key file that only its owner may read, and that is not there yet.
    ///
    /// # Errors
    /// If it is there, or the disk refuses.
    pub fn write_new(&self, path: &Path) -> Result<(), BackupError> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(at(path))?;
        let text = format!(
            "# opens the backups of this appliance; keep it away from the machine\n# public key: {}\n{}\n",
            self.recipient(),
            self.0.to_string().expose_secret()
        );
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(at(path))
    }

    /// The public half.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient(self.0.to_public())
    }

    /// Reads `sealed`, decrypted. What was cut or altered fails while it is read.
    pub(super) fn open<R: Read>(&self, sealed: R) -> Result<impl Read + use<R>, age::DecryptError> {
        age::Decryptor::new(sealed)?.decrypt(std::iter::once(&self.0 as &dyn age::Identity))
    }
}
