//! `carrel bench`: speed, each figure measured in this process and printed as one JSON object.

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;
use crate::site::{Failure, Site};
use ::index::{Mode, Query};
use inference::{Embedder, GenerateRequest, Generator, GeneratorOptions, Message, ModelKind, Progress, Sampling};
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// The generation model: prefill, decode, time to first token
    Generate {
        /// Name of a model here, or a GGUF file
        #[arg(long)]
        model: String,
        /// Tokens of the prompt
        #[arg(long, default_value_t = 1500)]
        prompt_tokens: usize,
        /// Tokens to be generated
        #[arg(long, default_value_t = 128)]
        new_tokens: usize,
        /// Requests at once
        #[arg(long, default_value_t = 1)]
        concurrency: usize,
        /// Print one JSON object (it always does)
        #[arg(long)]
        json: bool,
    },
    /// The embedding model: sentences of 128 and 256 tokens a second, 32 at a time
    Embed {
        /// Embedding model [default: the one in use]
        #[arg(long, value_name = "DIR")]
        model: Option<PathBuf>,
        /// Print one JSON object (it always does)
        #[arg(long)]
        json: bool,
    },
    /// Hybrid search over this data directory
    Search {
        /// Whose eyes
        #[arg(long)]
        user: String,
        /// Searches
        #[arg(long, default_value_t = 200)]
        searches: usize,
        /// Print one JSON object (it always does)
        #[arg(long)]
        json: bool,
    },
}

/// Words of many kinds, so that a prompt is neither one token repeated nor the same for every length.
const WORDS: &str = "The harbour office keeps a register of every vessel that asks for a berth, with its length, its \
draught and the hour at which it is expected; the pilot on duty signs each line before the tide turns. ";

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    match command {
        Command::Generate { model, prompt_tokens, new_tokens, concurrency, .. } => {
            let file = generation_model(configuration, &model).await?;
            generate(&file, &model, prompt_tokens, new_tokens, concurrency.max(1)).await
        }
        Command::Embed { model, .. } => embed(configuration, model).await,
        Command::Search { user, searches, .. } => search(configuration, &user, searches).await,
    }
}

async fn generation_model(configuration: &Configuration, model: &str) -> Result<PathBuf, Failure> {
    let path = PathBuf::from(model);
    if path.is_file() {
        return Ok(path);
    }
    let site = Site::open(configuration).await?;
    let models = site.store.models().await?;
    let found = models.into_iter().find(|known| known.name == model && known.kind == ModelKind::Generate.as_str());
    Ok(site.data.join(found.ok_or_else(|| format!("there is no generation model '{model}' here"))?.file))
}

async fn generate(file: &std::path::Path, name: &str, prompt: usize, new: usize, concurrency: usize) -> Outcome {
    let path = file.to_owned();
    let options = GeneratorOptions { threads: None, max_waiting: concurrency, context_tokens: prompt + new + 256 };
    let generator = tokio::task::spawn_blocking(move || Generator::load(&path, options)).await??;
    let messages = prompt_of(&generator, prompt)?;
    let begin = Instant::now();
    let tasks: Vec<_> = (0..concurrency)
        .map(|_| {
            let (generator, messages) = (generator.clone(), messages.clone());
            tokio::spawn(async move { one(&generator, messages, new).await })
        })
        .collect();
    let mut runs = Vec::new();
    for task in tasks {
        runs.push(task.await?.map_err(|error| error.to_string())?);
    }
    let wall = begin.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "counts of tokens")]
    let rate = |tokens: usize, seconds: f64| if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 };
    let first = &runs[0];
    let generated: usize = runs.iter().map(|run| run.usage.new_tokens).sum();
    print_json(&json!({
        "model": name,
        "prompt_tokens": first.usage.prompt_tokens,
        "new_tokens": first.usage.new_tokens,
        "concurrency": concurrency,
        "prefill_tokens_per_s": rate(first.usage.prompt_tokens - first.usage.reused_tokens, first.usage.prefill.as_secs_f64()),
        "decode_tokens_per_s": rate(first.usage.new_tokens.saturating_sub(1), first.usage.decode.as_secs_f64()),
        "ttft_ms": first.first_word_ms,
        "aggregate_tokens_per_s": rate(generated, wall),
        "peak_rss_bytes": peak_rss(),
    }));
    Ok(())
}

struct Run {
    usage: inference::Usage,
    first_word_ms: f64,
}

