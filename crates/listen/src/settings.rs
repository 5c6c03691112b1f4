//! What TLS is made of.

use crate::own::OwnCertificate;
use std::path::PathBuf;

/// Everything that TLS needs.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// Where the server's certificate comes from.
    pub files: Files,
    /// Whether people show certificates, and which are believed.
    pub clients: Option<ClientCertificates>,
}

/// Where the server's certificate and key come from.
#[derive(Debug, Clone)]
pub enum Files {
    /// PEM files that the site keeps.
    Given {
        /// The chain, the server's own first.
        certificate: PathBuf,
        /// The private key: PKCS#8, PKCS#1 or SEC1.
        key: PathBuf,
    },
    /// Made here, and made anew before it ends.
    Own(OwnCertificate),
}

/// Which certificates of people are believed.
#[derive(Debug, Clone)]
pub struct ClientCertificates {
    /// PEM file with the authorities that issue them.
    pub authorities: PathBuf,
    /// PEM file with lists of revoked ones, one list for each authority; then one without a list is refused, and so is
    /// every certificate once its list is out of date.
    pub revoked: Option<PathBuf>,
    /// Whether nobody may connect without one.
    pub required: bool,
}
