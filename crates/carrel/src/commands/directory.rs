//! `carrel directory`

use crate::Outcome;
use crate::config::Configuration;
use crate::site::Site;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Compare all accounts of the directory with it now, and close those that it no longer has
    Sync,
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    match command {
        Command::Sync => {
            let done = site.identity.synchronise(site.operation()).await?;
            println!("compared {} accounts with the directory, closed {}", done.accounts, done.closed);
        }
    }
    Ok(())
}
