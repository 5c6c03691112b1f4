//! The small models, loaded once a process.

use inference::{Embedder, Generator, GeneratorOptions};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Where `cargo xtask fetch` puts models: `$CARREL_MODELS`, or `carrel/models` in the user's cache.
#[must_use]
pub fn model_directory() -> PathBuf {
    if let Some(directory) = std::env::var_os("CARREL_MODELS") {
        return directory.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    cache.unwrap_or_else(home).join("carrel/models")
}

/// all-MiniLM-L6-v2.
#[must_use]
pub fn embedder() -> Arc<Embedder> {
    static EMBEDDER: OnceLock<Arc<Embedder>> = OnceLock::new();
    let load = || Arc::new(Embedder::load(&fetched("all-minilm-l6-v2")).expect("the embedding model loads"));
    Arc::clone(EMBEDDER.get_or_init(load))
}

/// SmolLM2-135M-Instruct.
#[must_use]
pub fn generator() -> Generator {
    static GENERATOR: OnceLock<Generator> = OnceLock::new();
    let options = || GeneratorOptions { context_tokens: 2048, ..GeneratorOptions::default() };
    let file = || fetched("smollm2-135m-instruct-q4_1.gguf");
    GENERATOR.get_or_init(|| Generator::load(&file(), options()).expect("the generation model loads")).clone()
}

fn fetched(name: &str) -> PathBuf {
    let path = model_directory().join(name);
    assert!(path.exists(), "{} is missing: run 'cargo xtask fetch'", path.display());
    path
}
