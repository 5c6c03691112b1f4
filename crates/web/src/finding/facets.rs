//! How many of the documents found are of each collection, kind, language and year.

use answer::Candidate;
use domain::{CollectionId, Document, DocumentId};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

/// One way to tell documents apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dimension {
    Collection,
    Kind,
    Language,
    Year,
}

/// Counts of documents. A passage counts for its document, once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facets {
    pub(crate) collections: BTreeMap<CollectionId, u64>,
    /// By media type.
    pub(crate) kinds: BTreeMap<String, u64>,
    /// By ISO 639-1 code.
    pub(crate) languages: BTreeMap<String, u64>,
    pub(crate) years: BTreeMap<i16, u64>,
}

impl Facets {
    pub(super) fn of(candidates: &[Candidate]) -> Self {
        let mut seen: BTreeSet<DocumentId> = BTreeSet::new();
        let mut facets = Self::default();
        for Candidate { document, .. } in candidates.iter().filter(|candidate| seen.insert(candidate.document.id)) {
            *facets.collections.entry(document.collection).or_default() += 1;
            *facets.kinds.entry(document.media_type.clone()).or_default() += 1;
            if let Some(language) = &document.language {
                *facets.languages.entry(language.clone()).or_default() += 1;
            }
            *facets.years.entry(year(document)).or_default() += 1;
        }
        facets
    }

    /// Takes over the counts of one dimension.
    pub(super) fn take(&mut self, dimension: Dimension, from: Self) {
        match dimension {
            Dimension::Collection => self.collections = from.collections,
            Dimension::Kind => self.kinds = from.kinds,
            Dimension::Language => self.languages = from.languages,
            Dimension::Year => self.years = from.years,
        }
    }
}

/// The year of a document by the moment that filters go by: written, else last changed, else taken in.
fn year(document: &Document) -> i16 {
    let known = document.metadata.written_at.or(document.metadata.modified_at);
    known.unwrap_or(document.updated_at).to_zoned(TimeZone::system()).year()
}
