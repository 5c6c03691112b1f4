//! TLS of the connections that signing in makes: only whom the site named may vouch for the other side; the system's
//! own list counts for nothing in an enclave.

use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// For those whose certificates lead to one of `authorities` (PEM); `name` is the setting that they come from.
pub(crate) fn client(authorities: &[u8], name: &str) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities) {
        let certificate = certificate.map_err(|error| format!("{name} cannot be read: {error}"))?;
        roots.add(certificate).map_err(|error| format!("{name} cannot be used: {error}"))?;
    }
    if roots.is_empty() {
        return Err(format!("{name} holds no certificate"));
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(tls))
}
