//! The hybrid index.

mod entry;
mod error;
pub mod metrics;

pub use entry::{Change, DocumentEntry, Hit, Mode, PassageEntry, Query};
pub use error::IndexError;

use domain::AccessScope;
use std::path::Path;

/// The hybrid index of all passages.
pub struct Index;

#[allow(clippy::todo, clippy::missing_errors_doc, unused_variables, missing_docs)]
impl Index {
    pub fn open(directory: &Path, dimension: usize) -> Result<Self, IndexError> {
        todo!()
    }
    pub fn apply(&self, changes: &[Change]) -> Result<(), IndexError> {
        todo!()
    }
    pub fn clear(&self) -> Result<(), IndexError> {
        todo!()
    }
    pub fn search(&self, query: &Query<'_>, scope: &AccessScope) -> Result<Vec<Hit>, IndexError> {
        todo!()
    }
    #[must_use]
    pub fn passages(&self) -> usize {
        todo!()
    }
    #[must_use]
    pub fn terms(&self, text: &str, language: Option<&str>) -> Vec<String> {
        todo!()
    }
}
