//! Whether the server encrypts, and with which certificate: decided from the configuration and the address.

use crate::site::Failure;
use listen::{ClientCertificates, Files, NameField, OwnCertificate, TlsSettings};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// `[tls]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tls {
    /// PEM file with the server's certificate and those above it; without one the server makes its own.
    pub(crate) certificate: Option<PathBuf>,
    /// PEM file with its private key.
    pub(crate) key: Option<PathBuf>,
    /// Host names and addresses for the certificate that the server makes itself.
    pub(crate) names: Vec<String>,
    /// Encrypt on the loopback interface too.
    pub(crate) always: bool,
    /// Why the server need not encrypt, such as "behind a proxy". Without a reason it does, except on loopback.
    pub(crate) off: Option<String>,
    /// An address where plain HTTP is answered with the way to the encrypted pages.
    pub(crate) redirect: Option<SocketAddr>,
    /// PEM file with the authorities whose certificates people sign in with.
    pub(crate) client_ca: Option<PathBuf>,
    /// PEM file with the lists of certificates that these have revoked.
    pub(crate) client_crl: Option<PathBuf>,
    /// Whether nobody may connect without such a certificate.
    pub(crate) client_required: bool,
    /// Which of its names is the sign-in name: `common-name`, `email` or `principal-name`.
    pub(crate) client_name: Option<String>,
}

/// How the server speaks.
#[derive(Debug)]
pub(crate) enum Transport {
    /// Plain HTTP: on loopback, or because the site says why.
    Plain,
    /// Over TLS.
    Encrypted(TlsSettings, NameField),
}

impl Tls {
    /// What to speak at `address`, the keys being in `keys`.
    pub(crate) fn transport(&self, address: SocketAddr, keys: &Path) -> Result<Transport, Failure> {
        let given = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some(Files::Given { certificate: certificate.clone(), key: key.clone() }),
            (None, None) => None,
            _ => return Err("tls.certificate and tls.key go together; give both or neither".into()),
        };
        if self.client_ca.is_none() && (self.client_crl.is_some() || self.client_required) {
            return Err("tls.client_crl and tls.client_required mean nothing without tls.client_ca; give it".into());
        }
        let wanted = given.is_some() || self.always || self.client_ca.is_some();
        match self.off.as_deref().map(str::trim) {
            Some("") => return Err("tls.off needs a reason, such as \"behind a proxy\"".into()),
            Some(_) if wanted => return Err("tls.off contradicts the rest of [tls]; leave one of them out".into()),
            Some(_) => return Ok(Transport::Plain),
            None if address.ip().is_loopback() && !wanted => return Ok(Transport::Plain),
            None => {}
        }
        let own = || {
            let names = match self.names.is_empty() {
                true => OwnCertificate::usual_names(address.ip()),
                false => self.names.clone(),
            };
            Files::Own(OwnCertificate { folder: keys.to_owned(), names })
        };
        let clients = self.client_ca.clone().map(|authorities| ClientCertificates {
            authorities,
            revoked: self.client_crl.clone(),
            required: self.client_required,
        });
        let field = self.client_name.as_deref().map(str::parse).transpose()?.unwrap_or_default();
        Ok(Transport::Encrypted(TlsSettings { files: given.unwrap_or_else(own), clients }, field))
    }

    /// The fingerprint of the certificate in use, or of the one that the server made itself.
    pub(crate) fn fingerprint(&self, data: &Path) -> Result<String, Failure> {
        match &self.certificate {
            Some(certificate) => Ok(OwnCertificate::fingerprint_of(certificate)?),
            None => OwnCertificate::fingerprint_in(&data.join("keys")).map_err(|error| {
                format!("the server has made no certificate yet ({error}); 'carrel serve' does at its first start")
                    .into()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport(text: &str, address: &str) -> Result<bool, String> {
        let tls: Tls = toml::from_str(text).unwrap();
        let transport = tls.transport(address.parse().unwrap(), Path::new("keys"));
        transport.map(|it| matches!(it, Transport::Encrypted(..))).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_but_loopback_is_encrypted_unless_somebody_says_why_not() {
        assert_eq!(transport("", "127.0.0.1:8080"), Ok(false));
        assert_eq!(transport("", "[::1]:8080"), Ok(false));
        assert_eq!(transport("always = true", "127.0.0.1:8080"), Ok(true));
        for open in ["0.0.0.0:443", "10.0.4.2:8080", "[::]:443"] {
            assert_eq!(transport("", open), Ok(true), "{open}");
            assert_eq!(transport("off = \"behind a proxy\"", open), Ok(false), "{open}");
        }
        assert_eq!(transport("certificate = \"a\"\nkey = \"b\"", "127.0.0.1:8080"), Ok(true));
        assert_eq!(transport("client_ca = \"a\"", "127.0.0.1:8080"), Ok(true));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (text, sentence) in [
            ("certificate = \"a\"", "go together"),
            ("off = \" \"", "needs a reason"),
            ("off = \"x\"\nalways = true", "contradicts"),
            ("client_required = true", "without tls.client_ca"),
            ("client_ca = \"a\"\nclient_name = \"surname\"", "use common-name"),
        ] {
            let error = transport(text, "0.0.0.0:443").unwrap_err();
            assert!(error.contains(sentence), "{text}: {error}");
        }
        assert!(toml::from_str::<Tls>("of = \"typo\"").is_err());
    }
}
