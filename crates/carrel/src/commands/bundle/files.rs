//! Vocabulary, lists of revoked certificates and of refused passwords: files in the places where the server looks for them,
//! checked as it would, the one before kept.

use super::{Done, as_the_service, described, record};
use crate::config::Configuration;
use crate::site::{Failure, Site};
use domain::Environment;
use operations::bundle::{InForce, Kind, Package, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// A file that was put into its place, and where the one before it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Placed {
    at: PathBuf,
    kept: Option<PathBuf>,
}

/// Where a member belongs.
fn place(configuration: &Configuration, kind: Kind, name: &str) -> Result<PathBuf, Refusal> {
    let (setting, configured) = match (kind, name) {
        (Kind::Lists, "glossary.csv") if configuration.search.glossary.is_none() => {
            return Ok(configuration.usual_glossary());
        }
        (Kind::Lists, "glossary.csv" | "glossary.toml") => ("search.glossary", &configuration.search.glossary),
        (Kind::Crl, "people.crl") => ("tls.client_crl", &configuration.tls.client_crl),
        (Kind::Passwords, "passwords.txt") => return Ok(configuration.refused_passwords()),
        _ => return Err(Refusal::Kind(format!("a bundle of the kind '{kind}' does not hold '{name}'"))),
    };
    let unset = || {
        let data = configuration.data.display();
        Refusal::Unsound(format!(
            "{setting} names no file; set it, such as to {data}/lists/{name}, and apply this again"
        ))
    };
    let path = configured.clone().ok_or_else(unset)?;
    if path.extension() != Path::new(name).extension() && kind == Kind::Lists {
        return Err(Refusal::Unsound(format!("{setting} names {}, and the bundle holds '{name}'", path.display())));
    }
    Ok(path)
}

/// As the server would read it.
fn sound(kind: Kind, file: &Path) -> Result<(), Refusal> {
    let unsound = |error: &dyn std::fmt::Display| Refusal::Unsound(error.to_string());
    if kind == Kind::Passwords {
        return crate::sign_in::refused_passwords(file).map(|_| ()).map_err(|error| unsound(&error));
    }
    if kind == Kind::Lists {
        return crate::glossary::read(file).map(|_| ()).map_err(|error| unsound(&error));
    }
    match listen::revocation_ends(file).map_err(|error| unsound(&error))? {
        Some(end) if end <= Environment::system().now() => Err(Refusal::Unsound(format!(
            "the list of revoked certificates ended on {end:.0}: with it nobody could sign in"
        ))),
        _ => Ok(()),
    }
}

pub(super) async fn apply(site: &Site, configuration: &Configuration, package: &Package) -> Result<Done, Failure> {
    as_the_service(&configuration.data)?;
    let kind = package.manifest.kind;
    let places: Result<Vec<PathBuf>, Refusal> =
        package.manifest.members.iter().map(|member| place(configuration, kind, &member.name)).collect();
    let places = places?;
    let incoming = configuration.data.join("bundles/incoming").join(&package.id[..32]);
    package.unpack(&incoming, &|_, _| {})?;
    for member in &package.manifest.members {
        sound(kind, &incoming.join(&member.name))?;
    }
    let kept = configuration.data.join("bundles/kept").join(kind.as_str());
    let _ = fs::remove_dir_all(&kept);
    fs::create_dir_all(&kept)?;
    let mut placed = Vec::new();
    for (member, at) in package.manifest.members.iter().zip(places) {
        let before = kept.join(&member.name);
        let had = at.is_file();
        if had {
            fs::copy(&at, &before)?;
        }
        put(&incoming.join(&member.name), &at)?;
        placed.push(Placed { at, kept: had.then_some(before) });
    }
    record::applied(site, package, json!(placed)).await?;
    let _ = fs::remove_dir_all(&incoming);
    let when = match kind {
        Kind::Crl => "the server takes it up within seconds",
        _ => "the server takes it up at its next start",
    };
    let sentence = format!("{kind} {} is in force: {when}", package.manifest.version);
    Ok(Done { value: described(package), sentence })
}

pub(super) async fn rollback(
    site: &Site,
    configuration: &Configuration,
    kind: Kind,
    entry: &InForce,
) -> Result<Done, Failure> {
    let placed: Vec<Placed> = serde_json::from_value(entry.before.clone())?;
    // What the configuration does not name is not missed.
    let unnamed = kind == Kind::Passwords || (kind == Kind::Lists && configuration.search.glossary.is_none());
    for Placed { at, kept } in &placed {
        match kept {
            Some(kept) => put(kept, at)?,
            None if unnamed => fs::remove_file(at)?,
            None => {
                return Err(
                    format!("there was no {} before; take it out of the configuration instead", at.display()).into()
                );
            }
        }
    }
    record::rolled_back(site, kind, entry, json!(placed)).await?;
    let sentence = format!("{kind} {} is rolled back: the files before are in their place again", entry.version);
    Ok(Done { value: json!({ "kind": kind, "rolled_back": entry.version }), sentence })
}

/// Beside its place first, so that whoever reads finds one or the other whole.
fn put(from: &Path, to: &Path) -> Result<(), Refusal> {
    let failed = |source| Refusal::File { path: to.to_owned(), source };
    let draft = to.with_extension("new");
    if let Some(above) = to.parent() {
        fs::create_dir_all(above).map_err(failed)?;
    }
    fs::copy(from, &draft).map_err(failed)?;
    fs::File::open(&draft).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(&draft, to).map_err(failed)
}
