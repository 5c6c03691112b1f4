//! `carrel eval`: how good retrieval and answers are, on a set of questions.

mod answer_set;
mod answers;
mod baseline;
mod beir;
mod calibrate;
mod retrieval;
mod scratch;
mod tally;

pub(crate) use answer_set::AnswerSet;
pub(crate) use answers::ask;
pub(crate) use beir::lines;
pub(crate) use scratch::{READER, site as scratch_site};
pub(crate) use tally::Tally;

use crate::Outcome;
use crate::config::Configuration;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Retrieval on a set in BEIR format (corpus.jsonl, queries.jsonl, qrels.tsv)
    Retrieval(retrieval::Arguments),
    /// Answers on questions about the documents of this data directory, or about those that come with the set
    Answers(answers::Arguments),
    /// From measured answers to what refusal goes by
    Calibrate(calibrate::Arguments),
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    match command {
        Command::Retrieval(arguments) => retrieval::run(arguments, configuration).await,
        Command::Answers(arguments) => answers::run(arguments, configuration).await,
        Command::Calibrate(arguments) => calibrate::run(&arguments),
    }
}
