//! The one place through which every apply and every rollback goes before it does anything: where a site wants a second
//! person's word (`approvals.update`), it is asked for here, and spent here.

use crate::config::Configuration;
use crate::second_person::{SecondPerson, permit};
use crate::site::{Failure, Site};
use identity::Wish;
use operations::bundle::{InForce, Kind, Package};

/// Whether this bundle may be put into force now. Agreement is to these very bytes.
pub(super) async fn to_apply(site: &Site, package: &Package, given: &SecondPerson) -> Result<(), Failure> {
    let manifest = &package.manifest;
    let release = format!("{} {}", manifest.kind, manifest.version);
    let summary = format!("Bundle: {release} is put into force");
    agreed(site, release, package.id.clone(), &summary, given).await
}

/// Whether what this bundle replaced may be put back now. The database is opened only where somebody has to agree: a newer
/// release may have written it.
pub(super) async fn to_roll_back(
    configuration: &Configuration,
    kind: Kind,
    entry: &InForce,
    given: &SecondPerson,
) -> Result<(), Failure> {
    if !configuration.approvals.update {
        return Ok(());
    }
    let site = Site::open(configuration).await?;
    let release = format!("back from {kind} {}", entry.version);
    let summary = format!("Bundle: {kind} {} is taken back", entry.version);
    let agreed = agreed(&site, release, entry.id.clone(), &summary, given).await;
    site.store.close().await;
    agreed
}

async fn agreed(
    site: &Site,
    release: String,
    digest: String,
    summary: &str,
    given: &SecondPerson,
) -> Result<(), Failure> {
    let needed = site.identity.update_needs_approval();
    let permit = permit(site, needed, Wish::Update { release, digest }, summary, given).await?;
    permit.take(site).await.map(drop)
}
