//! Places: where model files come from, and how one gets to where it stays.

use crate::{Models, ModelsError};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes copied between two reports of progress.
const STEP: usize = 8 << 20;

/// Something that lies in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// Its file name.
    pub name: String,
    /// Its length, or that of a folder's files.
    pub size_bytes: u64,
}

impl Models {
    /// The folder in which a page finds files to import: `models/inbox` of the data directory.
    #[must_use]
    pub fn inbox_folder(&self) -> PathBuf {
        self.settings.data.join("models/inbox")
    }

    /// Folders beside the inbox from which a page may import.
    #[must_use]
    pub fn places(&self) -> &[PathBuf] {
        &self.settings.import_from
    }

    /// What lies in the inbox, by name. The folder is made if it is not there.
    ///
    /// # Errors
    /// [`ModelsError::File`].
    pub fn inbox(&self) -> Result<Vec<InboxEntry>, ModelsError> {
        let folder = self.inbox_folder();
        let failed = |error: io::Error| ModelsError::file(&folder, &error);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                entries.push(InboxEntry { name, size_bytes: length(&entry.path()) });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// The path that a page may import from: a name in the inbox, or a path below the inbox or a configured folder. A
    /// page must not become a way to look at every file of the machine.
    ///
    /// # Errors
    /// [`ModelsError::Refused`].
    pub fn offered(&self, wanted: &str) -> Result<PathBuf, ModelsError> {
        let wanted = wanted.trim();
        let inbox = self.inbox_folder();
        let path = if wanted.contains('/') { PathBuf::from(wanted) } else { inbox.join(wanted) };
        let allowed = |path: &Path| {
            let roots = [&inbox].into_iter().chain(self.places());
            // The inbox itself, and what lies above it, is no model.
            roots.filter_map(|root| root.canonicalize().ok()).any(|root| path != root && path.starts_with(&root))
        };
        match path.canonicalize() {
            Ok(found) if allowed(&found) => Ok(found),
            _ => {
                let mut names: Vec<String> = self.places().iter().map(|place| place.display().to_string()).collect();
                names.insert(0, "the inbox".to_owned());
                let sentence = "there is no such file in a place that pages import from";
                let advice = "copy it there, or use 'carrel model import' at the console";
                Err(ModelsError::Refused(format!("{sentence} ({}); {advice}", names.join(", "))))
            }
        }
    }

    /// Takes a file out of the inbox whose imported copy shares its place on the disk.
    pub(crate) fn clear_inbox(&self, path: &Path) {
        let in_inbox = self.inbox_folder().canonicalize().is_ok_and(|inbox| path.parent() == Some(inbox.as_path()));
        let removed = match in_inbox {
            true if path.is_dir() => std::fs::remove_dir_all(path),
            true => std::fs::remove_file(path),
            false => Ok(()),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, path = %path.display(), "the imported file could not be taken out of the inbox");
        }
    }
}

/// A model's name is a plain file name, so that it can name its file.
pub(crate) fn check_name(name: &str) -> Result<(), ModelsError> {
    let plain = |c: char| !c.is_control() && !matches!(c, '/' | '\\');
    if name.is_empty() || name.starts_with('.') || name == "inbox" || name.len() > 120 || !name.chars().all(plain) {
        return Err(ModelsError::Refused("a model's name is a plain file name of at most 120 bytes".to_owned()));
    }
    Ok(())
}

/// The file's name without `.gguf`, or the folder's.
pub(crate) fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.strip_suffix(".gguf").unwrap_or(&name).to_owned()
}

/// Brings a file or a flat folder to `to`; by hard links where that is possible, since models are large and never
/// change. `report` is told the bytes that were copied. Says whether all were linked.
pub(crate) fn bring(from: &Path, to: &Path, report: &dyn Fn(u64)) -> Result<bool, ModelsError> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent).map_err(|error| ModelsError::file(parent, &error))?;
    }
    if from.is_dir() {
        let mut linked = true;
        for entry in std::fs::read_dir(from).map_err(|error| ModelsError::file(from, &error))? {
            let entry = entry.map_err(|error| ModelsError::file(from, &error))?;
            if !entry.file_name().to_string_lossy().starts_with('.') {
                linked &= bring(&entry.path(), &to.join(entry.file_name()), report)?;
            }
        }
        return Ok(linked);
    }
    let from = std::fs::canonicalize(from).map_err(|error| ModelsError::file(from, &error))?;
    let partial = to.with_extension("partial");
    let _ = std::fs::remove_file(&partial);
    let linked = std::fs::hard_link(&from, &partial).is_ok();
    let brought = if linked { Ok(()) } else { copy(&from, &partial, report) };
    match brought.and_then(|()| std::fs::rename(&partial, to)) {
        Ok(()) => Ok(linked),
        Err(error) => {
            let _ = std::fs::remove_file(&partial);
            Err(ModelsError::file(to, &error))
        }
    }
}

fn copy(from: &Path, to: &Path, report: &dyn Fn(u64)) -> io::Result<()> {
    let (mut reader, mut writer) = (File::open(from)?, File::create(to)?);
    let mut buffer = vec![0; STEP];
    let mut copied = 0;
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return writer.sync_all();
        }
        writer.write_all(&buffer[..read])?;
        copied += read as u64;
        report(copied);
    }
}

/// Removes what a refused import has left.
pub(crate) fn discard(path: &Path) {
    let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
}

/// The length of a file, or of the files of a folder and its folders.
pub(crate) fn length(path: &Path) -> u64 {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        return entries.map(|entry| length(&entry.path())).sum();
    }
    path.metadata().map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_models_are_plain() {
        for name in ["qwen2.5-1.5b", "Mistral 7B", "模型"] {
            check_name(name).unwrap();
        }
        for name in ["", ".hidden", "a/b", "..\\c", "inbox", "a\nb", &"x".repeat(121)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert_eq!(stem(Path::new("/media/usb/qwen2.5-1.5b.gguf")), "qwen2.5-1.5b");
        assert_eq!(stem(Path::new("/media/usb/all-minilm-l6-v2")), "all-minilm-l6-v2");
    }

    #[test]
    fn files_and_flat_folders_arrive_whole() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("models/to"));
        std::fs::create_dir_all(from.join("pooling")).unwrap();
        std::fs::write(from.join("a"), b"weights").unwrap();
        std::fs::write(from.join("pooling/b"), b"settings").unwrap();
        assert!(bring(&from, &to, &|_| {}).unwrap());
        assert_eq!(std::fs::read(to.join("a")).unwrap(), b"weights");
        assert_eq!((length(&to), length(&from.join("none"))), (15, 0));
        let copied = std::cell::Cell::new(0);
        copy(&from.join("a"), &place.path().join("c"), &|bytes| copied.set(bytes)).unwrap();
        assert_eq!((copied.get(), std::fs::read(place.path().join("c")).unwrap()), (7, b"weights".to_vec()));
        discard(&to);
        assert!(!to.exists());
        assert!(bring(&from.join("none"), &to, &|_| {}).is_err());
    }
}
