//! A model's card: what it says of itself, and the memory that it will take.

use crate::decoder::family;
use crate::gguf::GgufFile;
use crate::{GeneratorOptions, ModelError};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Longest value taken over from a model's own words, in characters.
const LONGEST: usize = 200;
/// Weights are repacked for the kernels and keep some room beside: measured growth is 1.05 to 1.15 times the file.
const WEIGHTS_FACTOR: f64 = 1.15;
/// Bytes of one key or value.
const KV_BYTES: u64 = 2;

/// What a model says of itself. Nobody has checked it; what it does not say is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelCard {
    /// The name that its makers gave it.
    pub title: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// Its licence: an SPDX name where the model gives one, such as `apache-2.0`.
    pub license: Option<String>,
    /// Where the licence or the model stands. For reading only: the appliance opens no address.
    pub link: Option<String>,
}

impl ModelCard {
    /// Reads the card of a GGUF file, or of a folder from its README's front matter or its licence's first line.
    ///
    /// # Errors
    /// [`ModelError`] if the file's header cannot be read.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        if path.is_dir() {
            return Ok(of_folder(path));
        }
        let gguf = open(path)?;
        // https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#general-metadata
        let first = |keys: &[&str]| keys.iter().find_map(|key| shortened(gguf.string(key)?));
        Ok(Self {
            title: first(&["general.name", "general.basename"]),
            author: first(&["general.author", "general.organization"]),
            license: first(&["general.license", "general.license.name"]),
            link: first(&["general.license.link", "general.url", "general.source.url", "general.repo_url"]),
        })
    }
}

/// The memory in bytes that the model at `path` will take at most when it is loaded with `options`: an estimate from its
/// header, made before anything is loaded. Keys and values fill their memory in time, however few answers are written at
/// once, for what was read before is kept as long as there is room.
///
/// # Errors
/// [`ModelError`] if the header cannot be read.
pub fn memory_need(path: &Path, options: &GeneratorOptions) -> Result<u64, ModelError> {
    let weights = |bytes: u64| (bytes as f64 * WEIGHTS_FACTOR) as u64;
    if path.is_dir() {
        let file = path.join("model.safetensors");
        let length = std::fs::metadata(&file).map_err(|error| ModelError::unreadable(&file, &error))?.len();
        return Ok(weights(length));
    }
    let gguf = open(path)?;
    let name = family(&gguf)?.name;
    let number = |key: &str| gguf.integer(&format!("{name}.{key}")).map(|value| value as u64);
    let heads = number("attention.head_count").unwrap_or(1).max(1);
    let head = number("embedding_length").unwrap_or(0) / heads;
    let (key, value) =
        (number("attention.key_length").unwrap_or(head), number("attention.value_length").unwrap_or(head));
    let wanted = options.context_tokens as u64;
    let context = number("context_length").map_or(wanted, |trained| trained.min(wanted));
    let one_context = [number("attention.head_count_kv").unwrap_or(heads), key + value, KV_BYTES, context]
        .into_iter()
        .fold(number("block_count").unwrap_or(0), u64::saturating_mul);
    let kv = one_context.max(options.kv_memory_bytes as u64).saturating_add(options.passage_memory_bytes as u64);
    Ok(weights(gguf.length()).saturating_add(kv))
}

fn open(path: &Path) -> Result<GgufFile, ModelError> {
    catch_unwind(AssertUnwindSafe(|| GgufFile::open(path)))
        .map_err(|_| ModelError::damaged(path, "it contradicts itself"))?
}

fn of_folder(folder: &Path) -> ModelCard {
    let readme = beginning(&folder.join("README.md"));
    let front = readme.strip_prefix("---").and_then(|rest| rest.split_once("\n---")).map_or("", |(front, _)| front);
    let field = |name: &str| {
        front.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            if key.trim() == name { shortened(value.trim_matches(['"', '\'', ' '])) } else { None }
        })
    };
    let license = || {
        let names = ["LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE"];
        let texts = names.iter().map(|name| beginning(&folder.join(name)));
        texts.filter(|text| !text.is_empty()).find_map(|text| license_of_text(&text))
    };
    ModelCard {
        title: field("model_name").or_else(|| field("title")),
        author: field("author"),
        license: field("license").or_else(license),
        link: field("license_link"),
    }
}

/// The licence whose text this is; its first line if it is none of the common ones.
fn license_of_text(text: &str) -> Option<String> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let known = [
        ("Apache License", "apache-2.0"),
        ("MIT License", "mit"),
        ("GNU AFFERO", "agpl-3.0"),
        ("GNU GENERAL", "gpl-3.0"),
    ];
    let found = known.iter().find(|(begins, _)| first.starts_with(begins));
    found.map_or_else(|| shortened(first), |(_, name)| Some((*name).to_owned()))
}

/// The first part of a text file, empty if it cannot be read.
fn beginning(path: &Path) -> String {
    let mut bytes = Vec::new();
    let Ok(file) = File::open(path) else { return String::new() };
    let _ = file.take(16 * 1024).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn shortened(text: &str) -> Option<String> {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    Some(clean.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_tells_its_licence_in_its_readme_or_in_the_licence_itself() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(of_folder(folder.path()), ModelCard::default());
        std::fs::write(folder.path().join("LICENSE"), "\n        Apache License\n  Version 2.0\n").unwrap();
        assert_eq!(of_folder(folder.path()).license.as_deref(), Some("apache-2.0"));
        std::fs::write(folder.path().join("LICENSE"), "House rules of the institute\n").unwrap();
        assert_eq!(of_folder(folder.path()).license.as_deref(), Some("House rules of the institute"));
        let readme = "---\nlicense: \"cc-by-4.0\"\nauthor: A. Nobody\nlanguage:\n- en\n---\n# Model\nlicense: no\n";
        std::fs::write(folder.path().join("README.md"), readme).unwrap();
        let card = of_folder(folder.path());
        assert_eq!((card.license.as_deref(), card.author.as_deref()), (Some("cc-by-4.0"), Some("A. Nobody")));
    }
}
