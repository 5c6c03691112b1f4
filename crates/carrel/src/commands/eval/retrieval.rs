//! `carrel eval retrieval`

use super::beir::{Set, Text};
use crate::Outcome;
use crate::commands::print_json;
use crate::config::Configuration;
use crate::progress::bar;
use crate::site::{Failure, Site};
use ::index::metrics::{mrr_at, ndcg_at, recall_at};
use ::index::{Change, DocumentEntry, Index, Mode, PassageEntry, Query};
use domain::{CollectionId, DocumentId, Environment, Label, PassageId};
use inference::{Embedder, EmbedderOptions, ModelKind, Precision, Reranker};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Folder with corpus.jsonl, queries.jsonl and qrels.tsv
    #[arg(long, value_name = "DIR")]
    dataset: PathBuf,
    /// lexical, dense or hybrid
    #[arg(long, default_value = "hybrid")]
    mode: Mode,
    /// Embedding model [default: the one in use in the data directory]
    #[arg(long, value_name = "DIR")]
    embedder: Option<PathBuf>,
    /// What the embedder computes in, f32 or int8 [default: as configured]
    #[arg(long)]
    precision: Option<Precision>,
    /// Cross-encoder that puts the first hits into a new order
    #[arg(long, value_name = "DIR")]
    reranker: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Hits looked at for each question.
const DEPTH: usize = 100;
/// Hits that a cross-encoder looks at.
const RERANKED: usize = 50;
/// Documents embedded at a time.
const BATCH: usize = 64;

pub(crate) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let embedder = match (&arguments.embedder, arguments.mode) {
        (_, Mode::Lexical) => None,
        (Some(path), _) => Some(path.clone()),
        (None, _) => Some(model_in_use(configuration).await?),
    };
    let options = EmbedderOptions { precision: arguments.precision.unwrap_or(configuration.embed.precision) };
    let Arguments { dataset, mode, reranker, json, .. } = arguments;
    let measured = move || measure(&dataset, mode, embedder.as_deref(), reranker.as_deref(), options);
    let figures = tokio::task::spawn_blocking(measured).await?.map_err(|error| error.to_string())?;
    if json {
        print_json(&figures);
    } else {
        println!("{figures:#}");
    }
    Ok(())
}

async fn model_in_use(configuration: &Configuration) -> Result<PathBuf, Failure> {
    let site = Site::open(configuration).await?;
    let missing = "no embedding model is in use here; name one with --embedder DIR";
    let model = site.store.active_model(ModelKind::Embed.as_str()).await?.ok_or(missing)?;
    Ok(site.data.join(model.file))
}

