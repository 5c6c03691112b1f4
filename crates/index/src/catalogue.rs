//! Which documents there are, who may read them and in what language they are written.

use crate::analysis::Language;
use domain::{AccessScope, CollectionId, DocumentId, Label, PrincipalId};
use std::collections::{BTreeSet, HashMap};
use std::ops::AddAssign;

/// A document's rights, as both legs of the index know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) collection: CollectionId,
    pub(crate) label: Label,
    pub(crate) readers: Option<Vec<PrincipalId>>,
    pub(crate) language: Language,
}

/// How much text there is: what BM25 holds a passage against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extent {
    pub(crate) passages: u64,
    /// Terms of all passages, each as often as it stands there.
    pub(crate) terms: u64,
    /// The same for pairs.
    pub(crate) pairs: u64,
}

impl AddAssign for Extent {
    fn add_assign(&mut self, other: Self) {
        self.passages += other.passages;
        self.terms += other.terms;
        self.pairs += other.pairs;
    }
}

/// A document's place in a [`Catalogue`]; given to another document once this one is removed.
pub(crate) type DocumentSlot = u32;

struct Record {
    id: DocumentId,
    /// Index into `Catalogue::collections`: comparing a small number is what makes a scan over all documents cheap.
    collection: usize,
    label: Label,
    readers: Option<Vec<PrincipalId>>,
    language: Language,
    extent: Extent,
}

/// All documents of the index.
#[derive(Default)]
pub(crate) struct Catalogue {
    records: Vec<Option<Record>>,
    free: Vec<DocumentSlot>,
    slots: HashMap<DocumentId, DocumentSlot>,
    collections: Vec<CollectionId>,
}

/// What a scope may see of a [`Catalogue`].
pub(crate) struct Visible {
    bits: Vec<bool>,
    /// Number of visible documents.
    pub(crate) count: usize,
    /// Whether the scope sees every document, whatever it was narrowed to.
    pub(crate) all: bool,
    /// What the scope sees, whatever it was narrowed to.
    pub(crate) extent: Extent,
    /// The languages of the visible documents, in the order of [`Language`].
    pub(crate) languages: Vec<Language>,
}

impl Visible {
    pub(crate) fn contains(&self, slot: DocumentSlot) -> bool {
        self.bits.get(slot as usize).copied().unwrap_or(false)
    }
}

impl Catalogue {
    pub(crate) fn slot(&self, id: DocumentId) -> Option<DocumentSlot> {
        self.slots.get(&id).copied()
    }

    /// Adds a document or replaces its rights; its passages are still to be counted.
    pub(crate) fn put(&mut self, id: DocumentId, access: Access) -> DocumentSlot {
        let Access { collection, label, readers, language } = access;
        let collection = self.collections.iter().position(|known| *known == collection).unwrap_or_else(|| {
            self.collections.push(collection);
            self.collections.len() - 1
        });
        let record = Some(Record { id, collection, label, readers, language, extent: Extent::default() });
        if let Some(slot) = self.slot(id).or_else(|| self.free.pop()) {
            self.records[slot as usize] = record;
            self.slots.insert(id, slot);
            return slot;
        }
        let slot = self.records.len() as DocumentSlot;
        self.records.push(record);
        self.slots.insert(id, slot);
        slot
    }

    /// Counts passages of a document.
    pub(crate) fn count(&mut self, slot: DocumentSlot, extent: Extent) {
        if let Some(record) = &mut self.records[slot as usize] {
            record.extent += extent;
        }
    }

    pub(crate) fn remove(&mut self, id: DocumentId) -> Option<DocumentSlot> {
        let slot = self.slots.remove(&id)?;
        self.records[slot as usize] = None;
        self.free.push(slot);
        Some(slot)
    }

    pub(crate) fn id(&self, slot: DocumentSlot) -> Option<DocumentId> {
        self.records.get(slot as usize)?.as_ref().map(|record| record.id)
    }

    /// Takes from `visible` all but these documents.
    pub(crate) fn narrow(&self, visible: &mut Visible, within: &BTreeSet<DocumentId>) {
        let mut bits = vec![false; visible.bits.len()];
        let mut count = 0;
        for slot in within.iter().filter_map(|id| self.slot(*id)).filter(|slot| visible.contains(*slot)) {
            bits[slot as usize] = true;
            count += 1;
        }
        (visible.bits, visible.count) = (bits, count);
    }

    /// What `scope` may see; linear in the number of documents.
    pub(crate) fn visible(&self, scope: &AccessScope) -> Visible {
        let allowed: Vec<CollectionId> = scope.collections().collect();
        let open: Vec<bool> = self.collections.iter().map(|id| allowed.binary_search(id).is_ok()).collect();
        let mut languages = vec![false; Language::ALL.len()];
        let (mut count, mut extent) = (0, Extent::default());
        let bits = self
            .records
            .iter()
            .map(|record| {
                let Some(record) = record else { return false };
                // A narrowed document goes through the rule itself; most are not narrowed.
                let visible = open[record.collection]
                    && scope.clearance().covers(record.label)
                    && record.readers.as_deref().is_none_or(|readers| {
                        scope.allows(self.collections[record.collection], record.label, Some(readers))
                    });
                if visible {
                    count += 1;
                    extent += record.extent;
                    languages[usize::from(record.language.code())] = true;
                }
                visible
            })
            .collect();
        let languages =
            Language::ALL.into_iter().zip(languages).filter_map(|(language, seen)| seen.then_some(language));
        Visible { bits, count, all: count == self.slots.len(), extent, languages: languages.collect() }
    }
}
