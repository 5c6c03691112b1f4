//! The dense leg: cosine similarity over unit vectors, by their codes and then exactly.
//!
//! What a scope may see decides how: up to [`VectorOptions::probe`] visible rows are all compared; of more, the clusters
//! nearest to the question until so many visible rows were met. Rows that may not be seen are not counted, so rights
//! that go by topic, as they do, cost no recall. The best by code are then compared with their vectors as they came.

use crate::IndexError;
use crate::catalogue::{DocumentSlot, Visible};
use crate::vectors::{self, Group, Log, Question, Replacement, Segment, VectorOptions};
use domain::PassageId;
use rayon::prelude::*;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::Path;

/// So many times as many rows as are wanted, and so many more, are compared exactly.
const SURPLUS: (usize, usize) = (2, 64);
/// Groups that one task scans.
const TASK: usize = 8;

/// All vectors and whose they are.
pub(crate) struct Dense {
    dimension: usize,
    options: VectorOptions,
    /// The last one grows.
    segments: Vec<Segment>,
    /// The numbers of each document's living rows.
    documents: HashMap<DocumentSlot, Vec<u64>>,
}

/// A vector that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Near {
    pub(crate) passage: PassageId,
    pub(crate) document: DocumentSlot,
    pub(crate) cosine: f32,
}

/// Inner product in 16 lanes, which compilers turn into vector instructions; always added in the same order.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0_f32; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a.zip(b) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

impl Dense {
    /// Opens the vectors in `directory`; `owners` says whose they are, by their numbers.
    pub(crate) fn open(
        directory: &Path,
        dimension: usize,
        options: VectorOptions,
        mut owners: HashMap<u64, (PassageId, DocumentSlot)>,
    ) -> Result<(Self, Log), IndexError> {
        let mut documents: HashMap<DocumentSlot, Vec<u64>> = HashMap::new();
        owners.iter().for_each(|(number, (_, document))| documents.entry(*document).or_default().push(*number));
        let (segments, log) = vectors::open(directory, dimension, &mut owners)?;
        if !owners.is_empty() {
            let index = directory.parent().unwrap_or(directory);
            return Err(IndexError::damaged(index, "its vector files do not fit its full-text part"));
        }
        Ok((Self { dimension, options, segments, documents }, log))
    }

    /// Adds a vector that nobody owns yet; `number` is above those of all rows. Every record of the log needs this, whatever
    /// becomes of its change: in a growing segment place and record are the same.
    pub(crate) fn push(&mut self, number: u64, vector: &[f32]) {
        if let Some(last) = self.segments.last_mut() {
            last.push(number, vector);
        }
    }

    /// Gives a row to a passage: a new one, or to the same passage again after [`Dense::remove`] took it away.
    pub(crate) fn own(&mut self, number: u64, passage: PassageId, document: DocumentSlot) {
        if let Some((segment, _)) = self.place(number) {
            self.segments[segment].own(number, passage, document);
            self.documents.entry(document).or_default().push(number);
        }
    }

    /// Takes all vectors of a document away.
    pub(crate) fn remove(&mut self, document: DocumentSlot) {
        for number in self.documents.remove(&document).unwrap_or_default() {
            if let Some((segment, _)) = self.place(number) {
                self.segments[segment].disown(number);
            }
        }
    }

    /// Takes all vectors away.
    pub(crate) fn clear(&mut self) {
        let documents: Vec<DocumentSlot> = self.documents.keys().copied().collect();
        documents.into_iter().for_each(|document| self.remove(document));
    }

    /// Segment and place of a row.
    fn place(&self, number: u64) -> Option<(usize, usize)> {
        let after =
            self.segments.partition_point(|segment| segment.numbers().first().is_some_and(|first| *first <= number));
        let segment = after.checked_sub(1)?;
        Some((segment, self.segments[segment].place(number)?))
    }

    /// The cosine of a row by its number.
    pub(crate) fn cosine(&self, number: u64, query: &[f32]) -> Result<Option<f32>, IndexError> {
        let Some((segment, place)) = self.place(number) else { return Ok(None) };
        let (mut bytes, mut vector) = (Vec::new(), Vec::new());
        self.segments[segment].read(place, &mut bytes, &mut vector)?;
        Ok(Some(dot(&vector, query)))
    }

    /// The numbers of a document's rows, by their passages.
    pub(crate) fn rows_of(&self, document: DocumentSlot) -> HashMap<PassageId, u64> {
        let passage = |number: &u64| self.place(*number).map(|(segment, place)| self.segments[segment].passage(place));
        let numbers = self.documents.get(&document).into_iter().flatten();
        numbers.filter_map(|number| Some((passage(number)?, *number))).collect()
    }

