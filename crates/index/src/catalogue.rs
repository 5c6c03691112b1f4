//! Which documents there are, who may read them and in what language they are written.

use crate::analysis::Language;
use domain::{AccessScope, CollectionId, DocumentId, Label, PrincipalId};
use std::collections::{BTreeSet, HashMap};

/// A document's rights, as both legs of the index know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) collection: CollectionId,
    pub(crate) label: Label,
    pub(crate) readers: Option<Vec<PrincipalId>>,
    pub(crate) language: Language,
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
    /// Whether that is every document.
    pub(crate) all: bool,
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

    /// Adds a document or replaces its rights.
    pub(crate) fn put(&mut self, id: DocumentId, access: Access) -> DocumentSlot {
        let Access { collection, label, readers, language } = access;
        let collection = self.collections.iter().position(|known| *known == collection).unwrap_or_else(|| {
            self.collections.push(collection);
            self.collections.len() - 1
        });
        let record = Some(Record { id, collection, label, readers, language });
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
        visible.all &= count == visible.count;
        (visible.bits, visible.count) = (bits, count);
    }

    /// What `scope` may see; linear in the number of documents.
    pub(crate) fn visible(&self, scope: &AccessScope) -> Visible {
        let allowed: Vec<CollectionId> = scope.collections().collect();
        let open: Vec<bool> = self.collections.iter().map(|id| allowed.binary_search(id).is_ok()).collect();
        let mut languages = vec![false; Language::ALL.len()];
        let mut count = 0;
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
                    languages[usize::from(record.language.code())] = true;
                }
                visible
            })
            .collect();
        let languages =
            Language::ALL.into_iter().zip(languages).filter_map(|(language, seen)| seen.then_some(language));
        Visible { bits, count, all: count == self.slots.len(), languages: languages.collect() }
    }
}
