//! A log of vectors with their codes and owners: the last segment grows, the others are sealed.

use super::clusters::Codes;
use super::codes::{Question, encode};
use super::log::{Log, Records};
use super::sealed::Sealed;
use crate::IndexError;
use crate::catalogue::{DocumentSlot, Visible};
use domain::PassageId;
use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The document of rows whose passage is gone; no document gets this slot.
pub(crate) const NOBODY: DocumentSlot = DocumentSlot::MAX;
/// Rows of a growing segment that are scanned as one group.
const GROUP: usize = 1_024;

enum Body {
    /// Place and record are the same.
    Growing { numbers: Vec<u64>, scales: Vec<f32>, codes: Vec<u8> },
    /// With the place of each record.
    Sealed(Box<Sealed>, Vec<u32>),
}

/// Vectors whose numbers lie between those of its neighbours.
pub(crate) struct Segment {
    dimension: usize,
    records: Records,
    body: Body,
    /// Place → passage.
    passages: Vec<PassageId>,
    /// Place → document; [`NOBODY`] for dead rows.
    documents: Vec<DocumentSlot>,
    alive: usize,
}

/// Neighbouring places, and how near to a question they are as a whole: infinitely for those that no cluster orders.
pub(crate) struct Group {
    pub(crate) closeness: f32,
    pub(crate) places: Range<usize>,
}

/// A segment as its files have it, and the numbers of damaged records.
pub(crate) struct Loaded {
    pub(crate) segment: Segment,
    pub(crate) log: Log,
    pub(crate) damaged: HashSet<u64>,
}

/// Where the codes of a log are kept.
pub(crate) fn codes_path(log: &Path) -> PathBuf {
    log.with_extension("codes")
}

impl Segment {
    /// An empty growing one over an empty log.
    pub(crate) fn growing(log: &Log, dimension: usize) -> Self {
        let body = Body::Growing { numbers: Vec::new(), scales: Vec::new(), codes: Vec::new() };
        Self::new(dimension, log.records().clone(), body, 0)
    }

    fn new(dimension: usize, records: Records, body: Body, rows: usize) -> Self {
        let (passages, documents) = (vec![PassageId::from(uuid::Uuid::nil()); rows], vec![NOBODY; rows]);
        Self { dimension, records, body, passages, documents, alive: 0 }
    }

    /// Reads a log whose numbers begin with `first` or later, and its codes if they can be used. Nobody owns a row yet.
    pub(crate) fn load(path: &Path, dimension: usize, first: u64) -> Result<Loaded, IndexError> {
        let mut damaged = HashSet::new();
        let mut numbers = Vec::new();
        if let Some(sealed) = Sealed::read(&codes_path(path), dimension)? {
            let log = Log::open(path, dimension, first, |number, vector| {
                numbers.push(number);
                if vector.is_none() {
                    damaged.insert(number);
                }
            })?;
            if sealed.numbers == numbers {
                let segment = Self::of_sealed(dimension, log.records().clone(), sealed);
                return Ok(Loaded { segment, log, damaged });
            }
            damaged.clear();
            numbers.clear();
        }
        let (mut scales, mut codes) = (Vec::new(), Vec::new());
        let log = Log::open(path, dimension, first, |number, vector| {
            numbers.push(number);
            match vector {
                Some(vector) => scales.push(encode(vector, &mut codes)),
                None => {
                    damaged.insert(number);
                    scales.push(0.0);
                    codes.resize(codes.len() + dimension, 0);
                }
            }
        })?;
        let rows = numbers.len();
        let body = Body::Growing { numbers, scales, codes };
        let segment = Self::new(dimension, log.records().clone(), body, rows);
        Ok(Loaded { segment, log, damaged })
    }

    fn of_sealed(dimension: usize, records: Records, sealed: Sealed) -> Self {
        let rows = sealed.records.len();
        let mut places = vec![0; rows];
        sealed.records.iter().zip(0..).for_each(|(record, place)| places[*record as usize] = place);
        Self::new(dimension, records, Body::Sealed(Box::new(sealed), places), rows)
    }

    /// The same rows clustered, with their codes in a file.
    pub(crate) fn sealed(&self) -> Result<Self, IndexError> {
        let Body::Growing { numbers, scales, codes } = &self.body else {
            return Err(IndexError::damaged(self.path(), "a sealed segment cannot be sealed again"));
        };
        let codes = Codes { dimension: self.dimension, scales, bytes: codes };
        let sealed = Sealed::write(&codes_path(self.path()), numbers, codes)?;
        let mut segment = Self::of_sealed(self.dimension, self.records.clone(), sealed);
        self.living().for_each(|place| segment.own(numbers[place], self.passages[place], self.documents[place]));
        Ok(segment)
    }

