//! Real models for tests.

use std::path::PathBuf;

/// Where `cargo xtask fetch` puts the model `name`: under `$CARREL_MODELS`, or `carrel/models` in the user's cache.
///
/// # Panics
/// When it isn't there: a test that can't run has failed.
pub fn test_model(name: &str) -> PathBuf {
    let cache = || match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache"),
    };
    let models = std::env::var_os("CARREL_MODELS").map_or_else(|| cache().join("carrel/models"), PathBuf::from);
    let path = models.join(name);
    assert!(path.exists(), "{} is not there: run `cargo xtask fetch`", path.display());
    path
}
