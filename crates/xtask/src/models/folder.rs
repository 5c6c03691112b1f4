//! The folder that models are kept in, outside the target folder so that a clean build fetches nothing.
//!
//! Beside each model lies `ARCHIVE.sha256`, in the format of `sha256sum -c`. It is written last: a model without it,
//! or with another one than `models.lock` asks for, is not there.

use super::assemble::{self, remove};
use super::lock::Model;
use crate::failure::{Context, Failure, Result};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The models on this machine.
#[derive(Debug)]
pub struct ModelsFolder {
    path: PathBuf,
}

impl ModelsFolder {
    /// `$CARREL_MODELS`, or else `carrel/models` in the user's cache folder. Made when it is not there.
    pub fn open() -> Result<Self> {
        Self::at(&cache_folder("CARREL_MODELS", "models")?)
    }

    /// A folder of the caller's choice.
    pub fn at(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).context(|| format!("cannot make the folder {}", path.display()))?;
        let path = path.canonicalize().context(|| format!("cannot open {}", path.display()))?;
        Ok(Self { path })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where this model is, or would be: a file for a generator, a folder for an embedder.
    pub fn archive(&self, model: &Model) -> PathBuf {
        self.path.join(&model.archive)
    }

    /// Where the packages of this model wait until all are there.
    pub fn parts(&self, model: &Model) -> PathBuf {
        self.path.join(".parts").join(&model.archive)
    }

    /// Whether the model is in place, by its sizes and by what was checked when it was put there.
    pub fn holds(&self, model: &Model) -> bool {
        let sized = |file: &super::lock::LockedFile| {
            std::fs::metadata(self.path.join(inside(model, &file.path))).is_ok_and(|meta| meta.len() == file.size)
        };
        std::fs::read_to_string(self.stamp(model)).is_ok_and(|stamp| stamp == sums(model))
            && model.files.iter().all(sized)
    }

    /// Hashes the model again. One that is no longer what it was is forgotten, so that the next fetch brings it anew.
    pub fn verify(&self, model: &Model) -> Result<()> {
        assemble::verify(model, &self.archive(model)).or_else(|fault| {
            remove(&self.stamp(model)).context(|| "cannot forget a damaged model".to_owned())?;
            Err(Failure::new(format!("{}: {fault}; run `cargo xtask fetch` to fetch it anew", model.name)))
        })
    }

    /// Moves what was assembled and checked into place.
    pub fn place(&self, model: &Model, assembled: &Path) -> Result<()> {
        let stamp = self.stamp(model);
        let put = || -> io::Result<()> {
            remove(&stamp)?;
            remove(&self.archive(model))?;
            std::fs::rename(assembled, self.archive(model))?;
            let new = stamp.with_extension("sha256.new");
            std::fs::write(&new, sums(model))?;
            File::open(&new)?.sync_all()?;
            std::fs::rename(new, &stamp)?;
            File::open(&self.path)?.sync_all()
        };
        put().context(|| format!("cannot put {} into {}", model.name, self.path.display()))
    }

    /// Waits until no other fetch works in this folder; holds it until the returned file is dropped.
    pub fn lock(&self) -> Result<File> {
        let lock = || -> io::Result<File> {
            let file = File::create(self.path.join(".lock"))?;
            file.lock()?;
            Ok(file)
        };
        lock().context(|| format!("cannot lock {}", self.path.display()))
    }

    fn stamp(&self, model: &Model) -> PathBuf {
        self.path.join(format!("{}.sha256", model.archive))
    }
}

/// The folder that the environment variable `named` names, or else `carrel/NAME` in the user's cache folder.
pub fn cache_folder(named: &str, name: &str) -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    let path = set(named).or_else(|| cache().map(|cache| cache.join("carrel").join(name)));
    path.ok_or_else(|| Failure::new(format!("no place for {name}: set {named} to a folder")))
}

fn inside(model: &Model, file: &str) -> String {
    if model.assemble.makes_folder() { format!("{}/{file}", model.archive) } else { file.to_owned() }
}

fn sums(model: &Model) -> String {
    model.files.iter().map(|file| format!("{}  {}\n", file.sha256, inside(model, &file.path))).collect()
}
