//! Checkpoints, proofs from them, and the key that signs them.

use super::{give, read};
use crate::Outcome;
use crate::lock::IndexLock;
use crate::site::Site;
use ::audit::{Action, Actor, Event, Kept, Rotation, SigningKey};
use serde_json::json;
use std::path::Path;

pub(super) async fn checkpoint(site: &Site, output: Option<&Path>) -> Outcome {
    let checkpoint = site.store.checkpoint(&site.signing_key()?).await?;
    give(&format!("{}\n", checkpoint.to_json()), output)
}

/// The new key is on the disk before the log names it, and takes its place after: whatever happens in between, one of the
/// two files is the key that the log names last, and `Site::finish_rotation` puts that one into its place.
pub(super) async fn rotate(site: &Site) -> Outcome {
    // A server holds its key in memory and would go on signing with the old one.
    let _alone = IndexLock::acquire(&site.data)?.ok_or("a server runs on this data directory; stop it first")?;
    let old = site.signing_key()?;
    site.store.checkpoint(&old).await?;
    let next = site.next_key_path();
    if next.exists() {
        std::fs::remove_file(&next)?;
    }
    let new = SigningKey::create_at(&next, site.store.environment())?;
    let mut act = site.store.begin().await?;
    let event = Event::new(Action::AuditKeyRotated, &Actor::console(), site.operation());
    act.record(event.detail(Rotation::detail(&old, &new.public()))).await?;
    act.commit().await?;
    site.finish_rotation().await?;
    let now = site.signing_key()?;
    site.store.checkpoint(&now).await?;
    println!("the log is signed by another key from now on: {}", now.public());
    println!("keep its public half where auditors find it: carrel audit key");
    println!("who has the old one can go on with it: exports hold its signature over the new one");
    Ok(())
}

pub(super) async fn prove(site: &Site, event: Option<u64>, since: Option<&Path>, output: Option<&Path>) -> Outcome {
    let key = site.signing_key()?;
    let (proof, detail) = match (event, since) {
        (Some(event), _) => {
            let proof = site.store.prove_event(event, &key).await?;
            (json!(proof), json!({ "event": event, "size": proof.checkpoint.size }))
        }
        (None, Some(path)) => {
            let Kept::Checkpoint(older) = Kept::parse(&read(path)?)? else {
                let advice = "is a head and has no root; give a checkpoint, or hold an export against the head with 'carrel audit verify --head'";
                return Err(format!("{} {advice}", path.display()).into());
            };
            let size = older.size;
            let proof = site.store.prove_consistency(older, &key).await?;
            (json!(proof), json!({ "since": size, "size": proof.checkpoint.size }))
        }
        (None, None) => return Err("name an event, or an older checkpoint with --since".into()),
    };
    let mut act = site.store.begin().await?;
    act.record(Event::new(Action::AuditProved, &Actor::console(), site.operation()).detail(detail)).await?;
    act.commit().await?;
    give(&format!("{proof}\n"), output)
}
