//! The certificate that a person shows, such as that of a smart card. By the time it is read here, the handshake has
//! checked that a trusted authority signed it, that it is in force, and that the other end has its key.

use crate::identity::fingerprint;
use std::str::FromStr;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Which of a certificate's names is the sign-in name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameField {
    /// The common name of the subject.
    #[default]
    CommonName,
    /// The mail address among the alternative names (rfc822Name).
    Email,
    /// The user principal name among the alternative names, as smart cards of Active Directory have it.
    PrincipalName,
}

impl FromStr for NameField {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "common-name" => Ok(Self::CommonName),
            "email" => Ok(Self::Email),
            "principal-name" => Ok(Self::PrincipalName),
            _ => Err(format!("'{text}' is no name of a certificate; use common-name, email or principal-name")),
        }
    }
}

/// szOID_NT_PRINCIPAL_NAME, by which Windows marks a user principal name.
const PRINCIPAL_NAME: &str = "1.3.6.1.4.1.311.20.2.3";

/// What a certificate says of the person who showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject in one line, such as `CN=ada, O=Port Elsin`.
    pub subject: String,
    /// The sign-in name; none if the certificate has not exactly one of the wanted kind.
    pub name: Option<String>,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
}

impl ClientCertificate {
    /// Reads the DER form of a certificate; one that cannot be read has no name.
    #[must_use]
    pub fn read(der: &[u8], field: NameField) -> Self {
        let fingerprint = fingerprint(der);
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return Self { subject: String::new(), name: None, fingerprint };
        };
        let names = names(&certificate, field);
        // Two names would be two people: unknown means denied.
        let name = match names.as_slice() {
            [one] if !one.is_empty() => Some(one.clone()),
            _ => None,
        };
        Self { subject: certificate.subject().to_string(), name, fingerprint }
    }
}

fn names(certificate: &X509Certificate<'_>, field: NameField) -> Vec<String> {
    if field == NameField::CommonName {
        let names = certificate.subject().iter_common_name();
        return names.filter_map(|name| name.as_str().ok()).map(str::to_owned).collect();
    }
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let alternative = extension.value.general_names.iter();
    let wanted = alternative.filter_map(|name| match (name, field) {
        (GeneralName::RFC822Name(mail), NameField::Email) => Some((*mail).to_owned()),
        (GeneralName::OtherName(kind, value), NameField::PrincipalName) if kind.to_id_string() == PRINCIPAL_NAME => {
            principal_name(value)
        }
        _ => None,
    });
    wanted.collect()
}

/// The text of an otherName's value: `[0] EXPLICIT UTF8String` (RFC 5280, 4.2.1.6), of fewer than 128 bytes.
fn principal_name(value: &[u8]) -> Option<String> {
    let inner = match value {
        [0xa0, length, inner @ ..] if usize::from(*length) == inner.len() => inner,
        inner => inner,
    };
    match inner {
        [0x0c, length, text @ ..] if *length < 0x80 && usize::from(*length) == text.len() => {
            std::str::from_utf8(text).ok().map(str::to_owned)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, OtherNameValue, SanType};

    fn certificate(common: &[&str], alternative: Vec<SanType>) -> Vec<u8> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        for name in common {
            parameters.distinguished_name.push(DnType::CommonName, *name);
        }
        parameters.subject_alt_names = alternative;
        parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn mail(address: &str) -> SanType {
        SanType::Rfc822Name(address.try_into().unwrap())
    }

    fn principal(name: &str) -> SanType {
        let kind = vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3];
        SanType::OtherName((kind, OtherNameValue::Utf8String(name.to_owned())))
    }

    #[test]
    fn each_kind_of_name_is_found_and_only_if_there_is_one() {
        let read = |der: &[u8], field| ClientCertificate::read(der, field).name;
        let ada = certificate(&["ada"], vec![mail("ada@port.example"), principal("ada@PORT")]);
        assert_eq!(read(&ada, NameField::CommonName).as_deref(), Some("ada"));
        assert_eq!(read(&ada, NameField::Email).as_deref(), Some("ada@port.example"));
        assert_eq!(read(&ada, NameField::PrincipalName).as_deref(), Some("ada@PORT"));
        assert!(ClientCertificate::read(&ada, NameField::CommonName).subject.contains("CN=ada"));
        let two = certificate(&["ada"], vec![mail("ada@port.example"), mail("dora@port.example")]);
        assert_eq!(read(&two, NameField::Email), None, "two names are nobody");
        assert_eq!(read(&certificate(&[], Vec::new()), NameField::CommonName), None);
        assert_eq!(read(b"no certificate", NameField::CommonName), None);
    }
}
