//! `carrel audit`

mod export;
mod heads;
mod holds;
mod replay;
mod verify;

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;
use crate::site::Site;
use ::audit::{EventHash, Head};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Write the log to a file; only jsonl can be verified
    Export(export::Arguments),
    /// Check an exported file; needs no server and no database
    Verify {
        /// The exported file
        file: PathBuf,
        /// The appliance's public key (PEM), kept apart from the export
        #[arg(long, value_name = "PUB")]
        key: Option<PathBuf>,
        /// A head or checkpoint that was kept from earlier: the file must be complete from there on
        #[arg(long, value_name = "OLDHEAD")]
        head: Option<PathBuf>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print the signed head of the log, to be kept elsewhere
    Head,
    /// Sign a checkpoint over all events, if there is none yet, and print it, to be kept elsewhere
    Checkpoint {
        /// Write it to this file instead, such as on a USB stick
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Print the public key that heads are signed with
    Key,
    /// Make another signing key; the log holds the old key's signature over it
    RotateKey,
    /// Prove that the log holds an event, or with --since that an older checkpoint is its beginning
    Prove {
        /// The event's number
        #[arg(value_name = "ID", required_unless_present = "since")]
        event: Option<u64>,
        /// The file with the older checkpoint
        #[arg(long, value_name = "CHECKPOINT", conflicts_with = "event")]
        since: Option<PathBuf>,
        /// Write the proof to this file
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Check a proof; needs no server and no database
    VerifyProof {
        /// The file with the proof
        file: PathBuf,
        /// The appliance's public key (PEM)
        #[arg(long, value_name = "PUB")]
        key: Option<PathBuf>,
    },
    /// Write an answer again from its record and say what differs
    Replay {
        /// The answer's record, as its page names it
        #[arg(value_name = "ANSWER_ID")]
        answer: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Remove the contents that the configured rules of retention let go
    Purge {
        /// Only say how many there are
        #[arg(long)]
        dry_run: bool,
    },
    /// Legal holds, which beat purging
    #[command(subcommand)]
    Hold(holds::Command),
    /// Print the JSON schema of exported events
    Schema,
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    match command {
        Command::Verify { file, key, head, json } => verify::file(&file, key.as_deref(), head.as_deref(), json),
        Command::VerifyProof { file, key } => verify::proof(&file, key.as_deref()),
        Command::Export(arguments) => export::run(arguments, &Site::open(configuration).await?).await,
        Command::Head => {
            let site = Site::open(configuration).await?;
            let (count, hash) = site.store.audit_last().await?.unwrap_or((0, EventHash::GENESIS));
            let head = Head::sign(&site.signing_key()?, count, hash, site.store.environment().now());
            print_json(&json!({ "head": head }));
            Ok(())
        }
        Command::Key => {
            print!("{}", Site::open(configuration).await?.signing_key()?.public().to_pem());
            Ok(())
        }
        Command::Checkpoint { output } => heads::checkpoint(&Site::open(configuration).await?, output.as_deref()).await,
        Command::RotateKey => heads::rotate(&Site::open(configuration).await?).await,
        Command::Prove { event, since, output } => {
            heads::prove(&Site::open(configuration).await?, event, since.as_deref(), output.as_deref()).await
        }
        Command::Replay { answer, json } => replay::run(&Site::open(configuration).await?, &answer, json).await,
        Command::Purge { dry_run } => holds::purge(&Site::open(configuration).await?, dry_run).await,
        Command::Hold(command) => holds::run(command, &Site::open(configuration).await?).await,
        Command::Schema => {
            print!("{}", ::audit::schema::text());
            Ok(())
        }
    }
}

/// What a file holds, or a sentence that names it.
fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes `text` to the file, or prints it.
fn give(text: &str, output: Option<&Path>) -> Outcome {
    match output {
        Some(path) => {
            std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
            println!("wrote {}", path.display());
        }
        None => print!("{text}"),
    }
    Ok(())
}
