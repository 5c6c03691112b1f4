//! The programs that Carrel is measured against, made ready on this machine: built or installed once from packages with
//! pinned versions, and kept beside the models.

mod llama_cpp;
mod python;

use crate::failure::{Context, Failure, Result};
use crate::models::cache_folder;
use python::Python;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// How a Python package is named and pinned, without what it depends on.
type Pin = &'static str;

/// The script that runs MiniLM in onnxruntime.
const MINILM: (&str, &str) = ("minilm.py", include_str!("minilm.py"));

/// The peers on this machine.
#[derive(Debug)]
pub struct Peers {
    folder: PathBuf,
}

impl Peers {
    /// `$CARREL_PEERS`, or else `carrel/peers` in the user's cache folder. Nothing is made ready yet.
    pub fn open() -> Result<Self> {
        let folder = cache_folder("CARREL_PEERS", "peers")?;
        std::fs::create_dir_all(&folder).context(|| format!("cannot make the folder {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// Makes ready what the command needs that begins with this word; how to call it.
    pub fn provide(&self, word: &str) -> Result<Vec<OsString>> {
        let ready = if word == MINILM.0 {
            Python::provide(&self.folder).and_then(|python| self.script(&python))
        } else if llama_cpp::PROGRAMS.contains(&word) {
            llama_cpp::provide(&self.folder).map(|programs| vec![programs.join(word).into_os_string()])
        } else {
            Err(Failure::new("it is no program known here"))
        };
        let advice = "`--no-peers` measures without it";
        ready.map_err(|failure| Failure::new(format!("{word} cannot be measured: {failure}; {advice}")))
    }

    fn script(&self, python: &Python) -> Result<Vec<OsString>> {
        let script = self.folder.join(MINILM.0);
        std::fs::write(&script, MINILM.1).context(|| format!("cannot write {}", script.display()))?;
        Ok(vec![python.program().into(), script.into()])
    }
}

/// Whether `folder` was made ready for just this `content`.
fn is_stamped(folder: &Path, content: &str) -> bool {
    std::fs::read_to_string(folder.join("ready")).is_ok_and(|stamp| stamp == content)
}

/// Marks `folder` as ready: the last thing that is done to it.
fn stamp(folder: &Path, content: &str) -> Result<()> {
    std::fs::write(folder.join("ready"), content).context(|| format!("cannot write into {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_peer_is_refused_with_a_way_out() {
        let folder = tempfile::TempDir::new().unwrap();
        let peers = Peers { folder: folder.path().to_owned() };
        let fault = peers.provide("other-bench").unwrap_err().to_string();
        assert!(fault.contains("other-bench") && fault.contains("--no-peers"), "{fault}");
    }

    #[test]
    fn a_folder_is_ready_for_what_it_was_stamped_with_only() {
        let folder = tempfile::TempDir::new().unwrap();
        assert!(!is_stamped(folder.path(), "a 1"));
        stamp(folder.path(), "a 1").unwrap();
        assert!(is_stamped(folder.path(), "a 1"));
        assert!(!is_stamped(folder.path(), "a 2"));
    }
}
