//! A certificate of the appliance's own, for sites that have none yet.
//!
//! Signed by itself: people compare its fingerprint with the one on the console once. The key stays when the
//! certificate is made anew, so that whoever pinned the key need not look again.

use crate::error::TlsError;
use crate::identity::{certificates, fingerprint};
use crate::secrets::require_private;
use domain::Environment;
use jiff::{Span, Timestamp, tz::TimeZone};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    SerialNumber, date_time_ymd,
};
use std::fs::OpenOptions;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Longest that browsers accept of a certificate that was added by hand.
const VALID_DAYS: i64 = 800;
/// How long before its end it is made anew.
const RENEW_SECONDS: u64 = 30 * 86_400;

/// Where it lies and what it is for.
#[derive(Debug, Clone)]
pub struct OwnCertificate {
    /// The folder with `tls.pem` and `tls.key`.
    pub folder: PathBuf,
    /// Host names and addresses by which people reach the server.
    pub names: Vec<String>,
}

/// A certificate that was made just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// SHA-256, as browsers show it.
    pub fingerprint: String,
    /// Host names and addresses in it.
    pub names: Vec<String>,
    /// Why: `first start`, `other names`, `near its end`.
    pub reason: &'static str,
}

impl OwnCertificate {
    pub(crate) fn paths(folder: &Path) -> (PathBuf, PathBuf) {
        (folder.join("tls.pem"), folder.join("tls.key"))
    }

    /// The names that a server has without anybody naming them: those of this machine, and the address it listens on.
    #[must_use]
    pub fn usual_names(listen: IpAddr) -> Vec<String> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_lowercase();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        if !host.is_empty() && host.chars().all(plain) {
            names.push(host);
        }
        if !listen.is_unspecified() {
            names.push(listen.to_string());
        }
        names.sort();
        names.dedup();
        names
    }

    /// Makes it if it is not there, is for other names, or ends soon. Says what was made.
    ///
    /// # Errors
    /// [`TlsError`]; a name that cannot stand in a certificate.
    pub fn ensure(&self, environment: &Environment) -> Result<Option<Made>, TlsError> {
        let (certificate, key) = Self::paths(&self.folder);
        let reason = if certificate.exists() && key.exists() {
            require_private(&key)?;
            match self.outdated(&certificate, environment.now())? {
                Some(reason) => reason,
                None => return Ok(None),
            }
        } else {
            "first start"
        };
        let pair = match std::fs::read_to_string(&key) {
            Ok(text) => KeyPair::from_pem(&text).map_err(|error| TlsError::unusable(&key, error))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?
            }
            Err(error) => return Err(TlsError::file(&key, error)),
        };
        let made = self.parameters(environment)?.self_signed(&pair)?;
        write(&key, &pair.serialize_pem(), 0o600)?;
        write(&certificate, &made.pem(), 0o644)?;
        Ok(Some(Made { fingerprint: fingerprint(made.der()), names: self.names.clone(), reason }))
    }

    /// The fingerprint of the certificate that is there.
    ///
    /// # Errors
    /// [`TlsError`] if there is none.
    pub fn fingerprint_in(folder: &Path) -> Result<String, TlsError> {
        Self::fingerprint_of(&Self::paths(folder).0)
    }

    /// The fingerprint of the first certificate of a PEM file.
    ///
    /// # Errors
    /// [`TlsError`] if there is none.
    pub fn fingerprint_of(certificate: &Path) -> Result<String, TlsError> {
        Ok(certificates(certificate)?.first().map(|leaf| fingerprint(leaf)).unwrap_or_default())
    }

    /// When the first certificate of a PEM file ends.
    ///
    /// # Errors
    /// [`TlsError`] if there is none, or it cannot be read.
    pub fn end_of(certificate: &Path) -> Result<Timestamp, TlsError> {
        let chain = certificates(certificate)?;
        let leaf = chain.first().map(AsRef::as_ref).unwrap_or_default();
        let parsed = Certificate::from_der(leaf).map_err(|error| TlsError::unusable(certificate, error))?;
        let end = parsed.tbs_certificate.validity.not_after.to_unix_duration().as_secs();
        Ok(Timestamp::from_second(i64::try_from(end).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX))
    }

    fn parameters(&self, environment: &Environment) -> Result<CertificateParams, TlsError> {
        let mut parameters = CertificateParams::new(self.names.clone())?;
        let day = |at: Timestamp| {
            let date = at.to_zoned(TimeZone::UTC).date();
            date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
        };
        let days = |count: i64| Span::new().hours(24 * count);
        // From yesterday on: clocks of the people's machines may be behind.
        let (now, fallback) = (environment.now(), environment.now());
        parameters.not_before = day(now.checked_sub(days(1)).unwrap_or(fallback));
        parameters.not_after = day(now.checked_add(days(VALID_DAYS)).unwrap_or(fallback));
        // Browsers refuse two certificates of one issuer with the same number. The first bit is 0: it is positive.
        let mut serial = environment.random_bytes::<16>();
        serial[0] &= 0x7f;
        parameters.serial_number = Some(SerialNumber::from_slice(&serial));
        parameters.distinguished_name.push(DnType::CommonName, "Carrel");
        parameters.is_ca = IsCa::ExplicitNoCa;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Ok(parameters)
    }

    /// Why the certificate has to be made anew, if it has.
    fn outdated(&self, certificate: &Path, now: Timestamp) -> Result<Option<&'static str>, TlsError> {
        let chain = certificates(certificate)?;
        let leaf = chain.first().map(AsRef::as_ref).unwrap_or_default();
        let parsed =
            Certificate::from_der(leaf).map_err(|error| TlsError::unusable(certificate, error))?.tbs_certificate;
        let end = parsed.validity.not_after.to_unix_duration().as_secs();
        if end < now.as_second().unsigned_abs() + RENEW_SECONDS {
            return Ok(Some("near its end"));
        }
        let mut names: Vec<String> = match parsed.get::<SubjectAltName>() {
            Ok(Some((_, alternative))) => alternative.0.iter().filter_map(name).collect(),
            _ => Vec::new(),
        };
        let mut wanted = self.names.clone();
        names.sort();
        wanted.sort();
        Ok((names != wanted).then_some("other names"))
    }
}

