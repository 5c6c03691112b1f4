//! `carrel directory`

use crate::Outcome;
use crate::config::Configuration;
use crate::site::Site;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Ask the directory for what the configuration names: whether it answers, whom it finds, which groups there are
    Check,
    /// Compare all accounts of the directory with it now, and close those that it no longer has
    Sync,
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    let site = Site::open(configuration).await?;
    match command {
        Command::Check => {
            let found = site.identity.look_at_directory().await?;
            println!("it answers, and finds {} people", found.people);
            let mut missing = 0;
            for (dn, members) in &found.groups {
                match members {
                    Some(members) => println!("{dn}: names {members} members itself"),
                    None => {
                        missing += 1;
                        println!("{dn}: there is no such group");
                    }
                }
            }
            if missing > 0 {
                return Err(format!("{missing} groups of [[directory.group]] are not there; correct their dn").into());
            }
        }
        Command::Sync => {
            let done = site.identity.synchronise(site.operation()).await?;
            println!("compared {} accounts with the directory, closed {}", done.accounts, done.closed);
        }
    }
    Ok(())
}
