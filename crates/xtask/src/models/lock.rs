//! `models.lock`: which models there are, which packages carry them and what their files must hash to.

use crate::failure::{Context, Failure, Result};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Component, Path};

/// The whole list, checked.
#[derive(Debug)]
pub struct Lock {
    models: Vec<Model>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    #[serde(rename = "model")]
    models: Vec<Model>,
}

/// One model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What people call it.
    pub name: String,
    /// What it is here for, such as `generate-default`; unique in the list.
    pub role: String,
    /// What it does.
    pub kind: Kind,
    /// The file, or the folder, that it becomes in the models' folder.
    pub archive: String,
    /// How the parts become the files.
    pub assemble: Assemble,
    /// Whether it is fetched only when its role is asked for.
    #[serde(default)]
    pub optional: bool,
    /// SPDX name of the licence of the weights.
    pub licence: String,
    /// Where the weights come from, for a reader.
    pub source: String,
    /// The packages that carry it; the order matters to [`Assemble::Concatenate`] and [`Assemble::Archive`].
    pub parts: Vec<Part>,
    /// What comes out: relative to the model's folder, or the one file.
    pub files: Vec<LockedFile>,
}

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Writes text.
    Generate,
    /// Turns text into vectors.
    Embed,
    /// Reads the text in pictures.
    Recognize,
}

impl Kind {
    /// As in the list.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Embed => "embed",
            Self::Recognize => "recognize",
        }
    }
}

/// How the parts become the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Assemble {
    /// The members of all parts, one after the other, are one file.
    Concatenate,
    /// The member of the one part is the file.
    Single,
    /// The member of the one part is a folder; the files are taken from it.
    Folder,
    /// The members of all parts, one after the other, are a zip archive with a folder named as the model's; the files are
    /// taken from it.
    Archive,
    /// The member of the one part is a file of the format E5S1; the files are made from it.
    E5s1,
}

impl Assemble {
    /// Whether the model is a folder of files, not one file.
    pub fn makes_folder(self) -> bool {
        matches!(self, Self::Folder | Self::Archive | Self::E5s1)
    }
}

/// One package.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The package's name.
    pub package: String,
    /// Its exact version.
    pub version: String,
    /// The path inside the package.
    pub member: String,
}

/// One file that must come out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedFile {
    /// Relative path.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
}

impl Lock {
    /// Reads and checks `models.lock`.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).context(|| file.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let written: Written = toml::from_str(text).context(|| "not a list of models".to_owned())?;
        if written.version != 1 {
            return Err(Failure::new(format!("version {} is not known; this xtask reads version 1", written.version)));
        }
        let mut roles = BTreeSet::new();
        let mut archives = BTreeSet::new();
        for model in &written.models {
            model.check().map_err(|fault| Failure::new(format!("model '{}': {fault}", model.name)))?;
            if !roles.insert(&model.role) || !archives.insert(&model.archive) {
                return Err(Failure::new(format!("model '{}': its role or archive is taken", model.name)));
            }
        }
        Ok(Self { models: written.models })
    }

    /// All models, in the order of the file.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// The model with this role; an unknown role is wrong usage.
    pub fn role(&self, role: &str) -> Result<&Model> {
        self.models.iter().find(|model| model.role == role).ok_or_else(|| {
            let known: Vec<_> = self.models.iter().map(|model| model.role.as_str()).collect();
            Failure::usage(format!("no model has the role '{role}'; there are {}", known.join(", ")))
        })
    }
}