    /// Adds a row that nobody owns yet; only to a growing segment, with a number above all in it.
    pub(crate) fn push(&mut self, number: u64, vector: &[f32]) {
        if let Body::Growing { numbers, scales, codes } = &mut self.body {
            numbers.push(number);
            scales.push(encode(vector, codes));
            self.passages.push(PassageId::from(uuid::Uuid::nil()));
            self.documents.push(NOBODY);
        }
    }

    /// Gives a row to a passage.
    pub(crate) fn own(&mut self, number: u64, passage: PassageId, document: DocumentSlot) {
        if let Some(place) = self.place(number) {
            self.alive += usize::from(self.documents[place] == NOBODY);
            (self.passages[place], self.documents[place]) = (passage, document);
        }
    }

    /// Takes a row from its document.
    pub(crate) fn disown(&mut self, number: u64) {
        if let Some(place) = self.place(number) {
            self.alive -= usize::from(self.documents[place] != NOBODY);
            self.documents[place] = NOBODY;
        }
    }

    /// By record, ascending.
    pub(crate) fn numbers(&self) -> &[u64] {
        match &self.body {
            Body::Growing { numbers, .. } => numbers,
            Body::Sealed(sealed, _) => &sealed.numbers,
        }
    }

    /// Where the row with this number stands.
    pub(crate) fn place(&self, number: u64) -> Option<usize> {
        let record = self.numbers().binary_search(&number).ok()?;
        match &self.body {
            Body::Growing { .. } => Some(record),
            Body::Sealed(_, places) => places.get(record).map(|place| *place as usize),
        }
    }

    fn record(&self, place: usize) -> usize {
        match &self.body {
            Body::Growing { .. } => place,
            Body::Sealed(sealed, _) => sealed.records[place] as usize,
        }
    }

    pub(crate) fn passage(&self, place: usize) -> PassageId {
        self.passages[place]
    }

    pub(crate) fn document(&self, place: usize) -> DocumentSlot {
        self.documents[place]
    }

    pub(crate) fn is_growing(&self) -> bool {
        matches!(self.body, Body::Growing { .. })
    }

    /// Rows, dead ones included.
    pub(crate) fn rows(&self) -> usize {
        self.documents.len()
    }

    pub(crate) fn alive(&self) -> usize {
        self.alive
    }

    pub(crate) fn path(&self) -> &Path {
        self.records.path()
    }

    fn living(&self) -> impl Iterator<Item = usize> {
        (0..self.rows()).filter(|place| self.documents[*place] != NOBODY)
    }

    /// Number, passage and document of each living row, numbers ascending.
    pub(crate) fn owned(&self) -> Vec<(u64, PassageId, DocumentSlot)> {
        let numbers = self.numbers();
        let owned = |place: usize| (numbers[self.record(place)], self.passages[place], self.documents[place]);
        let mut owned: Vec<_> = self.living().map(owned).collect();
        owned.sort_unstable_by_key(|(number, ..)| *number);
        owned
    }

    /// The vector at a place, as it came.
    pub(crate) fn read(&self, place: usize, bytes: &mut Vec<u8>, vector: &mut Vec<f32>) -> Result<(), IndexError> {
        self.records.read(self.record(place), bytes, vector)
    }

    /// All rows in groups.
    pub(crate) fn groups(&self, question: &Question) -> Vec<Group> {
        match &self.body {
            Body::Growing { .. } => (0..self.rows())
                .step_by(GROUP)
                .map(|start| Group { closeness: f32::INFINITY, places: start..self.rows().min(start + GROUP) })
                .collect(),
            Body::Sealed(sealed, _) => {
                let starts = std::iter::once(0).chain(sealed.clusters.iter().map(|(_, end)| *end));
                let group = |((centre, end), start): (&(Question, usize), usize)| Group {
                    closeness: question.closeness(centre),
                    places: start..*end,
                };
                sealed.clusters.iter().zip(starts).map(group).filter(|group| !group.places.is_empty()).collect()
            }
        }
    }

    /// How many of these rows may be seen.
    pub(crate) fn visible(&self, places: Range<usize>, visible: &Visible) -> usize {
        self.documents[places].iter().filter(|document| visible.contains(**document)).count()
    }

    /// Hands each of these rows that may be seen to `found`, with its cosine as far as the codes tell.
    pub(crate) fn scan(
        &self,
        places: Range<usize>,
        question: &Question,
        visible: &Visible,
        mut found: impl FnMut(f32, usize),
    ) {
        let (scales, codes) = match &self.body {
            Body::Growing { scales, codes, .. } => (scales.as_slice(), codes.as_slice()),
            Body::Sealed(sealed, _) => (sealed.scales.as_slice(), sealed.codes()),
        };
        for place in places.filter(|place| visible.contains(self.documents[*place])) {
            let code = &codes[place * self.dimension..(place + 1) * self.dimension];
            found(question.times(code) * scales[place], place);
        }
    }
}
