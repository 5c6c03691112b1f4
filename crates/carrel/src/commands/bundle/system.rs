//! The root of an appliance: checked here like every bundle, written to the other slot by the appliance's own script,
//! whose last word is the boot loader's (docs/appliance/layout.md).

use super::{Done, described, record};
use crate::config::Configuration;
use crate::site::{Failure, Site};
use operations::bundle::{InForce, Kind, Package, Refusal, require_space};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// Where the appliance keeps its scripts.
const SCRIPTS: &str = "/usr/lib/carrel";

fn script(name: &str) -> Result<Command, Refusal> {
    let file = Path::new(SCRIPTS).join(name);
    if !file.is_file() {
        let sentence = "this is no appliance: a host takes bundles of the kind 'program', or the portable tarball";
        return Err(Refusal::Kind(sentence.to_owned()));
    }
    Ok(Command::new(file))
}

fn run(mut command: Command) -> Result<String, Failure> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned();
    if output.status.success() { Ok(said) } else { Err(said.trim_start_matches("refused: ").to_owned().into()) }
}

pub(super) async fn apply(
    site: &Site,
    configuration: &Configuration,
    package: &Package,
    file: &Path,
) -> Result<Done, Failure> {
    let mut update = script("update")?;
    // The new root migrates a copy of the database at its first start: without room for one it would not be found well.
    require_space(&configuration.data, 2 * std::fs::metadata(configuration.data.join("carrel.db"))?.len())?;
    update.arg(file).env("CARREL_KEYS", configuration.bundles.ring(&configuration.data));
    let said = run(update)?;
    record::applied(site, package, json!({ "slot": "other" })).await?;
    Ok(Done { value: described(package), sentence: said })
}

/// The other slot starts next; what a newer release wrote stays with it, or is refused by the older one with that reason.
pub(super) async fn rollback(site: &Site, entry: &InForce) -> Result<Done, Failure> {
    let mut ask = script("slot")?;
    ask.arg("other");
    let other = run(ask)?;
    let mut wanted = script("slot")?;
    wanted.args(["wanted", &other]);
    run(wanted)?;
    record::rolled_back(site, Kind::System, entry, json!({ "slot": other })).await?;
    let sentence = format!("slot {other} starts after the next restart");
    Ok(Done { value: json!({ "kind": "system", "rolled_back": entry.version, "slot": other }), sentence })
}
