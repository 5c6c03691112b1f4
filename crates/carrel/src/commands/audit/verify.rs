//! `carrel audit verify` and `verify-proof`: with files alone.

use super::read;
use crate::Outcome;
use crate::commands::print_json;
use ::audit::proof::Proof;
use ::audit::verify::{Known, verify_against};
use ::audit::{Kept, PublicKey};
use serde_json::json;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

fn key(path: Option<&Path>) -> Result<Option<PublicKey>, Box<dyn std::error::Error>> {
    path.map(|path| Ok::<_, Box<dyn std::error::Error>>(PublicKey::from_pem(&read(path)?)?)).transpose()
}

pub(super) fn file(file: &Path, public: Option<&Path>, head: Option<&Path>, json: bool) -> Outcome {
    let public = key(public)?;
    let kept = match head {
        Some(path) => Some(Kept::parse(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))?),
        None => None,
    };
    let reader = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let known = Known { key: public.as_ref(), kept: kept.as_ref() };
    match verify_against(BufReader::with_capacity(1 << 20, reader), known) {
        Ok(verified) => {
            if json {
                print_json(&json!({
                    "intact": true,
                    "entries": verified.entries,
                    "first": verified.first,
                    "last": verified.last,
                    "purged": verified.purged,
                    "rotations": verified.rotations,
                    "since": verified.since,
                    "key_given": verified.key_given,
                    "head": verified.head,
                }));
                return Ok(());
            }
            println!("intact: {} events, none edited, dropped, added or moved", verified.entries);
            if let Some(since) = verified.since {
                println!("complete: nothing is missing between the kept head, at event {since}, and the file's own");
            }
            if let Some(first) = verified.first.filter(|first| *first > 1) {
                println!("an extract: it begins with event {first}");
            }
            if verified.purged > 0 {
                println!("of {} events only the hashes are left, by the rules of retention", verified.purged);
            }
            if verified.rotations > 0 {
                println!("signing keys that the old key handed over to: {}", verified.rotations);
            }
            if !verified.key_given {
                println!("the signature was checked with the key inside the file; give the appliance's own with --key");
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

pub(super) fn proof(file: &Path, public: Option<&Path>) -> Outcome {
    let public = key(public)?;
    let proof = Proof::parse(&read(file)?)?;
    proof.verify(public.as_ref())?;
    match &proof {
        Proof::Inclusion(proof) => {
            let (entry, checkpoint) = (&proof.entry, &proof.checkpoint);
            println!("proved: event {} of the {} events signed {}", entry.sequence, checkpoint.size, checkpoint.at);
            println!("  {} by {}, {}", entry.event.action, entry.event.actor.name, entry.at);
        }
        Proof::Consistency(proof) => {
            let (older, newer) = (&proof.older, &proof.checkpoint);
            println!(
                "proved: the {} events signed {} are the first of the {} signed {}",
                older.size, older.at, newer.size, newer.at
            );
        }
    }
    if public.is_none() {
        println!("the signature was checked with the key inside the file; give the appliance's own with --key");
    }
    Ok(())
}
