//! Lists of revoked certificates, looked at before they are put into force.

use crate::error::TlsError;
use crate::identity::{empty, unreadable};
use jiff::Timestamp;
use std::path::Path;
use tokio_rustls::rustls::pki_types::CertificateRevocationListDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode;

/// When the first of the lists in a PEM file ends: from then on its authority vouches for nobody. `None` if none of them
/// says when.
///
/// # Errors
/// [`TlsError`] if there is no list in the file, or one cannot be read.
pub fn revocation_ends(file: &Path) -> Result<Option<Timestamp>, TlsError> {
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_file_iter(file).and_then(Iterator::collect);
    let lists = lists.map_err(|error| unreadable(file, "list of revoked certificates", error))?;
    if lists.is_empty() {
        return Err(empty(file, "list of revoked certificates"));
    }
    let mut first: Option<Timestamp> = None;
    for list in lists {
        let parsed = CertificateList::from_der(&list).map_err(|error| TlsError::unusable(file, error))?;
        let Some(end) = parsed.tbs_cert_list.next_update else { continue };
        let end = i64::try_from(end.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
        let end = Timestamp::from_second(end).unwrap_or(Timestamp::MAX);
        first = Some(first.map_or(end, |known| known.min(end)));
    }
    Ok(first)
}