fn name(general: &GeneralName) -> Option<String> {
    match general {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(address) => {
            let bytes = address.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// Beside the old file first, so that a power cut leaves one or the other whole.
fn write(file: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let beside = file.with_extension("new");
    let written =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside).and_then(|mut open| {
            open.write_all(text.as_bytes())?;
            open.sync_all()
        });
    written.and_then(|()| std::fs::rename(&beside, file)).map_err(|error| TlsError::file(file, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Clock, SystemRandom};
    use std::os::unix::fs::PermissionsExt;

    struct At(Timestamp);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    fn at(text: &str) -> Environment {
        Environment::new(At(text.parse().unwrap()), SystemRandom)
    }

    #[test]
    fn it_is_made_once_and_anew_for_other_names_or_near_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let own = OwnCertificate {
            folder: folder.path().to_owned(),
            names: vec!["desk.example".to_owned(), "10.0.4.2".to_owned(), "::1".to_owned()],
        };
        let today = at("2026-03-14T09:00:00Z");
        let first = own.ensure(&today).unwrap().unwrap();
        assert_eq!((first.reason, first.fingerprint.len()), ("first start", 95));
        assert_eq!(own.ensure(&today).unwrap(), None, "once is enough");
        assert_eq!(OwnCertificate::fingerprint_in(folder.path()).unwrap(), first.fingerprint);
        let key = folder.path().join("tls.key");
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);

        let before = std::fs::read(&key).unwrap();
        let other = OwnCertificate { names: vec!["desk.example".to_owned()], ..own };
        let second = other.ensure(&today).unwrap().unwrap();
        assert_eq!(second.reason, "other names");
        assert_ne!(second.fingerprint, first.fingerprint);
        assert_eq!(other.ensure(&at("2028-04-01T09:00:00Z")).unwrap(), None);
        let third = other.ensure(&at("2028-05-01T09:00:00Z")).unwrap().unwrap();
        assert_eq!(third.reason, "near its end");
        assert_eq!(std::fs::read(&key).unwrap(), before, "the key stays");

        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(other.ensure(&today), Err(TlsError::Exposed { .. })));
    }

    #[test]
    fn a_name_that_is_none_is_refused_in_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let own = OwnCertificate { folder: folder.path().to_owned(), names: vec!["håfen\u{0}".to_owned()] };
        assert!(
            own.ensure(&Environment::system()).unwrap_err().to_string().starts_with("no certificate could be made")
        );
        assert!(OwnCertificate::usual_names("10.0.4.2".parse().unwrap()).contains(&"10.0.4.2".to_owned()));
    }
}