async fn one(generator: &Generator, messages: Vec<Message>, new: usize) -> Result<Run, inference::ModelError> {
    let begin = Instant::now();
    let mut first_word_ms = None;
    let sampling = Sampling { temperature: 0.0, top_p: 1.0, seed: 0, ..Sampling::GREEDY };
    let request = GenerateRequest { messages, max_new_tokens: new, sampling, ..GenerateRequest::default() };
    let mut stream = generator.generate(request)?;
    loop {
        match stream.next().await {
            Some(Ok(Progress::Text(_))) => {
                first_word_ms.get_or_insert_with(|| begin.elapsed().as_secs_f64() * 1000.0);
            }
            Some(Ok(Progress::Finished(usage))) => {
                return Ok(Run { usage, first_word_ms: first_word_ms.unwrap_or_default() });
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error),
            None => return Err(inference::ModelError::Stopped),
        }
    }
}

/// A prompt of very nearly `tokens` tokens that asks for a long answer.
fn prompt_of(generator: &Generator, tokens: usize) -> Result<Vec<Message>, Failure> {
    let ask = "Continue this report with as much detail as you can:\n\n";
    let message = |words: usize| {
        let text: Vec<&str> = WORDS.split_whitespace().cycle().take(words).collect();
        vec![Message::user(format!("{ask}{}", text.join(" ")))]
    };
    let (mut low, mut high) = (0, tokens * 2);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if generator.count_prompt_tokens(&message(middle))? <= tokens { low = middle } else { high = middle - 1 }
    }
    Ok(message(low))
}

async fn embed(configuration: &Configuration, model: Option<PathBuf>) -> Outcome {
    let directory = match model {
        Some(directory) => directory,
        None => {
            let site = Site::open(configuration).await?;
            let missing = "no embedding model is in use here; name one with --model DIR";
            site.data.join(site.store.active_model(ModelKind::Embed.as_str()).await?.ok_or(missing)?.file)
        }
    };
    let figures = tokio::task::spawn_blocking(move || -> Result<serde_json::Value, inference::ModelError> {
        let embedder = Embedder::load(&directory)?;
        let mut figures = json!({ "batch": 32, "sentences_per_s": {} });
        for tokens in [128, 256] {
            let text = sentence(&embedder, tokens.min(embedder.max_tokens()) - 2);
            let texts = vec![text.as_str(); 32];
            embedder.embed(&texts)?;
            let mut rates: Vec<f64> = Vec::new();
            for _ in 0..3 {
                let begin = Instant::now();
                embedder.embed(&texts)?;
                rates.push(32.0 / begin.elapsed().as_secs_f64());
            }
            rates.sort_by(f64::total_cmp);
            figures["sentences_per_s"][tokens.to_string()] = json!(rates[1]);
        }
        Ok(figures)
    })
    .await??;
    print_json(&figures);
    Ok(())
}

fn sentence(embedder: &Embedder, tokens: usize) -> String {
    let mut text = String::new();
    for word in WORDS.split_whitespace().cycle() {
        let longer = format!("{text} {word}");
        if embedder.count_tokens(&longer) > tokens {
            break;
        }
        text = longer;
    }
    text
}

async fn search(configuration: &Configuration, user: &str, searches: usize) -> Outcome {
    let site = Site::open(configuration).await?;
    let (_, scope) = site.eyes_of(user).await?;
    let retrieval = site.own_retrieval().await?;
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let (index, embedder) = (retrieval.index.clone(), retrieval.embedder.clone());
    let queries: Vec<String> = (0..searches)
        .map(|n| (0..4).map(|k| words[(n * 7 + k * 3) % words.len()]).collect::<Vec<_>>().join(" "))
        .collect();
    let mut times = tokio::task::spawn_blocking(move || -> Result<Vec<f64>, String> {
        let mut times = Vec::new();
        for query in &queries {
            let begin = Instant::now();
            let vector = embedder.embed(&[query]).map_err(|error| error.to_string())?.pop();
            let query = Query { text: query, vector: vector.as_deref(), mode: Mode::Hybrid, limit: 10 };
            index.search(&query, &scope).map_err(|error| error.to_string())?;
            times.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(times)
    })
    .await??;
    times.sort_by(f64::total_cmp);
    let percentile = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(0.0);
    print_json(&json!({
        "searches": searches,
        "passages": retrieval.index.passages(),
        "latency_ms": { "p50": percentile(50), "p95": percentile(95) },
    }));
    Ok(())
}

/// The most memory this process has had, in bytes (Linux: `VmHWM` of /proc/self/status).
fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
