//! `carrel tls`

use crate::Outcome;
use crate::config::Configuration;

#[derive(Clone, Copy, clap::Subcommand)]
pub(crate) enum Command {
    /// Print the SHA-256 of the server's certificate, as browsers show it
    Fingerprint,
}

pub(crate) fn run(command: Command, configuration: &Configuration) -> Outcome {
    let Command::Fingerprint = command;
    println!("{}", configuration.tls.fingerprint(&configuration.data)?);
    Ok(())
}