    /// Whether the row holds exactly this vector.
    pub(crate) fn holds(&self, number: u64, vector: &[f32]) -> Result<bool, IndexError> {
        let Some((segment, place)) = self.place(number) else { return Ok(false) };
        let (mut bytes, mut found) = (Vec::new(), Vec::new());
        self.segments[segment].read(place, &mut bytes, &mut found)?;
        Ok(found == vector)
    }

    /// The next thing to do for the segments, done on disk; see [`Dense::replace`].
    pub(crate) fn upkeep(&self, directory: &Path, log: &mut Log) -> Result<Option<Replacement>, IndexError> {
        self.options.upkeep(directory, self.dimension, &self.segments, log)
    }

    /// Takes what [`Dense::upkeep`] made.
    pub(crate) fn replace(&mut self, replacement: Replacement) {
        self.segments.splice(replacement.old, replacement.new);
    }

    /// The `limit` visible passages nearest to `query`, nearest first.
    pub(crate) fn search(&self, query: &[f32], visible: &Visible, limit: usize) -> Result<Vec<Near>, IndexError> {
        let question = Question::new(query);
        let groups = self.groups(&question, visible);
        let wanted = limit.saturating_mul(SURPLUS.0).saturating_add(SURPLUS.1);
        let candidates = groups
            .par_chunks(TASK)
            .map(|groups| {
                let mut best = Best::new(wanted);
                for (segment, group) in groups {
                    let scan = |closeness, place| best.push((closeness, *segment, place));
                    self.segments[*segment].scan(group.places.clone(), &question, visible, scan);
                }
                best
            })
            .reduce(|| Best::new(wanted), Best::and);
        let (mut bytes, mut vector) = (Vec::new(), Vec::new());
        let mut found = Vec::with_capacity(candidates.rows.len().min(wanted));
        for (_, segment, place) in candidates.into_rows() {
            let segment = &self.segments[segment];
            segment.read(place, &mut bytes, &mut vector)?;
            let (passage, document) = (segment.passage(place), segment.document(place));
            found.push(Near { passage, document, cosine: dot(&vector, query) });
        }
        found.sort_unstable_by(|a, b| b.cosine.total_cmp(&a.cosine).then(a.passage.cmp(&b.passage)));
        found.truncate(limit);
        Ok(found)
    }

    /// The groups to look at, with their segments: all, or the nearest that have enough visible rows.
    fn groups(&self, question: &Question, visible: &Visible) -> Vec<(usize, Group)> {
        let all = self.segments.par_iter().enumerate();
        let of = |(number, segment): (usize, &Segment)| {
            let groups = segment.groups(question).into_iter();
            let count = |group: &Group| segment.visible(group.places.clone(), visible);
            let counted = groups.map(|group| (count(&group), number, group)).filter(|(count, ..)| *count > 0);
            counted.collect::<Vec<_>>()
        };
        let mut groups: Vec<(usize, usize, Group)> = all.flat_map_iter(of).collect();
        if groups.iter().map(|(count, ..)| count).sum::<usize>() > self.options.probe {
            groups.sort_unstable_by(|(_, _, a), (_, _, b)| b.closeness.total_cmp(&a.closeness));
            let mut seen = 0;
            groups.retain(|(count, _, group)| {
                // What no cluster orders is always looked at, and counts for nothing.
                let is_ordered = group.closeness.is_finite();
                let keep = !is_ordered || seen < self.options.probe;
                seen += if is_ordered { *count } else { 0 };
                keep
            });
        }
        groups.into_iter().map(|(_, segment, group)| (segment, group)).collect()
    }

    #[cfg(test)]
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

/// A row by segment and place, with its cosine by code.
type Candidate = (f32, usize, usize);

/// The best of many candidates, at least so many as are wanted.
struct Best {
    wanted: usize,
    rows: Vec<Candidate>,
    /// What a further one must exceed to be among them.
    least: f32,
}

fn better(a: &Candidate, b: &Candidate) -> Ordering {
    b.0.total_cmp(&a.0)
}

impl Best {
    fn new(wanted: usize) -> Self {
        Self { wanted, rows: Vec::new(), least: f32::NEG_INFINITY }
    }

    fn push(&mut self, candidate: Candidate) {
        if candidate.0 > self.least {
            self.rows.push(candidate);
            if self.rows.len() >= self.wanted.saturating_mul(2) {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        if self.rows.len() > self.wanted {
            self.rows.select_nth_unstable_by(self.wanted - 1, better);
            self.rows.truncate(self.wanted);
            self.least = self.rows[self.wanted - 1].0;
        }
    }

    fn and(mut self, other: Self) -> Self {
        other.rows.into_iter().for_each(|candidate| self.push(candidate));
        self
    }

    fn into_rows(mut self) -> Vec<Candidate> {
        self.cut();
        self.rows
    }
}

#[cfg(test)]
mod tests;
