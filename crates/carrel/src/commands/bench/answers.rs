//! `carrel bench answers` and `carrel bench second-question`: the prompts that people's questions really make, put to
//! the model in use. Nothing is recorded: nobody is shown anything.

use super::engine;
use super::{peak_rss, percentile, rate};
use crate::commands::eval::lines;
use crate::config::Configuration;
use crate::site::{Failure, Site};
use answer::Wishes;
use inference::{Generator, Message, ModelKind};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// JSONL: question, answerable
    #[arg(long, value_name = "FILE")]
    questions: PathBuf,
    /// Whose eyes
    #[arg(long)]
    user: String,
    /// Questions asked at most
    #[arg(long, default_value_t = 8)]
    limit: usize,
    /// Draft no tokens from the prompt
    #[arg(long)]
    no_lookup: bool,
    /// Print one JSON object (it always does)
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Item {
    question: String,
    answerable: bool,
}

/// Words enough to have seen the first one.
const FIRST_WORDS: usize = 4;

/// A loaded model, and prompts: of each question over its own passages, and of the next question over the same ones.
struct Material {
    generator: Generator,
    prompts: Vec<[Vec<Message>; 2]>,
    answer_tokens: usize,
}

impl Material {
    async fn prepare(arguments: &Arguments, configuration: &Configuration) -> Result<Self, Failure> {
        let items: Vec<Item> = lines(&arguments.questions)?;
        let asked: Vec<&Item> = items.iter().filter(|item| item.answerable).collect();
        let site = Site::open(configuration).await?;
        let (_, scope) = site.eyes_of(&arguments.user).await?;
        let retrieval = site.own_retrieval().await?;
        let answering = site.answering(&retrieval, None).await?;
        let mut prompts = Vec::new();
        for (item, next) in asked.iter().zip(asked.iter().cycle().skip(1)).take(arguments.limit) {
            let (sources, _) = answering.judged(&item.question, &scope).await?;
            prompts.push([item, next].map(|item| answer::messages(&item.question, &sources, &Wishes::default())));
        }
        let missing = "no generation model is in use here; import one with 'carrel model import'";
        let model = site.store.active_model(ModelKind::Generate.as_str()).await?.ok_or(missing)?;
        let (file, limits) = (site.data.join(model.file), &configuration.generate);
        let generator = engine::load(&file, limits, limits.context_tokens, 1, !arguments.no_lookup).await?;
        Ok(Self { generator, prompts, answer_tokens: configuration.answer.answer_tokens })
    }
}

/// Tokens a second of whole answers, one after another, nothing of one reused for the next.
pub(super) async fn answers(arguments: Arguments, configuration: &Configuration) -> Result<Value, Failure> {
    let Material { generator, prompts, answer_tokens } = Material::prepare(&arguments, configuration).await?;
    let (mut read, mut written, mut prefill, mut decode) = (0, 0, 0.0, 0.0);
    let (mut drafted, mut accepted) = (0, 0);
    let mut first_words = Vec::new();
    for [prompt, _] in &prompts {
        let begin = Instant::now();
        let run = engine::answer(&generator, prompt.clone(), answer_tokens, None).await?;
        first_words.push((run.first - begin).as_secs_f64() * 1000.0);
        read += run.usage.prompt_tokens;
        prefill += run.usage.prefill.as_secs_f64();
        written += run.usage.new_tokens.saturating_sub(1);
        decode += run.usage.decode.as_secs_f64();
        drafted += run.usage.drafted_tokens;
        accepted += run.usage.accepted_tokens;
    }
    Ok(json!({
        "questions": prompts.len(),
        "lookup": !arguments.no_lookup,
        "drafted_tokens": drafted,
        "accepted_tokens": accepted,
        "prompt_tokens": read,
        "new_tokens": written,
        "prefill_tokens_per_s": rate(read, prefill),
        "decode_tokens_per_s": rate(written, decode),
        "ttft_ms": { "p50": percentile(&mut first_words, 50) },
        "peak_rss_bytes": peak_rss(),
    }))
}

/// Time to the first word of a second question over the passages of a first, and of the same one asked first.
pub(super) async fn second_question(arguments: Arguments, configuration: &Configuration) -> Result<Value, Failure> {
    let Material { generator, prompts, .. } = Material::prepare(&arguments, configuration).await?;
    let (mut second, mut cold) = (Vec::new(), Vec::new());
    for (pair, [first, next]) in prompts.iter().enumerate() {
        // Each pair has a key of its own, and the cold run another: nothing is shared but what is to be measured.
        let key = |number: usize| Some(2 * pair as u64 + number as u64);
        engine::answer(&generator, first.clone(), FIRST_WORDS, key(0)).await?;
        for (times, key) in [(&mut second, key(0)), (&mut cold, key(1))] {
            let begin = Instant::now();
            let run = engine::answer(&generator, next.clone(), FIRST_WORDS, key).await?;
            times.push((run.first - begin).as_secs_f64() * 1000.0);
        }
    }
    let [second, cold] = [&mut second, &mut cold].map(|times| percentile(times, 50));
    Ok(json!({
        "pairs": prompts.len(),
        "second_ms": second,
        "cold_ms": cold,
        "ratio": if cold > 0.0 { second / cold } else { 0.0 },
    }))
}
