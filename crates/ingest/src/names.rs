//! Names: under which path a file is taken in, and whether what its submitter says of it can hold there.

use crate::stage::{Kept, Origin};
use domain::AccessScope;
use storage::{Act, StorageError};

/// Whether a person chose a higher label for a file than the document has that it would become a version of. Sidecar
/// files come with the label of their form, which nobody chose for the file that they describe.
pub(crate) async fn would_lower(act: &mut Act, origin: &Origin<'_>, file: &Kept<'_>) -> Result<bool, StorageError> {
    let Some(label) = origin.label.filter(|_| origin.folder.is_none()) else { return Ok(false) };
    let known = act.document_at(origin.collection.id, file.source).await?.filter(|known| known.parent.is_none());
    Ok(known.is_some_and(|known| known.label < label && (file.sidecar.is_none() || known.content != file.content)))
}

/// The path for a file whose submitter sees only what `scope` allows: its own, unless a document is there that the
/// submitter does not see.
pub(crate) async fn visible_source(
    act: &mut Act,
    origin: &Origin<'_>,
    scope: &AccessScope,
    source: &str,
) -> Result<String, StorageError> {
    let mut nth = 1;
    loop {
        let candidate = if nth == 1 { source.to_owned() } else { format!("{source} ({nth})") };
        let seen = match act.document_at(origin.collection.id, &candidate).await? {
            Some(there) => scope.allows(there.collection, there.label, there.readers.as_deref()),
            None => true,
        };
        if seen {
            return Ok(candidate);
        }
        nth += 1;
    }
}
