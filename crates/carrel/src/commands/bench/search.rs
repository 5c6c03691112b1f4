//! `carrel bench search`: searches one after another, each embedded and searched in both indexes.

use super::percentile;
use super::text::Words;
use crate::config::Configuration;
use crate::site::{Failure, Site};
use ::index::{Mode, Query};
use serde_json::{Value, json};
use std::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Whose eyes
    #[arg(long)]
    user: String,
    /// Searches
    #[arg(long, default_value_t = 200)]
    searches: usize,
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
    let queries: Vec<String> = (0..arguments.searches).map(query).collect();
    let mut times = tokio::task::spawn_blocking(move || -> Result<Vec<f64>, String> {
        let mut times = Vec::new();
        for query in &queries {
            let begin = Instant::now();
            let vector = embedder.embed_queries(&[query]).map_err(|error| error.to_string())?.pop();
            let query = Query { text: query, vector: vector.as_deref(), mode: Mode::Hybrid, within: None, limit: 10 };
            index.search(&query, &scope).map_err(|error| error.to_string())?;
            times.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(times)
    })
    .await??;
    Ok(json!({
        "searches": arguments.searches,
        "passages": retrieval.index.passages(),
        "latency_ms": { "p50": percentile(&mut times, 50), "p95": percentile(&mut times, 95) },
    }))
}
