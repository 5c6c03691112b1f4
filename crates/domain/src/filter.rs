//! What a search is narrowed to beside a person's rights.

use crate::Label;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which documents a search looks at. The default is all of them. Conditions are joined by *and*, the values of one
/// list by *or*.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DocumentFilter {
    /// ISO 639-1 codes.
    pub languages: Vec<String>,
    /// Media types as sniffed; one that ends in `/*` stands for all of its kind.
    pub media_types: Vec<String>,
    /// Labels.
    pub labels: Vec<Label>,
    /// A part of the author's name, whatever its case.
    pub author: Option<String>,
    /// A part of the title, whatever its case.
    pub title: Option<String>,
    /// The beginning of a path.
    pub path: Option<String>,
    /// Written, or else last changed, or else taken in, at this moment or later.
    pub since: Option<Timestamp>,
    /// The same, before this moment.
    pub before: Option<Timestamp>,
    /// Values of further fields, whatever their case.
    pub fields: BTreeMap<String, String>,
}

impl DocumentFilter {
    /// Whether it lets every document through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
