//! The approximate part of the dense leg: a navigable small-world graph (HNSW, Malkov and Yashunin 2016), built in
//! the background once an index is large.
//!
//! It is not kept on disk: after a restart it is built anew from the vectors (about 1.5 ms of one core each), and
//! until it is there searches scan. The graph holds its own copy of every vector it covers.

use crate::dense::{Dense, dot};
use crate::state::State;
use hnsw_rs::prelude::{Distance, FilterT, Hnsw};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock, Weak};

const NEIGHBOURS: usize = 16;
const LAYERS: usize = 16;
const EF_CONSTRUCTION: usize = 128;
/// Candidates kept in a search, at least.
const EF: usize = 128;
/// How many times the expected number of rows is asked for when some of them may not be seen, and how many more.
const SURPLUS: f64 = 1.5;
const SPARE: usize = 8;
/// Beyond so many rows the filter inside the search is quicker.
const MAX_UNFILTERED: usize = 1_000;
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

    /// About the `limit` nearest rows that `sees` lets pass, in no order, and the first row that the graph does not
    /// cover. `share` of all rows pass. May find fewer where those are far from the query.
    ///
    /// hnsw_rs advises against searching during insertion because its own mode flag is not shared between threads;
    /// insertions search the graph themselves, side by side, under the same locks, and nothing here sets that flag.
    pub(crate) fn search(
        &self,
        query: &[f32],
        limit: usize,
        share: f64,
        sees: impl Fn(usize) -> bool,
    ) -> (Vec<usize>, usize) {
        let covered = self.covered.load(Ordering::Acquire);
        // Rows being inserted right now are the scan's, or they would be found twice.
        let sees = |row: usize| row < covered && sees(row);
        // Without a filter hnsw_rs stops as soon as nothing nearer can come; with one it follows every candidate to
        // its end, which takes several times as long. So first more rows than needed are asked for.
        let wanted = (limit as f64 / share.max(f64::EPSILON) * SURPLUS) as usize + SPARE;
        if wanted <= MAX_UNFILTERED {
            let found = self.hnsw.search(query, wanted, wanted.max(EF));
            let rows: Vec<usize> = found.iter().map(|near| near.d_id).filter(|row| sees(*row)).take(limit).collect();
            if rows.len() == limit {
                return (rows, covered);
            }
        }
        let found = self.hnsw.search_filter(query, limit, limit.max(EF), Some(&Filter(sees)));
        (found.into_iter().map(|near| near.d_id).collect(), covered)
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
pub(crate) struct GraphBuilder {
    wake: SyncSender<()>,
}

impl GraphBuilder {
    pub(crate) fn spawn(state: &Arc<RwLock<State>>) -> std::io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let state = Arc::downgrade(state);
        std::thread::Builder::new().name("index-graph".into()).spawn(move || build(&state, &woken))?;
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

fn build(state: &Weak<RwLock<State>>, woken: &Receiver<()>) {
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
    let needs_graph = state.read().unwrap_or_else(PoisonError::into_inner).dense.needs_graph();
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

/// Dead rows stay out. One only comes alive again within the change that killed it, which holds the state for itself.
fn rows(dense: &Dense, range: std::ops::Range<usize>) -> Vec<(usize, Vec<f32>)> {
    range.filter(|row| dense.is_alive(*row)).map(|row| (row, dense.vector(row).to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use crate::{Change, DocumentEntry, Index, Mode, PassageEntry, Query};
    use domain::{AccessScope, Clearance, CollectionId, DocumentId, Label, PassageId};
    use std::collections::BTreeSet;
    use std::time::{Duration, Instant};
    use uuid::Uuid;

    const DIMENSION: usize = 16;
    const EXACT: usize = 200;

    fn unit(seed: u64) -> Vec<f32> {
        let value = |place: u64| ((seed * 31 + 7) * (place * place + 11) % 10_007) as f32 / 10_007.0 - 0.5;
        let vector: Vec<f32> = (0..DIMENSION as u64).map(value).collect();
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vector.into_iter().map(|value| value / length).collect()
    }

    /// Every third document is in collection 1, the others in collection 0.
    fn collection(number: u64) -> CollectionId {
        Uuid::from_u128(u128::from(number % 3 == 1) + 1).into()
    }

    fn id(number: u64) -> Uuid {
        Uuid::from_u128(u128::from(number) + 1_000)
    }

    fn put(number: u64) -> Change {
        let id = id(number);
        let language = Some("en".to_owned());
        Change::Put {
            document: DocumentEntry {
                id: id.into(),
                collection: collection(number),
                label: Label::Public,
                readers: None,
                title: String::new(),
                language,
            },
            passages: vec![PassageEntry {
                id: id.into(),
                heading: String::new(),
                text: "granite".into(),
                vector: Some(unit(number)),
            }],
        }
    }

    fn wait_for_graph(index: &Index, rows: usize) {
        let start = Instant::now();
        while index.read().dense.graph().is_none_or(|graph| graph.search(&unit(0), 1, 1.0, |_| true).1 < rows) {
            assert!(start.elapsed() < Duration::from_secs(60), "the graph was not built");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The share of the truly nearest ten that are found, over many queries; what may not be seen is never found.
    fn recall(index: &Index, alive: &BTreeSet<u64>, collections: &[CollectionId]) -> f64 {
        let scope = AccessScope::issue([], collections.iter().copied(), Clearance(Label::Public));
        let mut found = 0;
        for seed in 5_000..5_050 {
            let query = unit(seed);
            let hits = index
                .search(&Query { text: "", vector: Some(&query), mode: Mode::Dense, within: None, limit: 10 }, &scope)
                .unwrap();
            assert_eq!(hits.len(), 10);
            let mut nearest: Vec<(f32, PassageId)> = alive
                .iter()
                .filter(|number| collections.contains(&collection(**number)))
                .map(|number| (-super::dot(&unit(*number), &query), id(*number).into()))
                .collect();
            let visible: BTreeSet<PassageId> = nearest.iter().map(|(_, passage)| *passage).collect();
            assert!(hits.iter().all(|hit| visible.contains(&hit.passage)));
            nearest.sort_by(|a, b| a.0.total_cmp(&b.0));
            found += nearest[..10].iter().filter(|(_, near)| hits.iter().any(|hit| hit.passage == *near)).count();
        }
        found as f64 / 500.0
    }

    #[test]
    fn a_graph_follows_changes_and_rights() {
        let directory = tempfile::tempdir().unwrap();
        let index = Index::open_with(directory.path(), DIMENSION, EXACT).unwrap();
        let mut alive: BTreeSet<u64> = (0..3_000).collect();
        index.apply(&alive.iter().map(|number| put(*number)).collect::<Vec<_>>()).unwrap();
        wait_for_graph(&index, 3_000);
        let (both, one) = ([collection(0), collection(1)], [collection(1)]);
        assert!(recall(&index, &alive, &both) > 0.98);
        assert!(recall(&index, &alive, &one) > 0.98);

        // New rows are found before and after the graph covers them, dead ones at once no more.
        let removed: Vec<Change> = (0..900).map(|number| Change::Remove(DocumentId::from(id(number)))).collect();
        index.apply(&removed).unwrap();
        index.apply(&(3_000..3_500).map(put).collect::<Vec<_>>()).unwrap();
        alive = (900..3_500).collect();
        assert!(recall(&index, &alive, &both) > 0.98);
        wait_for_graph(&index, 3_500);
        assert!(recall(&index, &alive, &one) > 0.98);

        // A compaction moves all rows and starts a new graph.
        let removed: Vec<Change> = (900..1_500).map(|number| Change::Remove(DocumentId::from(id(number)))).collect();
        index.apply(&removed).unwrap();
        alive = (1_500..3_500).collect();
        assert_eq!(index.read().dense.len(), 2_000);
        assert!(recall(&index, &alive, &both) > 0.98);
        wait_for_graph(&index, 2_000);
        assert!(recall(&index, &alive, &both) > 0.98);

        drop(index);
        let index = Index::open_with(directory.path(), DIMENSION, EXACT).unwrap();
        wait_for_graph(&index, 2_000);
        assert!(recall(&index, &alive, &one) > 0.98);
    }
}
