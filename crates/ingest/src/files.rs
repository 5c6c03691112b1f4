//! Files on a disk: what lies under a folder, and the bytes of one file, read without trusting the disk to hold still.

use jiff::Timestamp;
use std::collections::HashMap;
use std::fs::{File, Metadata as FileMetadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file on a disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileSeen {
    /// What it is called in its collection: its path from the folder on, with `/` between parts.
    pub source: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When its bytes, its name or anything else of it was last changed, to the millisecond. A time that a copy kept
    /// from its original does not hide that the copy is new.
    pub modified_at: Timestamp,
}

/// Everything under some folders.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The files, in the order of their sources, each source once.
    pub files: Vec<FileSeen>,
    /// The folders, the roots among them.
    pub folders: Vec<PathBuf>,
    /// What could not be looked at, as a source or the beginning of sources, and why.
    pub unreadable: Vec<(String, String)>,
}

/// All files under `roots`: a file stands for itself, a folder for everything in it. Hidden ones are passed over, and
/// so are links, which may lead out of the folder.
///
/// # Errors
/// A root that cannot be read. What cannot be read further down is reported with the files.
pub fn tree(roots: &[PathBuf]) -> io::Result<Tree> {
    let mut tree = Tree::default();
    for root in roots {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", root.display()));
        let kind = std::fs::metadata(root).map_err(named)?;
        if kind.is_dir() {
            std::fs::read_dir(root).map_err(named)?;
            walk(root, root, &mut tree);
        } else {
            let name =
                root.file_name().map_or_else(|| root.display().to_string(), |n| n.to_string_lossy().into_owned());
            tree.files.push(file_seen(name, root.canonicalize().map_err(named)?, &kind));
        }
    }
    tree.files.sort();
    tree.files.dedup_by(|later, first| later.path == first.path);
    // Two files of one name, of two roots or because a name is not text, would take turns as versions of one document.
    let mut first: HashMap<String, PathBuf> = HashMap::new();
    let Tree { files, unreadable, .. } = &mut tree;
    files.retain(|file| match first.get(&file.source) {
        None => {
            first.insert(file.source.clone(), file.path.clone());
            true
        }
        Some(other) => {
            let sentence = format!("it has the same name here as {}; rename one of the two", other.display());
            unreadable.push((file.path.display().to_string(), sentence));
            false
        }
    });
    Ok(tree)
}

fn walk(root: &Path, folder: &Path, tree: &mut Tree) {
    let source = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return tree.unreadable.push((source(folder), error.to_string())),
    };
    tree.folders.push(folder.to_owned());
    for entry in entries {
        let looked = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?, entry)));
        let (path, kind, entry) = match looked {
            Ok(looked) => looked,
            Err(error) => {
                tree.unreadable.push((source(folder), error.to_string()));
                continue;
            }
        };
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || name.starts_with("~$") || matches!(&*name, "Thumbs.db" | "desktop.ini") {
            continue;
        }
        if kind.is_dir() {
            walk(root, &path, tree);
        } else if kind.is_file() {
            match entry.metadata() {
                Ok(metadata) => tree.files.push(file_seen(source(&path), path, &metadata)),
                // Gone since its folder was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tree.unreadable.push((source(&path), error.to_string())),
            }
        }
    }
}

fn file_seen(source: String, path: PathBuf, metadata: &FileMetadata) -> FileSeen {
    FileSeen { source, path, size_bytes: metadata.len(), modified_at: changed_at(metadata) }
}

/// The later of the times of bytes and of everything else, as the database keeps it.
fn changed_at(metadata: &FileMetadata) -> Timestamp {
    let modified = (metadata.mtime(), metadata.mtime_nsec());
    let (seconds, nanoseconds) = modified.max((metadata.ctime(), metadata.ctime_nsec()));
    let milliseconds = seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000);
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}

/// Why a file's bytes could not be had.
#[derive(Debug)]
pub(crate) enum ReadFile {
    /// It is not as it was seen, or was changed while it was read: it may be whole the next time.
    Changing,
    /// Anything else.
    Failed(io::Error),
}

/// The bytes of a file that is still as it was seen, and was while it was read. Never more than were seen, and never of
/// a link, a pipe or a device that took its place.
pub(crate) fn read_settled(seen: &FileSeen) -> Result<Vec<u8>, ReadFile> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(&seen.path, flags, Mode::empty());
    let mut file = File::from(opened.map_err(|error| ReadFile::Failed(error.into()))?);
    let is_as_seen = |file: &File| {
        let found = file.metadata().map_err(ReadFile::Failed)?;
        let same = found.is_file() && found.len() == seen.size_bytes && changed_at(&found) == seen.modified_at;
        if same { Ok(()) } else { Err(ReadFile::Changing) }
    };
    is_as_seen(&file)?;
    let mut bytes = Vec::with_capacity(usize::try_from(seen.size_bytes).unwrap_or_default());
    file.by_ref().take(seen.size_bytes).read_to_end(&mut bytes).map_err(ReadFile::Failed)?;
    is_as_seen(&file)?;
    if bytes.len() as u64 == seen.size_bytes { Ok(bytes) } else { Err(ReadFile::Changing) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn names_that_are_no_text_are_taken_in_and_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        for name in [&b"caf\xe9.txt"[..], b"caf\xe8.txt", b"tea.txt", b".hidden", b"~$tea.docx"] {
            std::fs::write(folder.path().join(OsStr::from_bytes(name)), name).unwrap();
        }
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join("link.txt")).unwrap();
        let tree = tree(&[folder.path().to_owned()]).unwrap();
        let sources: Vec<&str> = tree.files.iter().map(|file| file.source.as_str()).collect();
        assert_eq!(sources, ["caf\u{fffd}.txt", "tea.txt"]);
        assert_eq!(tree.unreadable.len(), 1);
        assert!(tree.unreadable[0].1.contains("rename one of the two"), "{:?}", tree.unreadable);
        let taken = tree.files.iter().map(read_settled).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(taken[1], b"tea.txt");
    }

    #[test]
    fn the_same_file_twice_is_one_and_two_of_one_name_are_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for part in ["a", "b"] {
            std::fs::create_dir(path(part)).unwrap();
            std::fs::write(path(part).join("x.txt"), part).unwrap();
        }
        let same = tree(&[path("a/x.txt"), path("a/x.txt")]).unwrap();
        assert_eq!((same.files.len(), same.unreadable.len()), (1, 0));
        let both = tree(&[path("a"), path("b")]).unwrap();
        assert_eq!((both.files.len(), both.unreadable.len()), (1, 1));
    }

    #[test]
    fn a_file_that_changes_is_left_for_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.txt");
        std::fs::write(&path, "one").unwrap();
        let seen = tree(std::slice::from_ref(&path)).unwrap().files.remove(0);
        std::fs::write(&path, "one and two").unwrap();
        assert!(matches!(read_settled(&seen), Err(ReadFile::Changing)));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(read_settled(&seen), Err(ReadFile::Failed(_))));
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert!(matches!(read_settled(&seen), Err(ReadFile::Failed(_))), "no link is followed");
    }
}
