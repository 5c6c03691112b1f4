//! What is in force of each kind, and what it replaced: kept in the database, changed together with its audit event.

use super::{Kind, Package, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use storage::{Act, StorageError, Store};

/// The setting that holds it.
const SETTING: &str = "bundles";

/// A bundle that was put into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Its version.
    pub version: String,
    /// Its place in the order of its kind.
    pub sequence: u64,
    /// SHA-256 of its manifest.
    pub id: String,
    /// When.
    pub applied_at: jiff::Timestamp,
    /// What a rollback needs to know, by kind.
    #[serde(default)]
    pub before: Value,
    /// Whether it was rolled back. Its sequence still counts.
    #[serde(default)]
    pub rolled_back: bool,
}

/// What is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger(BTreeMap<Kind, InForce>);

impl Ledger {
    /// Reads it.
    ///
    /// # Errors
    /// A failing database.
    pub async fn read(store: &Store) -> Result<Self, StorageError> {
        let stored = store.setting(SETTING).await?;
        let damaged = |error: serde_json::Error| StorageError::Damaged { what: error.to_string() };
        stored.map_or_else(|| Ok(Self::default()), |value| serde_json::from_value(value).map_err(damaged))
    }

    /// Writes it, in the act whose event says why.
    ///
    /// # Errors
    /// A failing database.
    pub async fn write(&self, act: &mut Act) -> Result<(), StorageError> {
        act.set_setting(SETTING, &json!(self)).await
    }

    /// Of each kind what is in force.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, &InForce)> {
        self.0.iter().map(|(kind, entry)| (*kind, entry))
    }

    /// Of this kind.
    #[must_use]
    pub fn get(&self, kind: Kind) -> Option<&InForce> {
        self.0.get(&kind)
    }

    /// Notes it.
    pub fn set(&mut self, kind: Kind, entry: InForce) {
        self.0.insert(kind, entry);
    }

    /// Goes on only if the package is newer than the last of its kind. After a rollback the very bundle that was rolled back
    /// may come again.
    ///
    /// # Errors
    /// [`Refusal::Old`].
    pub fn accepts(&self, package: &Package, allow_downgrade: bool) -> Result<(), Refusal> {
        let manifest = &package.manifest;
        let Some(last) = self.get(manifest.kind) else { return Ok(()) };
        let again = last.rolled_back && last.id == package.id;
        if manifest.sequence > last.sequence || again || (allow_downgrade && manifest.kind.may_go_back()) {
            return Ok(());
        }
        let (kind, version, sequence) = (manifest.kind, manifest.version.clone(), manifest.sequence);
        Err(Refusal::Old { kind, version, sequence, known: last.sequence })
    }
}
