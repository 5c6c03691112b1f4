//! The dense leg: cosine similarity over unit vectors held in memory.
//!
//! Few visible vectors are compared one by one, which is exact; only when many are visible does a graph answer, so
//! narrow rights never cost recall.

use crate::catalogue::{DocumentSlot, Visible};
use crate::graph::Graph;
use domain::PassageId;
use rayon::prelude::*;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

/// Vectors in one allocation, and in one task of a scan. Growth never copies what is there.
const BLOCK: usize = 4_096;
/// Up to so many visible vectors a scan answers in time (3 to 6 ms for 384 dimensions on two cores); beyond, a graph
/// is worth its memory and the half hour that it takes to build a million.
pub(crate) const EXACT: usize = 50_000;
/// The document of rows whose passage is gone; no document gets this slot.
const NOBODY: DocumentSlot = DocumentSlot::MAX;

/// Place of a vector in memory.
pub(crate) type RowIndex = u32;

struct Row {
    passage: PassageId,
    document: DocumentSlot,
    /// Number in the vector file.
    number: u64,
}

/// All vectors and whose they are.
pub(crate) struct Dense {
    dimension: usize,
    blocks: Vec<Vec<f32>>,
    rows: Vec<Row>,
    documents: HashMap<DocumentSlot, Vec<RowIndex>>,
    dead: usize,
    /// Up to so many visible vectors are scanned.
    exact: usize,
    graph: Option<Arc<Graph>>,
}

/// A vector that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Near {
    pub(crate) passage: PassageId,
    pub(crate) document: DocumentSlot,
    pub(crate) cosine: f32,
}

impl Near {
    /// Nearest first, then by passage id.
    fn order(&self, other: &Self) -> Ordering {
        other.cosine.total_cmp(&self.cosine).then(self.passage.cmp(&other.passage))
    }
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
    pub(crate) fn new(dimension: usize, exact: usize) -> Self {
        let (blocks, rows, documents) = (Vec::new(), Vec::new(), HashMap::new());
        Self { dimension, blocks, rows, documents, dead: 0, exact, graph: None }
    }

    /// An empty one of the same kind.
    pub(crate) fn emptied(&self) -> Self {
        Self::new(self.dimension, self.exact)
    }

    /// Adds a vector; `number` is above those of all rows.
    pub(crate) fn push(&mut self, number: u64, vector: &[f32], passage: PassageId, document: DocumentSlot) {
        if self.rows.len().is_multiple_of(BLOCK) {
            // A small index stays small: only the second block is allocated whole.
            let rows = if self.rows.is_empty() { 0 } else { BLOCK };
            self.blocks.push(Vec::with_capacity(rows * self.dimension));
        }
        if let Some(block) = self.blocks.last_mut() {
            block.extend_from_slice(vector);
        }
        self.documents.entry(document).or_default().push(self.rows.len() as RowIndex);
        self.rows.push(Row { passage, document, number });
    }

    /// Gives a row to the same passage again after [`Dense::remove`] took it away.
    pub(crate) fn revive(&mut self, number: u64, document: DocumentSlot) {
        if let Some(index) = self.index(number)
            && self.rows[index].document == NOBODY
        {
            self.rows[index].document = document;
            self.documents.entry(document).or_default().push(index as RowIndex);
            self.dead -= 1;
        }
    }

    /// Takes all vectors of a document away.
    pub(crate) fn remove(&mut self, document: DocumentSlot) {
        for row in self.documents.remove(&document).unwrap_or_default() {
            self.rows[row as usize].document = NOBODY;
            self.dead += 1;
        }
    }

    fn index(&self, number: u64) -> Option<usize> {
        self.rows.binary_search_by_key(&number, |row| row.number).ok()
    }

    pub(crate) fn vector(&self, row: usize) -> &[f32] {
        let start = row % BLOCK * self.dimension;
        &self.blocks[row / BLOCK][start..start + self.dimension]
    }

    /// The cosine of a row by its number.
    pub(crate) fn cosine(&self, number: u64, query: &[f32]) -> Option<f32> {
        self.index(number).map(|row| dot(self.vector(row), query))
    }

