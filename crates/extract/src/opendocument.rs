//! What OpenDocument files have in common (OpenDocument 1.3, parts 2 and 3).

use crate::package::Package;
use crate::{ExtractError, Limits};

/// How many spaces in a row count.
const SPACES: usize = 64;

/// Opens the package of a file that is not encrypted (part 2, section 3.4.1).
pub(crate) fn open<'a>(bytes: &'a [u8], limits: &'a Limits) -> Result<Package<'a>, ExtractError> {
    let mut package = Package::open(bytes, limits)?;
    let manifest = package.read_extra("META-INF/manifest.xml")?.unwrap_or_default();
    let mark = b"encryption-data";
    if manifest.windows(mark.len()).any(|window| window == mark) {
        return Err(ExtractError::Encrypted);
    }
    Ok(package)
}

/// The spaces that a `text:s` element stands for (part 3, section 6.1.3).
pub(crate) fn space(count: Option<String>) -> String {
    " ".repeat(count.and_then(|count| count.parse().ok()).unwrap_or(1).clamp(1, SPACES))
}
