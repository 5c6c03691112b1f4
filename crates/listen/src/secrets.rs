//! Secrets lie in files, and only their owner, or a group that is trusted to read, may read them.

use crate::TlsError;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Bits that a secret must not have: anything for everybody, and writing for the group. A group may read, because that
/// is how a key of root's is lent to a service.
const FORBIDDEN: u32 = 0o027;

/// Refuses a secret that others can read or change.
///
/// # Errors
/// [`TlsError::Exposed`] with the mode, [`TlsError::File`] if there is no such file.
pub fn require_private(file: &Path) -> Result<(), TlsError> {
    let metadata = std::fs::metadata(file).map_err(|error| TlsError::file(file, error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & FORBIDDEN == 0 { Ok(()) } else { Err(TlsError::Exposed { file: file.to_owned(), mode }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_and_a_reading_group_may() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        std::fs::write(&file, "secret").unwrap();
        for (mode, fine) in [
            (0o600, true),
            (0o400, true),
            (0o640, true),
            (0o644, false),
            (0o660, false),
            (0o604, false),
            (0o602, false),
        ] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let outcome = require_private(&file);
            assert_eq!(outcome.is_ok(), fine, "{mode:o}");
            if let Err(error) = outcome {
                let sentence = error.to_string();
                assert!(sentence.contains(&format!("mode {mode:03o}")) && sentence.contains("chmod 600"), "{sentence}");
            }
        }
        assert!(require_private(&folder.path().join("none")).is_err());
    }
}
