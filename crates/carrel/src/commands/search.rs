//! `carrel search`

use super::{plain, print_json};
use crate::Outcome;
use crate::config::Configuration;
use crate::site::Site;
use ::audit::Actor;
use ::index::Mode;
use answer::Source;
use serde_json::json;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to look for
    query: String,
    /// Whose eyes: the sign-in name of a user
    #[arg(long)]
    user: String,
    /// lexical, dense or hybrid
    #[arg(long, default_value = "hybrid")]
    mode: Mode,
    /// Passages at most
    #[arg(long, default_value_t = 10)]
    limit: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    let (_, scope) = site.eyes_of(&arguments.user).await?;
    let retrieval = site.own_retrieval().await?;
    let answering = site.answering(&retrieval, None).await?;
    let found = answering.retrieve(&arguments.query, arguments.mode, arguments.limit, &scope).await?;
    let sources: Vec<Source> = (1..)
        .zip(found.candidates)
        .map(|(rank, candidate)| Source {
            rank,
            score: candidate.hit.score,
            passage: candidate.passage,
            document: candidate.document,
        })
        .collect();
    answering.record_search(&arguments.query, &sources, &Actor::console(), site.operation()).await?;
    if arguments.json {
        let results: Vec<_> = sources.iter().map(source_json).collect();
        print_json(&json!({ "results": results, "took_ms": found.took.as_secs_f64() * 1000.0 }));
        return Ok(());
    }
    if sources.is_empty() {
        println!("nothing was found that '{}' may see", arguments.user);
    }
    for source in &sources {
        print_source(source);
        println!("    {}\n", source.passage.text.replace('\n', "\n    "));
    }
    Ok(())
}

pub(crate) fn print_source(source: &Source) {
    let page = source.passage.page.map(|page| format!(", p. {page}")).unwrap_or_default();
    let above = plain(&source.passage.heading_path.join(" › "));
    println!("[{}] {}{page} · {} · {above}", source.rank, plain(&source.document.title), source.document.label);
}

pub(crate) fn source_json(source: &Source) -> serde_json::Value {
    json!({
        "rank": source.rank,
        "passage": source.passage.id,
        "document": source.document.id,
        "title": source.document.title,
        "source": source.document.source,
        "page": source.passage.page,
        "heading_path": source.passage.heading_path,
        "label": source.document.label,
        "score": source.score,
        "text": source.passage.text,
    })
}
