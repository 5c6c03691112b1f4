//! The approximate part of the dense leg: a navigable small-world graph (HNSW, Malkov and Yashunin 2016), built in
//! the background once an index is large.
//!
//! It is not kept on disk: after a restart it is built anew from the vectors (about 1.5 ms of one core each), and
//! until it is there searches scan. The graph holds its own copy of every vector it covers.

use crate::dense::{Dense, EXACT, dot};
use crate::state::State;
use hnsw_rs::prelude::{Distance, FilterT, Hnsw};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock, Weak};

const NEIGHBOURS: usize = 16;
const LAYERS: usize = 16;
const EF_CONSTRUCTION: usize = 128;
/// Rows inserted between two looks at whether anyone still wants the graph.
const BATCH: usize = 512;

/// Cosine distance of unit vectors, never negative: rounding could make it so, and the graph must not see that.
struct UnitCosine;

impl Distance<f32> for UnitCosine {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        (1.0 - dot(a, b)).max(0.0)
    }
}

/// A graph over the rows of one [`Dense`], from the first on. Grows while it is searched.
pub(crate) struct Graph {
    hnsw: Hnsw<'static, f32, UnitCosine>,
    covered: AtomicUsize,
}

struct Filter<F>(F);

impl<F: Fn(usize) -> bool> FilterT for Filter<F> {
    fn hnsw_filter(&self, row: &usize) -> bool {
        (self.0)(*row)
    }
}

impl Graph {
    fn new(rows: usize) -> Self {
        let hnsw = Hnsw::new(NEIGHBOURS, rows, LAYERS, EF_CONSTRUCTION, UnitCosine);
        Self { hnsw, covered: AtomicUsize::new(0) }
    }

    /// About the `limit` nearest rows that `sees` lets pass, and the first row that the graph does not cover.
    pub(crate) fn search(&self, query: &[f32], limit: usize, sees: impl Fn(usize) -> bool) -> (Vec<usize>, usize) {
        let covered = self.covered.load(Ordering::Acquire);
        // Rows being inserted right now are the scan's, or they would be found twice.
        let filter = Filter(|row| row < covered && sees(row));
        let found = self.hnsw.search_filter(query, limit, limit.max(EF_CONSTRUCTION) * 3 / 2, Some(&filter));
        (found.into_iter().map(|neighbour| neighbour.d_id).collect(), covered)
    }

    fn insert(&self, batch: &[(usize, Vec<f32>)], threads: usize) {
        let share = batch.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            for part in batch.chunks(share) {
                scope.spawn(move || part.iter().for_each(|(row, vector)| self.hnsw.insert((vector, *row))));
            }
        });
    }
}

/// Keeps the graph of an index up with its rows, on a thread that ends with the index.
pub(crate) struct Weaver {
    wake: SyncSender<()>,
}

impl Weaver {
    pub(crate) fn spawn(state: &Arc<RwLock<State>>) -> std::io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let state = Arc::downgrade(state);
        std::thread::Builder::new().name("index-graph".into()).spawn(move || weave(&state, &woken))?;
        Ok(Self { wake })
    }

    /// Says that rows may have come.
    pub(crate) fn wake(&self) {
        // A full channel means that it has been told already.
        if let Err(TrySendError::Disconnected(())) = self.wake.try_send(()) {
            tracing::warn!("the thread that builds the vector graph has ended; searches scan all vectors");
        }
    }
}

fn weave(state: &Weak<RwLock<State>>, woken: &Receiver<()>) {
    // Half of the machine: people are asking questions meanwhile, on rayon's threads.
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
    while woken.recv().is_ok() {
        while let Some((graph, end, batch)) = next_batch(state) {
            graph.insert(&batch, threads);
            graph.covered.store(end, Ordering::Release);
        }
    }
}

type Batch = (Arc<Graph>, usize, Vec<(usize, Vec<f32>)>);

/// The next rows to insert: `None` when the graph covers all, is not worth it, or the index is gone.
fn next_batch(state: &Weak<RwLock<State>>) -> Option<Batch> {
    let state = state.upgrade()?;
    let needs_graph = {
        let state = state.read().unwrap_or_else(PoisonError::into_inner);
        state.dense.graph().is_none() && state.dense.alive() > EXACT
    };
    if needs_graph {
        let mut state = state.write().unwrap_or_else(PoisonError::into_inner);
        let rows = state.dense.len();
        state.dense.set_graph(Arc::new(Graph::new(rows)));
    }
    let state = state.read().unwrap_or_else(PoisonError::into_inner);
    let graph = Arc::clone(state.dense.graph()?);
    let start = graph.covered.load(Ordering::Acquire);
    let end = state.dense.len().min(start + BATCH);
    (start < end).then(|| (graph, end, rows(&state.dense, start..end)))
}

/// Dead rows stay out: what is dead stays dead until a compaction, but for a document that is being put again, and
/// that happens while nobody looks.
fn rows(dense: &Dense, range: std::ops::Range<usize>) -> Vec<(usize, Vec<f32>)> {
    range.filter(|row| dense.is_alive(*row)).map(|row| (row, dense.vector(row).to_vec())).collect()
}
