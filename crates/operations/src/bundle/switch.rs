//! Switch: a database and a program change places with their successors, together, whatever happens in between.
//!
//! There is no way to rename two things at once. So what is to happen is written down first, each step can be done twice,
//! and whoever finds the note goes on from there: forward, since everything new was checked before. While the note is there
//! no server starts.

use super::Refusal;
use super::refusal::at;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A database with its journal files.
const DATABASE: [&str; 3] = ["carrel.db", "carrel.db-wal", "carrel.db-shm"];

/// Two changes that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Where the database that is in use is put.
    pub aside: PathBuf,
    /// Where the database comes from that is to be used.
    pub from: PathBuf,
    /// The link that names the program in use, and where it is to lead; `None` if the program stays.
    pub program: Option<(PathBuf, PathBuf)>,
    /// The index belongs to the database that goes: it is made anew from the other one.
    pub drop_index: bool,
}

impl Switch {
    fn note(data: &Path) -> PathBuf {
        data.join("bundles").join("switch.json")
    }

    /// A switch of `data` that was begun and not ended.
    ///
    /// # Errors
    /// `File`, `Manifest` if the note cannot be read.
    pub fn unfinished(data: &Path) -> Result<Option<Self>, Refusal> {
        let note = Self::note(data);
        match fs::read(&note) {
            Ok(bytes) => {
                let unusable = |error: serde_json::Error| Refusal::Manifest(format!("{}: {error}", note.display()));
                serde_json::from_slice(&bytes).map(Some).map_err(unusable)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(&note)(error)),
        }
    }

    /// Does it. Nobody may have the database open.
    ///
    /// # Errors
    /// `File`; then [`Switch::finish`] goes on when the reason is gone.
    pub fn run(&self, data: &Path) -> Result<(), Refusal> {
        // A database that was closed has no journal: with one, its file alone would be another database.
        let journal = self.from.join(DATABASE[1]);
        if fs::metadata(&journal).is_ok_and(|found| found.len() > 0) {
            return Err(Refusal::Unsound(format!("{} is still open somewhere", self.from.join(DATABASE[0]).display())));
        }
        let note = Self::note(data);
        let text = serde_json::to_vec(self).map_err(|error| Refusal::Manifest(error.to_string()))?;
        let draft = note.with_extension("new");
        let written = File::create(&draft).and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()));
        written.and_then(|()| fs::rename(&draft, &note)).map_err(at(&note))?;
        synced(&data.join("bundles"))?;
        self.finish(data)
    }

    /// Does what is left of it.
    ///
    /// # Errors
    /// `File`.
    pub fn finish(&self, data: &Path) -> Result<(), Refusal> {
        // The new one in its place of departure says that the old one may still be at home.
        if self.from.join(DATABASE[0]).exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.aside).map_err(at(&self.aside))?;
            for name in DATABASE {
                moved(&data.join(name), &self.aside.join(name))?;
            }
            synced(&self.aside)?;
            // Last, so that its place of departure tells how far this came.
            moved(&self.from.join(DATABASE[0]), &data.join(DATABASE[0]))?;
            synced(data)?;
        }
        if self.drop_index {
            let index = data.join("index");
            match fs::remove_dir_all(&index) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&index)(error)),
                _ => {}
            }
        }
        if let Some((link, target)) = &self.program {
            let draft = link.with_extension("new");
            let _ = fs::remove_file(&draft);
            let linked = std::os::unix::fs::symlink(target, &draft).and_then(|()| fs::rename(&draft, link));
            linked.map_err(at(link))?;
            if let Some(folder) = link.parent() {
                synced(folder)?;
            }
        }
        let note = Self::note(data);
        fs::remove_file(&note).map_err(at(&note))?;
        synced(&data.join("bundles"))
    }
}

fn moved(from: &Path, to: &Path) -> Result<(), Refusal> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        moved => moved.map_err(at(from)),
    }
}

fn synced(folder: &Path) -> Result<(), Refusal> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that a switch moves, in a folder.
    fn place() -> (tempfile::TempDir, Switch) {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        for path in ["bundles/trial", "index", "releases/1", "releases/2"] {
            fs::create_dir_all(data.join(path)).unwrap();
        }
        fs::write(data.join("carrel.db"), "old").unwrap();
        fs::write(data.join("carrel.db-wal"), "old journal").unwrap();
        fs::write(data.join("bundles/trial/carrel.db"), "new").unwrap();
        std::os::unix::fs::symlink("releases/1", data.join("current")).unwrap();
        let switch = Switch {
            aside: data.join("bundles/before"),
            from: data.join("bundles/trial"),
            program: Some((data.join("current"), PathBuf::from("releases/2"))),
            drop_index: true,
        };
        (folder, switch)
    }

    fn is_done(data: &Path) {
        let read = |path: &str| fs::read_to_string(data.join(path)).unwrap();
        assert_eq!((read("carrel.db").as_str(), read("bundles/before/carrel.db").as_str()), ("new", "old"));
        assert!(!data.join("carrel.db-wal").exists() && data.join("bundles/before/carrel.db-wal").exists());
        assert_eq!(fs::read_link(data.join("current")).unwrap(), Path::new("releases/2"));
        assert!(!data.join("index").exists() && Switch::unfinished(data).unwrap().is_none());
    }

    #[test]
    fn a_switch_cut_short_anywhere_is_finished() {
        let (folder, switch) = place();
        switch.run(folder.path()).unwrap();
        is_done(folder.path());
        // The steps that a power cut may leave undone, each tried on its own.
        for step in 0..4 {
            let (folder, switch) = place();
            let data = folder.path();
            fs::write(data.join("bundles/switch.json"), serde_json::to_vec(&switch).unwrap()).unwrap();
            fs::create_dir_all(&switch.aside).unwrap();
            if step >= 1 {
                fs::rename(data.join("carrel.db"), switch.aside.join("carrel.db")).unwrap();
            }
            if step >= 2 {
                fs::rename(data.join("carrel.db-wal"), switch.aside.join("carrel.db-wal")).unwrap();
            }
            if step >= 3 {
                fs::rename(switch.from.join("carrel.db"), data.join("carrel.db")).unwrap();
            }
            Switch::unfinished(data).unwrap().unwrap().finish(data).unwrap();
            is_done(data);
        }
    }
}
