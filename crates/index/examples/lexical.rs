//! Measures the lexical leg on sets in BEIR's layout (`corpus.jsonl`, `queries.jsonl`, `qrels.tsv`):
//! `cargo run --release -p index --example lexical -- DIRECTORY…`
#![allow(clippy::print_stdout)]

use domain::{AccessScope, Clearance, CollectionId, DocumentId, Label};
use index::metrics::{mrr_at, ndcg_at, recall_at};
use index::{Change, DocumentEntry, Index, Mode, PassageEntry, Query};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::Path;
use std::time::Instant;

/// Id, title and text of each line.
type Lines = Vec<(String, String, String)>;

fn lines(path: &Path) -> Result<Lines, Box<dyn Error>> {
    let mut rows = Vec::new();
    for line in std::fs::read_to_string(path)?.lines() {
        let value: Value = serde_json::from_str(line)?;
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let id = if value["_id"].is_string() { text("_id") } else { text("id") };
        rows.push((id, text("title"), text("text")));
    }
    Ok(rows)
}

fn measure(directory: &Path) -> Result<(), Box<dyn Error>> {
    let environment = domain::Environment::system();
    let files = tempfile::tempdir()?;
    let index = Index::open(files.path(), 0)?;
    let collection = CollectionId::new(&environment);

    let mut names = HashMap::new();
    let mut changes = Vec::new();
    for (name, title, text) in lines(&directory.join("corpus.jsonl"))? {
        let id = DocumentId::new(&environment);
        names.insert(id, name);
        let document = DocumentEntry { id, collection, label: Label::Public, readers: None, title, language: None };
        let passage = PassageEntry { id: id.uuid().into(), heading: String::new(), text, vector: None };
        changes.push(Change::Put { document, passages: vec![passage] });
    }
    let start = Instant::now();
    index.apply(&changes)?;
    let indexed = start.elapsed();

    let mut judgements: BTreeMap<String, HashMap<String, u32>> = BTreeMap::new();
    for line in std::fs::read_to_string(directory.join("qrels.tsv"))?.lines().skip(1) {
        if let [query, document, grade] = line.split('\t').collect::<Vec<_>>()[..] {
            // Relevant or not, whatever the grade.
            let grade = u32::from(grade.trim().parse::<i32>()? > 0);
            judgements.entry(query.to_owned()).or_default().insert(document.to_owned(), grade);
        }
    }
    let queries: HashMap<String, String> =
        lines(&directory.join("queries.jsonl"))?.into_iter().map(|(id, _, text)| (id, text)).collect();

    let scope = AccessScope::issue([], [collection], Clearance(Label::Secret));
    let (mut sums, mut times) = ([0.0; 4], Vec::new());
    for (query, judgements) in &judgements {
        let text = queries.get(query).map_or("", String::as_str);
        let start = Instant::now();
        let hits =
            index.search(&Query { text, vector: None, mode: Mode::Lexical, within: None, limit: 100 }, &scope)?;
        times.push(start.elapsed());
        let ranking: Vec<String> = hits.iter().filter_map(|hit| names.get(&hit.document).cloned()).collect();
        let measured = [
            ndcg_at(10, &ranking, judgements),
            recall_at(10, &ranking, judgements),
            recall_at(100, &ranking, judgements),
            mrr_at(10, &ranking, judgements),
        ];
        sums.iter_mut().zip(measured).for_each(|(sum, value)| *sum += value);
    }
    times.sort();
    let [ndcg, recall_10, recall_100, mrr] = sums.map(|sum| sum / judgements.len() as f64);
    println!(
        "{}: nDCG@10 {ndcg:.4}, recall@10 {recall_10:.4}, recall@100 {recall_100:.4}, MRR@10 {mrr:.4}; {} queries, \
         median {:?}; {} documents indexed in {indexed:?}",
        directory.display(),
        judgements.len(),
        times[times.len() / 2],
        names.len(),
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    std::env::args().skip(1).try_for_each(|directory| measure(Path::new(&directory)))
}
