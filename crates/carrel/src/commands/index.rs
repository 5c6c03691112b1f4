//! `carrel index`

use crate::Outcome;
use crate::config::Configuration;
use crate::site::Site;
use ::audit::Actor;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make the index anew from the database
    Rebuild,
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    let Command::Rebuild = command;
    let site = Site::open(configuration).await?;
    let retrieval = site.retrieval_anew(&Actor::console()).await?;
    let progress = crate::progress::bar(0, "documents");
    let report = |published: ingest::Published| {
        progress.set_length(published.documents);
        progress.set_position(published.documents);
    };
    let published = retrieval.publisher.follow(report).await?;
    progress.finish_and_clear();
    println!("{} documents with {} passages are in the index", published.documents, published.passages);
    Ok(())
}
