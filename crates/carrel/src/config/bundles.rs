//! `[bundles]`: whom a site trusts, and where its program lies.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What the root of an appliance brings along.
const BUILT_IN: &str = "/usr/share/carrel/update.pub";

/// What a site can configure of signed bundles.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Bundles {
    /// Folder with the public keys (`*.pub`) that may sign; `None`: `bundles/keys` in the data directory.
    pub(crate) keys: Option<PathBuf>,
    /// Where the program is installed, such as `/opt/carrel`; `None`: releases are not taken as bundles.
    pub(crate) program: Option<PathBuf>,
}

impl Bundles {
    /// The folder of trusted keys.
    pub(crate) fn ring(&self, data: &Path) -> PathBuf {
        self.keys.clone().unwrap_or_else(|| data.join("bundles").join("keys"))
    }

    /// Keys that the system itself brings.
    pub(crate) fn built_in() -> [PathBuf; 1] {
        [PathBuf::from(BUILT_IN)]
    }
}
