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
    let retrieval = site.own_retrieval().await?;
    let progress = crate::progress::bar(0, "documents");
    let report = |rebuilt: ingest::Rebuilt| {
        progress.set_length(rebuilt.documents);
        progress.set_position(rebuilt.documents);
    };
    let rebuilt = retrieval.publisher.rebuild(report, &Actor::console(), site.operation()).await?;
    progress.finish_and_clear();
    println!("{} documents with {} passages are in the index", rebuilt.documents, rebuilt.passages);
    Ok(())
}
