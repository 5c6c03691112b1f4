//! A message in a message: its storage becomes a file of its own, so that it is read like any other.

use super::store::{PROPERTIES, Store};
use crate::ExtractError;
use cfb::CompoundFile;
use std::io::{Cursor, Write};
use std::path::PathBuf;

/// How deep storages may nest: a message, its attachment, a message in that and so on take two levels each.
const DEPTH: usize = 40;

/// Copies the storage of an embedded message into a compound file; `None` if it is damaged.
pub(crate) fn copy(store: &mut Store<'_>, folder: &str) -> Result<Option<Vec<u8>>, ExtractError> {
    let Ok(walk) = store.file.walk_storage(folder) else { return Ok(None) };
    let mut entries: Vec<(PathBuf, bool)> = Vec::new();
    for entry in walk {
        let path = entry.path().to_owned();
        if path.components().count() > DEPTH {
            return Err(ExtractError::TooLarge { what: "the depth of its messages", limit: (DEPTH / 2).to_string() });
        }
        entries.push((path, entry.is_stream()));
        store.limits.check_entries(entries.len())?;
    }
    let Ok(mut copy) = CompoundFile::create(Cursor::new(Vec::new())) else { return Ok(None) };
    let root = PathBuf::from(format!("/{folder}"));
    for (path, is_stream) in entries {
        let Ok(name) = path.strip_prefix(&root) else { continue };
        if name.as_os_str().is_empty() {
            continue;
        }
        if !is_stream {
            if copy.create_storage(name).is_err() {
                return Ok(None);
            }
            continue;
        }
        let Some(mut bytes) = store.stream(&path.to_string_lossy())? else { return Ok(None) };
        if name.as_os_str() == PROPERTIES && bytes.len() >= 24 {
            // The header of a message that stands alone ends with eight bytes more (MS-OXMSG, section 2.4.1.1).
            bytes.splice(24..24, [0; 8]);
        }
        let written = copy.create_stream(name).and_then(|mut stream| stream.write_all(&bytes));
        if written.is_err() {
            return Ok(None);
        }
    }
    Ok(copy.flush().is_ok().then(|| copy.into_inner().into_inner()))
}
