//! `carrel bench generate`: one prompt length, one answer length, some requests at once.

use super::engine::{self, Run};
use super::text::Words;
use super::{peak_rss, rate};
use crate::config::Configuration;
use crate::site::{Failure, Site};
use inference::{Generator, Message, ModelError, pack};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Name of a model here, or a GGUF file
    #[arg(long)]
    model: String,
    /// Tokens of the prompt
    #[arg(long, default_value_t = 1500)]
    prompt_tokens: usize,
    /// Tokens to be generated
    #[arg(long, default_value_t = 128)]
    new_tokens: usize,
    /// Requests at once, each with a prompt of its own
    #[arg(long, default_value_t = 1)]
    concurrency: usize,
    /// Text files that prompts are made of [default: a built-in sentence]
    #[arg(long, value_name = "FILE")]
    text: Vec<PathBuf>,
    /// Draft no tokens from the prompt
    #[arg(long)]
    no_lookup: bool,
    /// Print one JSON object (it always does)
    #[arg(long)]
    json: bool,
}

/// What every prompt asks.
const TASK: &str = "Continue this report with as much detail as you can:\n\n";

/// By how many words the prompts of requests at once are shifted: none begins like another.
const SHIFT: usize = 97;

pub(super) async fn run(arguments: Arguments, configuration: &Configuration) -> Result<Value, Failure> {
    let Arguments { model, prompt_tokens, new_tokens, text, no_lookup, .. } = arguments;
    let concurrency = arguments.concurrency.max(1);
    let site = if Path::new(&model).is_file() { None } else { Some(Site::open(configuration).await?) };
    let file = engine::model_file(site.as_ref(), &model).await?;
    let words = Words::read(&text)?;
    let context = prompt_tokens + new_tokens + 64;
    let generator = engine::load(&file, &configuration.generate, context, concurrency, !no_lookup).await?;
    let prompts = (0..concurrency).map(|index| prompt(&generator, &words, index * SHIFT, prompt_tokens));
    let prompts = prompts.collect::<Result<Vec<_>, _>>()?;

    let begin = Instant::now();
    let mut tasks = Vec::new();
    for messages in prompts {
        let generator = generator.clone();
        tasks.push(tokio::spawn(async move { engine::answer(&generator, messages, new_tokens, None).await }));
    }
    let mut runs = Vec::new();
    for task in tasks {
        runs.push(task.await??);
    }
    figures(&runs, begin, &file, &model, !no_lookup)
}

fn figures(runs: &[Run], begin: Instant, file: &Path, model: &str, lookup: bool) -> Result<Value, Failure> {
    let first = runs.first().ok_or("nothing was generated")?;
    let usage = first.usage;
    let wall = runs.iter().map(|run| run.end).max().map_or(0.0, |end| (end - begin).as_secs_f64());
    let generated: usize = runs.iter().map(|run| run.usage.new_tokens).sum();
    let tokens: usize = runs.iter().map(|run| run.usage.prompt_tokens + run.usage.new_tokens).sum();
    let model_bytes = std::fs::metadata(file)?.len();
    let kv_bytes = pack::kv_bytes_per_token(file)? * tokens as u64;
    let peak = peak_rss();
    #[allow(clippy::cast_precision_loss, reason = "a ratio of sizes")]
    let by_ideal = peak.map(|peak| peak as f64 / (model_bytes + kv_bytes) as f64);
    Ok(json!({
        "model": model,
        "prompt_tokens": usage.prompt_tokens,
        "new_tokens": usage.new_tokens,
        "concurrency": runs.len(),
        "lookup": lookup,
        "drafted_tokens": runs.iter().map(|run| run.usage.drafted_tokens).sum::<usize>(),
        "accepted_tokens": runs.iter().map(|run| run.usage.accepted_tokens).sum::<usize>(),
        "prefill_tokens_per_s": rate(usage.prompt_tokens - usage.reused_tokens, usage.prefill.as_secs_f64()),
        "decode_tokens_per_s": rate(usage.new_tokens.saturating_sub(1), usage.decode.as_secs_f64()),
        "ttft_ms": (first.first - begin).as_secs_f64() * 1000.0,
        "aggregate_tokens_per_s": rate(generated, wall),
        "batch_decode_tokens_per_s": batch_decode(runs),
        "model_bytes": model_bytes,
        "kv_bytes": kv_bytes,
        "peak_rss_bytes": peak,
        "peak_rss_by_model_and_kv": by_ideal,
    }))
}

/// Tokens a second of all answers together from the moment when the last of them has begun: no prompt is read in that
/// time. With a queue in place of a batch only the last answer is left by then.
fn batch_decode(runs: &[Run]) -> f64 {
    let (Some(all_begun), Some(end)) = (runs.iter().map(|run| run.first).max(), runs.iter().map(|run| run.end).max())
    else {
        return 0.0;
    };
    let tokens = |run: &Run| {
        let before = run.texts.iter().filter(|at| **at <= all_begun).count();
        // A text may hold several tokens, and a token may show no text: what was shown stands for a share of them.
        let share = (run.texts.len() - before) * run.usage.new_tokens;
        share.checked_div(run.texts.len()).unwrap_or(0)
    };
    rate(runs.iter().map(tokens).sum(), (end - all_begun).as_secs_f64())
}

/// A prompt of very nearly `tokens` tokens that asks for a long answer.
fn prompt(generator: &Generator, words: &Words, skip: usize, tokens: usize) -> Result<Vec<Message>, ModelError> {
    let messages = |text: &str| vec![Message::user(format!("{TASK}{text}"))];
    let text = words.of_tokens(skip, tokens, |text| generator.count_prompt_tokens(&messages(text)))?;
    Ok(messages(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use inference::{FinishReason, Usage};
    use std::time::Duration;

    #[test]
    fn only_what_is_written_after_the_last_beginning_counts() {
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        let run = |seconds: &[u64]| Run {
            usage: Usage {
                finish: FinishReason::Length,
                prompt_tokens: 9,
                reused_tokens: 0,
                new_tokens: seconds.len(),
                drafted_tokens: 0,
                accepted_tokens: 0,
                prefill: Duration::ZERO,
                decode: Duration::ZERO,
            },
            first: at(seconds[0]),
            texts: seconds.iter().map(|second| at(*second)).collect(),
            end: at(seconds[seconds.len() - 1]),
        };
        // Both write from second 3 to 6: three tokens each in three seconds.
        let together = batch_decode(&[run(&[1, 2, 3, 4, 5, 6]), run(&[3, 4, 5, 6])]);
        assert!((together - 2.0).abs() < 1e-9, "{together}");
        // One after the other: the second alone.
        let queued = batch_decode(&[run(&[1, 2]), run(&[5, 6])]);
        assert!((queued - 1.0).abs() < 1e-9, "{queued}");
    }
}
