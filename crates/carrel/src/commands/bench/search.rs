//! `carrel bench search`: searches one after another, each embedded and searched in both indexes.

use super::percentile;
use super::text::Words;
use crate::config::Configuration;
use crate::site::{Failure, Site};
use ::audit::Actor;
use ::index::{Mode, Query};
use ingest::Origin;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use storage::Removal;
use tokio_util::sync::CancellationToken;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Whose eyes
    #[arg(long)]
    user: String,
    /// Searches
    #[arg(long, default_value_t = 200)]
    searches: usize,
    /// Take the files of this folder in meanwhile
    #[arg(long, value_name = "FOLDER", requires = "collection")]
    during_import: Option<PathBuf>,
    /// The collection that they go into
    #[arg(long)]
    collection: Option<String>,
    /// Print one JSON object (it always does)
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments, configuration: &Configuration) -> Result<Value, Failure> {
    let site = Site::open(configuration).await?;
    let (_, scope) = site.eyes_of(&arguments.user).await?;
    let retrieval = site.own_retrieval().await?;
    let words = Words::read(&[])?;
    let (index, embedder) = (retrieval.index.clone(), retrieval.embedder.clone());
    let query = |n: usize| (0..4).map(|k| words.take(n * 7 + k * 3, 1)).collect::<Vec<_>>().join(" ");
    // People do not search without a pause; without one, what is done meanwhile would hardly get a turn.
    let between = Duration::from_millis(if arguments.during_import.is_some() { 50 } else { 0 });
    let queries: Vec<String> = (0..arguments.searches).map(query).collect();
    let searches = tokio::task::spawn_blocking(move || -> Result<Vec<f64>, String> {
        let mut times = Vec::new();
        for query in &queries {
            std::thread::sleep(between);
            let begin = Instant::now();
            let vector = embedder.embed_queries(&[query]).map_err(|error| error.to_string())?.pop();
            let query = Query { text: query, vector: vector.as_deref(), mode: Mode::Hybrid, within: None, limit: 10 };
            index.search(&query, &scope).map_err(|error| error.to_string())?;
            times.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(times)
    });
    let mut times = match &arguments.during_import {
        None => searches.await??,
        Some(folder) => {
            let collection = site.collection(arguments.collection.as_deref().unwrap_or_default()).await?;
            let (files, _) = ingest::files(std::slice::from_ref(folder))?;
            let (stage, worker, stop) = (site.stage()?, site.worker(&retrieval).await?, CancellationToken::new());
            let (origin, actor) = (Origin::of(&collection), Actor::console());
            let taking = stage.take_in_changes(&origin, &files, Removal::Keep, &actor, site.operation(), |_| {});
            let searching = async {
                let times = searches.await;
                stop.cancel();
                times
            };
            let (times, taken, ()) = tokio::join!(searching, taking, worker.run(stop.clone()));
            taken?;
            times??
        }
    };
    Ok(json!({
        "searches": arguments.searches,
        "passages": retrieval.index.passages(),
        "open_jobs": site.store.open_jobs().await?,
        "latency_ms": { "p50": percentile(&mut times, 50), "p95": percentile(&mut times, 95) },
    }))
}
