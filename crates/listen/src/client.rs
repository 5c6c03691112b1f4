//! The certificate that a person shows, such as that of a smart card. By the time it is read here, the handshake has
//! checked that a trusted authority signed it, that it is in force, and that the other end has its key.

use crate::identity::fingerprint;
use std::str::FromStr;
use x509_cert::Certificate;
use x509_cert::der::asn1::{PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Any, Decode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

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
const PRINCIPAL_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.20.2.3");
/// id-at-commonName (RFC 5280, appendix A.1).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

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
        let Ok(certificate) = Certificate::from_der(der) else {
            return Self { subject: String::new(), name: None, fingerprint };
        };
        let names = names(&certificate, field);
        // Two names would be two people: unknown means denied.
        let name = match names.as_slice() {
            [one] if !one.is_empty() => Some(one.clone()),
            _ => None,
        };
        Self { subject: certificate.tbs_certificate.subject.to_string(), name, fingerprint }
    }
}

fn names(certificate: &Certificate, field: NameField) -> Vec<String> {
    let certificate = &certificate.tbs_certificate;
    if field == NameField::CommonName {
        let attributes = certificate.subject.0.iter().flat_map(|name| name.0.iter());
        return attributes.filter(|it| it.oid == COMMON_NAME).filter_map(|it| text(&it.value)).collect();
    }
    let Ok(Some((_, SubjectAltName(alternative)))) = certificate.get::<SubjectAltName>() else { return Vec::new() };
    let wanted = alternative.iter().filter_map(|name| match (name, field) {
        (GeneralName::Rfc822Name(mail), NameField::Email) => Some(mail.to_string()),
        (GeneralName::OtherName(other), NameField::PrincipalName) if other.type_id == PRINCIPAL_NAME => {
            explicit(&other.value)
        }
        _ => None,
    });
    wanted.collect()
}

/// A DirectoryString (RFC 5280, 4.1.2.4) of the kinds that are in use.
fn text(value: &Any) -> Option<String> {
    let utf8 = value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_owned());
    let printable = || value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str().to_owned());
    let teletex = || value.decode_as::<TeletexStringRef<'_>>().map(|text| text.as_str().to_owned());
    utf8.or_else(|_| printable()).or_else(|_| teletex()).ok()
}

/// What an otherName holds (RFC 5280, 4.2.1.6): a text, with or without the tag that says that it is one.
fn explicit(value: &Any) -> Option<String> {
    text(value).or_else(|| Any::from_der(value.value()).ok().as_ref().and_then(text))
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
