//! `carrel bench`: speed, each figure measured in this process and printed as one JSON object.

mod answers;
mod embed;
mod engine;
mod generate;
mod search;
mod text;

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// The generation model: prefill, decode, time to first token
    Generate(generate::Arguments),
    /// The embedding model: texts of one length, a batch at a time
    Embed(embed::Arguments),
    /// Hybrid search over this data directory
    Search(search::Arguments),
    /// Answers from passages of this data directory, one after another
    Answers(answers::Arguments),
    /// A second question over the same passages, against the same one asked first
    SecondQuestion(answers::Arguments),
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    let figures = match command {
        Command::Generate(arguments) => generate::run(arguments, configuration).await?,
        Command::Embed(arguments) => embed::run(arguments, configuration).await?,
        Command::Search(arguments) => search::run(arguments, configuration).await?,
        Command::Answers(arguments) => answers::answers(arguments, configuration).await?,
        Command::SecondQuestion(arguments) => answers::second_question(arguments, configuration).await?,
    };
    print_json(&figures);
    Ok(())
}

/// The most memory this process has had, in bytes (Linux: `VmHWM` of /proc/self/status).
pub(crate) fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// `count` a second; 0 when no time has passed.
#[allow(clippy::cast_precision_loss, reason = "counts of tokens and texts")]
fn rate(count: usize, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// The value that `share` percent of `values` lie under; 0 of none.
fn percentile(values: &mut [f64], share: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() * share / 100).copied().unwrap_or(0.0)
}
