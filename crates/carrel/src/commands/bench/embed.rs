//! `carrel bench embed`: texts of one length, a batch at a time.

use super::text::Words;
use super::{percentile, rate};
use crate::config::Configuration;
use crate::site::{Failure, Site};
use inference::{Embedder, EmbedderOptions, ModelError, ModelKind, Precision};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Embedding model [default: the one in use]
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// What to compute in, f32 or int8 [default: as configured]
    #[arg(long)]
    precision: Option<Precision>,
    /// Texts at a time
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Tokens of a text, special ones included [default: 128 and 256]
    #[arg(long)]
    tokens: Vec<usize>,
    /// Text files that texts are made of [default: a built-in sentence]
    #[arg(long, value_name = "FILE")]
    text: Vec<PathBuf>,
    /// Print one JSON object (it always does)
    #[arg(long)]
    json: bool,
}

/// Runs a length; the median counts.
const RUNS: usize = 3;

/// Special tokens around a text.
const SPECIAL: usize = 2;

/// By how many words a text of a batch is shifted from the one before.
const SHIFT: usize = 13;

pub(super) async fn run(arguments: Arguments, configuration: &Configuration) -> Result<Value, Failure> {
    let directory = match &arguments.model {
        Some(directory) => directory.clone(),
        None => {
            let site = Site::open(configuration).await?;
            let missing = "no embedding model is in use here; name one with --model DIR";
            site.data.join(site.store.active_model(ModelKind::Embed.as_str()).await?.ok_or(missing)?.file)
        }
    };
    let words = Words::read(&arguments.text)?;
    let options = EmbedderOptions { precision: arguments.precision.unwrap_or(configuration.embed.precision) };
    let figures = move || figures(&arguments, &directory, options, &words).map_err(|error| error.to_string());
    Ok(tokio::task::spawn_blocking(figures).await??)
}

fn figures(
    arguments: &Arguments,
    directory: &std::path::Path,
    options: EmbedderOptions,
    words: &Words,
) -> Result<Value, Failure> {
    let embedder = Embedder::load_with(directory, options)?;
    let lengths = if arguments.tokens.is_empty() { vec![128, 256] } else { arguments.tokens.clone() };
    let mut figures = json!({
        "precision": embedder.precision(),
        "batch": arguments.batch,
        "sentences_per_s": {},
    });
    for tokens in lengths {
        let tokens = tokens.min(embedder.max_tokens() + SPECIAL);
        let wanted = tokens.saturating_sub(SPECIAL);
        let count = |text: &str| Ok::<_, ModelError>(embedder.count_tokens(text));
        let texts = (0..arguments.batch).map(|index| words.of_tokens(index * SHIFT, wanted, count));
        let texts = texts.collect::<Result<Vec<String>, _>>()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        embedder.embed(&texts)?;
        let mut seconds = Vec::new();
        for _ in 0..RUNS {
            let begin = Instant::now();
            embedder.embed(&texts)?;
            seconds.push(begin.elapsed().as_secs_f64());
        }
        figures["sentences_per_s"][tokens.to_string()] = json!(rate(texts.len(), percentile(&mut seconds, 50)));
    }
    // The vector of the whole text, cut to what the model takes: another engine can be held against it.
    figures["vector"] = json!(embedder.embed(&[&words.whole()])?.pop());
    Ok(figures)
}