fn measure(
    dataset: &std::path::Path,
    mode: Mode,
    embedder: Option<&std::path::Path>,
    reranker: Option<&std::path::Path>,
    options: EmbedderOptions,
) -> Result<serde_json::Value, Box<dyn std::error::Error + Send + Sync>> {
    let set = Set::read(dataset).map_err(|error| error.to_string())?;
    let embedder = embedder.map(|path| Embedder::load_with(path, options)).transpose()?;
    let reranker = reranker.map(|path| Reranker::load_with(path, options)).transpose()?;
    let directory = tempfile::tempdir()?;
    let index = Index::open(directory.path(), embedder.as_ref().map_or(1, Embedder::dimension))?;
    let collection = CollectionId::new(&Environment::system());
    let names = fill(&index, &set.corpus, collection, embedder.as_ref())?;

    let texts: HashMap<&str, String> = set.corpus.iter().map(|doc| (doc.id.as_str(), whole(doc))).collect();
    let scope = identity::scope_of_evaluation(collection);
    let (mut ndcg, mut recall_10, mut recall_100, mut mrr) = (0.0, 0.0, 0.0, 0.0);
    let mut latencies = Vec::with_capacity(set.queries.len());
    for query in &set.queries {
        let begin = Instant::now();
        let vector = match &embedder {
            Some(embedder) => embedder.embed_queries(&[&query.text])?.pop(),
            None => None,
        };
        let hits = index.search(
            &Query { text: &query.text, vector: vector.as_deref(), mode, within: None, limit: DEPTH },
            &scope,
        )?;
        let mut ranked: Vec<&str> = hits.iter().filter_map(|hit| names.get(&hit.passage).copied()).collect();
        if let Some(reranker) = &reranker {
            let count = RERANKED.min(ranked.len());
            rerank(reranker, &query.text, &mut ranked[..count], &texts)?;
        }
        latencies.push(begin.elapsed().as_secs_f64() * 1000.0);
        let gains = &set.judgements[&query.id];
        let judged: HashMap<&str, u32> = gains.iter().map(|(id, gain)| (id.as_str(), *gain)).collect();
        ndcg += ndcg_at(10, &ranked, &judged);
        recall_10 += recall_at(10, &ranked, &judged);
        recall_100 += recall_at(100, &ranked, &judged);
        mrr += mrr_at(10, &ranked, &judged);
    }
    latencies.sort_by(f64::total_cmp);
    #[allow(clippy::cast_precision_loss, reason = "counts of questions")]
    let count = set.queries.len().max(1) as f64;
    let percentile = |share: usize| latencies.get(latencies.len() * share / 100).copied().unwrap_or(0.0);
    Ok(json!({
        "dataset": dataset.file_name().map(|name| name.to_string_lossy()),
        "mode": mode.as_str(),
        "precision": embedder.as_ref().map(Embedder::precision),
        "reranked": reranker.is_some(),
        "ndcg_at_10": ndcg / count,
        "recall_at_10": recall_10 / count,
        "recall_at_100": recall_100 / count,
        "mrr_at_10": mrr / count,
        "latency_ms": { "p50": percentile(50), "p95": percentile(95) },
        "queries": set.queries.len(),
        "documents": set.corpus.len(),
    }))
}

/// Title and text of a document, as models read it.
fn whole(doc: &Text) -> String {
    format!("{}\n{}", doc.title, doc.text).trim_start().to_owned()
}

/// Sorts `ranked`, ids of documents, by what `reranker` says about their `texts`.
fn rerank(
    reranker: &Reranker,
    query: &str,
    ranked: &mut [&str],
    texts: &HashMap<&str, String>,
) -> Result<(), inference::ModelError> {
    let passages: Vec<&str> = ranked.iter().map(|id| texts.get(id).map_or("", String::as_str)).collect();
    let scores = reranker.rerank(query, &passages)?;
    let mut scored: Vec<(f32, &str)> = scores.into_iter().zip(ranked.iter().copied()).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.iter_mut().zip(scored).for_each(|(to, (_, id))| *to = id);
    Ok(())
}

/// Puts the corpus into the index, a document a passage; gives the id of each passage's document.
fn fill<'a>(
    index: &Index,
    corpus: &'a [Text],
    collection: CollectionId,
    embedder: Option<&Embedder>,
) -> Result<BTreeMap<PassageId, &'a str>, Box<dyn std::error::Error + Send + Sync>> {
    let environment = Environment::system();
    let mut names = BTreeMap::new();
    let progress = bar(corpus.len() as u64, "documents");
    for batch in corpus.chunks(BATCH) {
        let vectors: Vec<Option<Vec<f32>>> = match embedder {
            Some(embedder) => {
                let texts: Vec<String> = batch.iter().map(whole).collect();
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                embedder.embed_passages(&texts)?.into_iter().map(Some).collect()
            }
            None => vec![None; batch.len()],
        };
        let mut changes = Vec::with_capacity(batch.len());
        for (doc, vector) in batch.iter().zip(vectors) {
            let id = PassageId::new(&environment);
            names.insert(id, doc.id.as_str());
            changes.push(Change::Put {
                document: DocumentEntry {
                    id: DocumentId::new(&environment),
                    collection,
                    label: Label::Public,
                    readers: None,
                    title: doc.title.clone(),
                    language: None,
                },
                passages: vec![PassageEntry { id, heading: String::new(), text: doc.text.clone(), vector }],
            });
        }
        index.apply(&changes)?;
        progress.inc(batch.len() as u64);
    }
    progress.finish_and_clear();
    Ok(names)
}
