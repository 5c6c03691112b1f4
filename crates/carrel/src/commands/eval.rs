//! `carrel eval`: how good retrieval and answers are, on a set of questions.

mod answers;
mod beir;
mod retrieval;

pub(crate) use beir::lines;

use crate::Outcome;
use crate::config::Configuration;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Retrieval on a set in BEIR format (corpus.jsonl, queries.jsonl, qrels.tsv)
    Retrieval(retrieval::Arguments),
    /// Answers on questions about the documents of this data directory
    Answers(answers::Arguments),
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    match command {
        Command::Retrieval(arguments) => retrieval::run(arguments, configuration).await,
        Command::Answers(arguments) => answers::run(arguments, configuration).await,
    }
}
