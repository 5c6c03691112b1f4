//! The server's certificate with its key, as read from files.

use crate::error::TlsError;
use crate::own::OwnCertificate;
use crate::secrets::require_private;
use crate::settings::{ClientCertificates, Files, TlsSettings};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// What one start, or one reload, found in the files.
#[derive(Debug, Clone)]
pub struct ServerIdentity {
    /// For handshakes.
    pub(crate) config: Arc<ServerConfig>,
    /// SHA-256 of the server's certificate, as browsers show it.
    pub fingerprint: String,
}

impl ServerIdentity {
    /// Reads all files, or makes a certificate first if the site has none of its own.
    ///
    /// # Errors
    /// [`TlsError`] with the file at fault.
    pub fn load(settings: &TlsSettings) -> Result<Self, TlsError> {
        let (certificate, key) = settings.files.paths();
        let chain = certificates(&certificate)?;
        let leaf = chain.first().ok_or_else(|| empty(&certificate, "certificate"))?;
        let fingerprint = fingerprint(leaf);
        require_private(&key)?;
        let private = PrivateKeyDer::from_pem_file(&key).map_err(|error| unreadable(&key, "private key", error))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| TlsError::unusable(&certificate, error))?;
        let verifier = match &settings.clients {
            Some(clients) => clients.verifier()?,
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let mut config =
            builder.with_client_cert_verifier(verifier).with_single_cert(chain, private).map_err(|error| {
                TlsError::unusable(&key, format!("this key and {} cannot be used: {error}", certificate.display()))
            })?;
        // The one protocol that is spoken above.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), fingerprint })
    }
}

impl Files {
    /// Certificate and key.
    #[must_use]
    pub fn paths(&self) -> (PathBuf, PathBuf) {
        match self {
            Self::Given { certificate, key } => (certificate.clone(), key.clone()),
            Self::Own(OwnCertificate { folder, .. }) => OwnCertificate::paths(folder),
        }
    }
}

impl ClientCertificates {
    /// Believes what these authorities signed and have not revoked.
    fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(&self.authorities)? {
            roots.add(authority).map_err(|error| TlsError::unusable(&self.authorities, error))?;
        }
        if roots.is_empty() {
            return Err(empty(&self.authorities, "certificate"));
        }
        let provider = Arc::new(ring::default_provider());
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        if let Some(file) = &self.revoked {
            let lists: Result<Vec<_>, _> =
                CertificateRevocationListDer::pem_file_iter(file).and_then(Iterator::collect);
            let lists = lists.map_err(|error| unreadable(file, "list of revoked certificates", error))?;
            if lists.is_empty() {
                return Err(empty(file, "list of revoked certificates"));
            }
            builder = builder.with_crls(lists).enforce_revocation_expiration();
        }
        if !self.required {
            builder = builder.allow_unauthenticated();
        }
        builder.build().map_err(|error| TlsError::unusable(self.revoked.as_deref().unwrap_or(&self.authorities), error))
    }
}

/// The certificates of a PEM file, in order.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let all = all.map_err(|error| unreadable(file, "certificate", error))?;
    if all.is_empty() { Err(empty(file, "certificate")) } else { Ok(all) }
}

/// SHA-256 of a certificate's DER form in pairs of hexadecimal digits, as browsers show it.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

pub(crate) fn empty(file: &Path, what: &'static str) -> TlsError {
    TlsError::Empty { file: file.to_owned(), what }
}

pub(crate) fn unreadable(file: &Path, what: &'static str, error: pem::Error) -> TlsError {
    match error {
        pem::Error::Io(source) => TlsError::file(file, source),
        pem::Error::NoItemsFound => empty(file, what),
        other => TlsError::unusable(file, other),
    }
}
