//! What the audit log hears of bundles.

use crate::site::{Failure, Site};
use ::audit::{Action, Actor, Event, Outcome};
use operations::bundle::{InForce, Kind, Ledger, Package, Refusal};
use serde_json::{Value, json};
use std::path::Path;

fn event(site: &Site, action: Action, package: &Package) -> Event {
    let (manifest, id) = (&package.manifest, &package.id);
    let name = format!("{} {}", manifest.kind, manifest.version);
    Event::new(action, &Actor::console(), site.operation()).on("bundle", id, name)
}

/// What a bundle is, for the detail of its events.
pub(super) fn detail(package: &Package) -> Value {
    let manifest = &package.manifest;
    json!({
        "kind": manifest.kind, "version": manifest.version, "sequence": manifest.sequence, "key": manifest.key,
        "keys_added": manifest.keys.add.len(), "keys_removed": manifest.keys.remove,
    })
}

async fn write(site: &Site, event: Event, ledger: Option<&Ledger>) -> Result<(), Failure> {
    let mut act = site.store.begin().await?;
    if let Some(ledger) = ledger {
        ledger.write(&mut act).await?;
    }
    act.record(event).await?;
    Ok(act.commit().await?)
}

pub(super) async fn verified(site: &Site, package: &Package) -> Result<(), Failure> {
    write(site, event(site, Action::BundleVerified, package).detail(detail(package)), None).await
}

/// A refusal; before the signature is checked nothing of the file is believed, so only its place is told.
pub(super) async fn refused(
    site: &Site,
    file: &Path,
    package: Option<&Package>,
    refusal: &Refusal,
) -> Result<(), Failure> {
    let (code, reason) = (refusal.code(), refusal.to_string());
    let event = match package {
        Some(package) => event(site, Action::BundleRefused, package),
        None => Event::new(Action::BundleRefused, &Actor::console(), site.operation()),
    };
    let detail = json!({ "file": file, "code": code, "reason": reason });
    write(site, event.outcome(Outcome::Denied).detail(detail), None).await
}

/// The ledger as it is once this bundle is in force.
pub(super) async fn ledger_with(site: &Site, package: &Package, before: Value) -> Result<Ledger, Failure> {
    let mut ledger = Ledger::read(&site.store).await?;
    let manifest = &package.manifest;
    // What an older one brought back must not let yet older ones in.
    let known = ledger.get(manifest.kind).map_or(0, |entry| entry.sequence);
    let entry = InForce {
        version: manifest.version.clone(),
        sequence: manifest.sequence.max(known),
        id: package.id.clone(),
        applied_at: site.store.environment().now(),
        before,
        rolled_back: false,
    };
    ledger.set(manifest.kind, entry);
    Ok(ledger)
}

pub(super) async fn applied(site: &Site, package: &Package, before: Value) -> Result<(), Failure> {
    let ledger = ledger_with(site, package, before).await?;
    write(site, event(site, Action::BundleApplied, package).detail(detail(package)), Some(&ledger)).await
}

pub(super) async fn rolled_back(site: &Site, kind: Kind, entry: &InForce, more: Value) -> Result<(), Failure> {
    let mut ledger = Ledger::read(&site.store).await?;
    ledger.set(kind, InForce { rolled_back: true, ..entry.clone() });
    let name = format!("{kind} {}", entry.version);
    let event = Event::new(Action::BundleRolledBack, &Actor::console(), site.operation()).on("bundle", &entry.id, name);
    let detail = json!({ "kind": kind, "version": entry.version, "sequence": entry.sequence, "more": more });
    write(site, event.detail(detail), Some(&ledger)).await
}