impl Model {
    /// Bytes of all files together.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    fn check(&self) -> std::result::Result<(), String> {
        if Path::new(&self.archive).components().count() != 1 || !is_plain(&self.archive) {
            return Err(format!("archive '{}' must be a plain file name", self.archive));
        }
        let paths = self.parts.iter().map(|part| &part.member).chain(self.files.iter().map(|file| &file.path));
        if let Some(path) = paths.into_iter().find(|path| !is_plain(path)) {
            return Err(format!("'{path}' must be a relative path without '..'"));
        }
        if let Some(part) = self.parts.iter().find(|part| part.package.starts_with('-') || part.version.is_empty()) {
            return Err(format!("'{}' must be a package's name with a version", part.package));
        }
        let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if let Some(file) = self.files.iter().find(|file| file.size == 0 || !is_hash(&file.sha256)) {
            return Err(format!("'{}' needs a size and a SHA-256 in lower-case hex", file.path));
        }
        let one_file = self.files.len() == 1 && self.files.iter().all(|file| file.path == self.archive);
        match self.assemble {
            Assemble::Concatenate if one_file && !self.parts.is_empty() => Ok(()),
            Assemble::Single if one_file && self.parts.len() == 1 => Ok(()),
            Assemble::Folder | Assemble::E5s1 if !self.files.is_empty() && self.parts.len() == 1 => Ok(()),
            Assemble::Archive if !self.files.is_empty() && !self.parts.is_empty() => Ok(()),
            _ => Err("parts and files do not fit the way it is assembled".to_owned()),
        }
    }
}

fn is_plain(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|component| matches!(component, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        version = 1
        [[model]]
        name = "tiny"
        role = "generate-tests"
        kind = "generate"
        archive = "tiny.gguf"
        assemble = "single"
        licence = "Apache-2.0"
        source = "made here"
        parts = [{ package = "tiny", version = "1.0", member = "tiny/t.gguf" }]
        files = [{ path = "tiny.gguf", size = 3, sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" }]
    "#;

    #[test]
    fn the_repository_s_own_list_is_good_and_has_the_roles_that_commands_ask_for() {
        let lock = Lock::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models.lock")).unwrap();
        for (role, kind) in [
            ("generate-default", Kind::Generate),
            ("generate-small", Kind::Generate),
            ("generate-tests", Kind::Generate),
            ("embed-default", Kind::Embed),
            ("embed-multilingual", Kind::Embed),
            ("embed-quality", Kind::Embed),
            ("recognize-default", Kind::Recognize),
        ] {
            assert_eq!(lock.role(role).unwrap().kind, kind);
        }
    }

    #[test]
    fn an_unknown_role_names_the_known_ones() {
        let unknown = Lock::parse(GOOD).unwrap().role("generate-huge").unwrap_err();
        assert_eq!(unknown.status(), 2);
        assert!(unknown.to_string().contains("generate-tests"), "{unknown}");
    }

    #[test]
    fn what_could_write_outside_or_check_nothing_is_refused() {
        for (good, bad, says) in [
            ("version = 1", "version = 2", "version 2"),
            ("archive = \"tiny.gguf\"", "archive = \"../tiny.gguf\"", "plain file name"),
            ("archive = \"tiny.gguf\"", "archive = \"a/tiny.gguf\"", "plain file name"),
            ("member = \"tiny/t.gguf\"", "member = \"tiny/../../t\"", "without '..'"),
            ("package = \"tiny\"", "package = \"--index\"", "package's name"),
            ("size = 3", "size = 0", "needs a size"),
            ("ba7816bf", "BA7816BF", "lower-case hex"),
            ("path = \"tiny.gguf\"", "path = \"other.gguf\"", "do not fit"),
            ("licence = \"Apache-2.0\"", "license = \"Apache-2.0\"", "unknown field"),
            ("assemble = \"single\"", "assemble = \"shuffle\"", "unknown variant"),
        ] {
            let fault = Lock::parse(&GOOD.replace(good, bad)).unwrap_err().to_string();
            assert!(fault.contains(says), "{bad}: {fault}");
        }
    }

    #[test]
    fn two_models_cannot_share_a_role() {
        let second = GOOD.replace("version = 1", "").replace("tiny.gguf", "b.gguf");
        assert!(Lock::parse(&format!("{GOOD}{second}")).unwrap_err().to_string().contains("taken"));
    }
}