    /// The number of a document's row that holds exactly this vector for this passage.
    pub(crate) fn stored(&self, document: DocumentSlot, passage: PassageId, vector: &[f32]) -> Option<u64> {
        let rows = self.documents.get(&document)?;
        let row = rows.iter().find(|row| self.rows[**row as usize].passage == passage)?;
        (self.vector(*row as usize) == vector).then(|| self.rows[*row as usize].number)
    }

    /// Rows, dead ones included.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Rows whose passages exist.
    pub(crate) fn alive(&self) -> usize {
        self.rows.len() - self.dead
    }

    pub(crate) fn is_alive(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|row| row.document != NOBODY)
    }

    /// Living rows with their numbers, ascending.
    pub(crate) fn living(&self) -> impl Iterator<Item = (u64, &[f32])> {
        self.rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.document != NOBODY)
            .map(|(index, row)| (row.number, self.vector(index)))
    }

    /// The same without dead rows, and without a graph: rows have moved.
    pub(crate) fn compacted(&self) -> Self {
        let mut compacted = self.emptied();
        for (index, row) in self.rows.iter().enumerate().filter(|(_, row)| row.document != NOBODY) {
            compacted.push(row.number, self.vector(index), row.passage, row.document);
        }
        compacted
    }

    /// Whether there are so many rows that a graph is worth building.
    pub(crate) fn needs_graph(&self) -> bool {
        self.graph.is_none() && self.alive() > self.exact
    }

    pub(crate) fn graph(&self) -> Option<&Arc<Graph>> {
        self.graph.as_ref()
    }

    pub(crate) fn set_graph(&mut self, graph: Arc<Graph>) {
        self.graph = Some(graph);
    }

    /// The `limit` visible passages nearest to `query`, nearest first.
    pub(crate) fn search(&self, query: &[f32], visible: &Visible, limit: usize) -> Vec<Near> {
        if let Some(graph) = &self.graph {
            let candidates = if visible.all { self.alive() } else { self.visible_rows(visible) };
            // Through a graph that is mostly hidden a search walks far; a scan of what is visible does not.
            if candidates > self.exact.max(self.alive() / 10) {
                let sees = |row: usize| self.rows.get(row).is_some_and(|row| visible.contains(row.document));
                let (rows, covered) = graph.search(query, limit, candidates as f64 / self.rows.len() as f64, sees);
                let mut found: Vec<Near> = rows.into_iter().map(|row| self.near(row, query)).collect();
                // A graph that came loose finds too few; a scan does not.
                if found.len() >= limit {
                    found.extend(self.scan(query, visible, limit, covered));
                    return best(found, limit);
                }
            }
        }
        best(self.scan(query, visible, limit, 0), limit)
    }

    fn near(&self, row: usize, query: &[f32]) -> Near {
        let Row { passage, document, .. } = self.rows[row];
        Near { passage, document, cosine: dot(self.vector(row), query) }
    }

    fn visible_rows(&self, visible: &Visible) -> usize {
        self.rows.iter().filter(|row| visible.contains(row.document)).count()
    }

    /// The best visible rows from row `start` on, in no order.
    fn scan(&self, query: &[f32], visible: &Visible, limit: usize, start: usize) -> Vec<Near> {
        (start / BLOCK..self.blocks.len())
            .into_par_iter()
            .flat_map_iter(|block| {
                let first = block * BLOCK;
                let rows = start.max(first)..self.rows.len().min(first + BLOCK);
                let sees = |row: &usize| visible.contains(self.rows[*row].document);
                best(rows.filter(sees).map(|row| self.near(row, query)).collect(), limit)
            })
            .collect()
    }
}

/// The `limit` nearest, nearest first.
fn best(mut found: Vec<Near>, limit: usize) -> Vec<Near> {
    if limit == 0 {
        return Vec::new();
    }
    if found.len() > limit {
        found.select_nth_unstable_by(limit - 1, Near::order);
        found.truncate(limit);
    }
    found.sort_unstable_by(Near::order);
    found
}
