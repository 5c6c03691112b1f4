//! Model packs: unpacked into quarantine, from where they go through every check of an import.

use super::{Done, as_the_service, described, record};
use crate::site::{Failure, Site};
use ::models::By;
use audit::Actor;
use inference::pack::inspect;
use operations::bundle::{InForce, Kind, Package};
use recognize::Pack;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;

pub(super) async fn apply(site: &Site, package: &Package) -> Result<Done, Failure> {
    as_the_service(&site.data)?;
    let quarantine = site.data.join("bundles/quarantine").join(&package.id[..32]);
    let bar = crate::progress::bytes_bar();
    let unpacked = package.unpack(&quarantine, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    unpacked?;
    let tops: BTreeSet<&str> =
        package.manifest.members.iter().filter_map(|member| member.name.split('/').next()).collect();
    let (models, by) =
        (crate::commands::model::models(site), By { actor: Actor::console(), operation: site.operation() });
    // All or nothing: a bundle that is half in force could neither be applied again nor rolled back. So each is looked at
    // before the first one is taken.
    let mut refused = Vec::new();
    for top in &tops {
        let path = quarantine.join(top);
        let name = top.strip_suffix(".gguf").unwrap_or(top);
        if Pack::is_at(&path) {
            continue;
        }
        if models.find(name).await.is_ok() {
            refused.push(format!(
                "{top}: there is a model '{name}' already; remove it first, or bring this one under another name"
            ));
        } else if let Err(error) = tokio::task::spawn_blocking(move || inspect(&path)).await? {
            refused.push(format!("{top}: {error}"));
        }
    }
    if !refused.is_empty() {
        let _ = fs::remove_dir_all(&quarantine);
        return Err(refused.join("; ").into());
    }
    let vouched = format!("signed bundle {} by key {}", package.id, package.manifest.key);
    let mut names = Vec::new();
    for top in tops {
        let path = quarantine.join(top);
        if Pack::is_at(&path) {
            match crate::commands::model::import_recognition(site, &path).await {
                Ok(()) => names.push("text recognition".to_owned()),
                Err(error) => refused.push(format!("{top}: {error}")),
            }
            continue;
        }
        match models.import_accepted(&path, None, Some(&vouched), &by).await {
            Ok(model) => names.push(model.name),
            Err(error) => refused.push(format!("{top}: {error}")),
        }
    }
    if !refused.is_empty() {
        // What can still go wrong here is the disk.
        for name in &names {
            let _ = models.remove(name, &by).await;
        }
        let _ = fs::remove_dir_all(&quarantine);
        return Err(refused.join("; ").into());
    }
    record::applied(site, package, json!(names)).await?;
    let _ = fs::remove_dir_all(&quarantine);
    let sentence = format!(
        "imported {}; 'carrel model load' tries one, 'carrel model promote' takes it into use",
        names.join(", ")
    );
    Ok(Done { value: described(package), sentence })
}

pub(super) async fn rollback(site: &Site, entry: &InForce) -> Result<Done, Failure> {
    let names: Vec<String> = serde_json::from_value(entry.before.clone())?;
    let (models, by) =
        (crate::commands::model::models(site), By { actor: Actor::console(), operation: site.operation() });
    // First whether all may go: one that is in use keeps the others.
    for name in &names {
        if let Ok(model) = models.find(name).await {
            models.removable(&model)?;
        }
    }
    for name in &names {
        if models.find(name).await.is_ok() {
            models.remove(name, &by).await?;
        }
    }
    record::rolled_back(site, Kind::Models, entry, json!({ "removed": names })).await?;
    let sentence = format!("models {} is rolled back: {} removed", entry.version, names.join(", "));
    Ok(Done { value: json!({ "kind": "models", "rolled_back": entry.version, "removed": names }), sentence })
}
