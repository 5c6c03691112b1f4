//! `carrel audit`

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;
use crate::site::Site;
use ::audit::export::Format;
use ::audit::{Action, Actor, Event, EventHash, Head, PublicKey};
use serde_json::json;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Write the log to a file; only jsonl can be verified
    Export {
        /// jsonl, csv, cef or syslog
        #[arg(long, default_value = "jsonl")]
        format: Format,
        /// The file
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Check an exported file; needs no server and no database
    Verify {
        /// The exported file
        file: PathBuf,
        /// The appliance's public key (PEM), kept apart from the export
        #[arg(long, value_name = "PUB")]
        key: Option<PathBuf>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print the signed head of the log, to be kept elsewhere
    Head,
    /// Print the public key that heads are signed with
    Key,
}

pub(crate) async fn run(command: Command, configuration: &Configuration) -> Outcome {
    match command {
        Command::Verify { file, key, json } => verify(&file, key.as_deref(), json),
        Command::Export { format, output } => export(configuration, format, &output).await,
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
    }
}

async fn export(configuration: &Configuration, format: Format, output: &Path) -> Outcome {
    let site = Site::open(configuration).await?;
    let key = site.signing_key()?;
    let mut act = site.store.begin().await?;
    let event = Event::new(Action::AuditExported, &Actor::console(), site.operation());
    act.record(event.detail(json!({ "format": format.as_str() }))).await?;
    act.commit().await?;
    let file = File::create(output).map_err(|error| format!("{}: {error}", output.display()))?;
    let filter = storage::AuditFilter::default();
    let mut writer = site.store.export_audit(format, &filter, &key, BufWriter::new(file)).await?;
    writer.flush()?;
    println!("wrote {}", output.display());
    Ok(())
}

fn verify(file: &Path, key: Option<&Path>, json: bool) -> Outcome {
    let key = match key {
        Some(path) => {
            let pem = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Some(PublicKey::from_pem(&pem)?)
        }
        None => None,
    };
    let reader = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    match ::audit::verify::verify(BufReader::new(reader), key.as_ref()) {
        Ok(verified) => {
            if json {
                print_json(&json!({
                    "intact": true,
                    "entries": verified.entries,
                    "first": verified.first,
                    "last": verified.last,
                    "key_given": verified.key_given,
                    "head": verified.head,
                }));
            } else {
                println!("intact: {} events, none edited, dropped, added or moved", verified.entries);
                if !verified.key_given {
                    println!(
                        "the signature was checked with the key inside the file; give the appliance's own with --key"
                    );
                }
            }
            Ok(())
        }
        Err(fault) => {
            if json {
                print_json(&json!({
                    "intact": false,
                    "line": fault.line,
                    "sequence": fault.sequence,
                    "fault": fault.to_string(),
                }));
            }
            Err(fault.into())
        }
    }
}
