//! Certificates that change while the server runs.

use crate::error::TlsError;
use crate::identity::ServerIdentity;
use crate::settings::TlsSettings;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// The identity that handshakes use, exchanged when its files change. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reloading {
    settings: Arc<TlsSettings>,
    current: Arc<RwLock<ServerIdentity>>,
}

/// What tells one state of a file from another: device and inode, size, time of change.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

impl Reloading {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// [`TlsError`] with the file at fault.
    pub fn load(settings: TlsSettings) -> Result<Self, TlsError> {
        let identity = ServerIdentity::load(&settings)?;
        Ok(Self { settings: Arc::new(settings), current: Arc::new(RwLock::new(identity)) })
    }

    /// What a handshake that begins now uses.
    #[must_use]
    pub fn current(&self) -> ServerIdentity {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files again. If they cannot be used, what was in use stays.
    ///
    /// # Errors
    /// [`TlsError`] with the file at fault.
    pub fn reload(&self) -> Result<(), TlsError> {
        let identity = ServerIdentity::load(&self.settings)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = identity;
        Ok(())
    }

    /// Follows the files until `stop`: connections that begin after a change see it, those before go on.
    pub async fn run(self, stop: CancellationToken) {
        let mut known = self.stamps();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            let stamps = self.stamps();
            if stamps == known {
                continue;
            }
            known = stamps;
            match self.reload() {
                Ok(()) => tracing::info!(fingerprint = %self.current().fingerprint, "certificates were read again"),
                Err(error) => tracing::error!(%error, "the changed certificates cannot be used; those before stay"),
            }
        }
    }

    fn stamps(&self) -> Vec<Stamp> {
        let (certificate, key) = self.settings.files.paths();
        let clients = self.settings.clients.iter();
        let clients = clients.flat_map(|clients| [Some(clients.authorities.clone()), clients.revoked.clone()]);
        let files = [Some(certificate), Some(key)].into_iter().chain(clients).flatten();
        files.map(stamp).collect()
    }
}

fn stamp(file: PathBuf) -> Stamp {
    let found = std::fs::metadata(file).ok()?;
    Some((found.dev(), found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}
