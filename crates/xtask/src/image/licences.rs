//! The crates that are built into the server, and the licence texts that come with them.

use crate::failure::{Context, Failure, Result};
use crate::workspace::Workspace;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A crate as cargo describes it.
#[derive(Debug, Clone, Deserialize)]
pub struct Crate {
    pub name: String,
    pub version: String,
    /// An SPDX expression.
    pub license: Option<String>,
    pub manifest_path: PathBuf,
    pub id: String,
    /// Where it is from; none for our own.
    pub source: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// The crates of others that the server is built with, in the order of their names.
pub fn crates(workspace: &Workspace) -> Result<Vec<Crate>> {
    let mut cargo = workspace.cargo(&["metadata", "--format-version", "1", "--locked"]);
    cargo.args(["--filter-platform", &format!("{}-unknown-linux-gnu", std::env::consts::ARCH)]);
    let output = cargo.stderr(Stdio::inherit()).output().context(|| "cannot run cargo metadata".to_owned())?;
    if !output.status.success() {
        return Err(Failure::new("cargo metadata failed; see above"));
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context(|| "cannot read cargo metadata".to_owned())?;
    Ok(reached(metadata, "carrel"))
}

/// What `root` needs when it runs: no crates for tests, and none that only build others.
fn reached(metadata: Metadata, root: &str) -> Vec<Crate> {
    let nodes: BTreeMap<&str, &Node> = metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let ours = metadata.packages.iter().filter(|package| package.name == root && package.source.is_none());
    let mut waiting: Vec<&str> = ours.map(|package| package.id.as_str()).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if !seen.insert(id.to_owned()) {
            continue;
        }
        let dependencies = nodes.get(id).map(|node| node.deps.as_slice()).unwrap_or_default();
        let normal =
            dependencies.iter().filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()));
        waiting.extend(normal.map(|dependency| dependency.pkg.as_str()));
    }
    let mut crates = metadata.packages;
    crates.retain(|package| package.source.is_some() && seen.contains(&package.id));
    crates.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    crates
}

/// Copies the licence texts into the folder, a folder a crate, with a list of what is under which terms.
pub fn collect(workspace: &Workspace, folder: &Path) -> Result<()> {
    let mut list = String::new();
    for package in crates(workspace)? {
        let name = format!("{}-{}", package.name, package.version);
        list += &format!("{name}\t{}\n", package.license.as_deref().unwrap_or("see its folder"));
        let Some(source) = package.manifest_path.parent() else { continue };
        let texts = fs::read_dir(source).context(|| format!("cannot read {}", source.display()))?;
        for text in texts.filter_map(|entry| entry.ok()).filter(|entry| entry.path().is_file()) {
            let file = text.file_name().to_string_lossy().to_uppercase();
            if ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"].iter().any(|word| file.starts_with(word)) {
                let to = folder.join(&name);
                let copied = fs::create_dir_all(&to).and_then(|()| fs::copy(text.path(), to.join(text.file_name())));
                copied.context(|| format!("cannot copy the licence of {name}"))?;
            }
        }
    }
    let file = folder.join("crates.tsv");
    fs::write(&file, list).context(|| format!("cannot write {}", file.display()))?;
    let own = workspace.path("LICENSE");
    fs::copy(&own, folder.join("LICENSE")).context(|| format!("cannot copy {}", own.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_of_tests_and_builds_are_left_out() {
        let package = |name: &str, source: &str| {
            format!(
                r#"{{"name":"{name}","version":"1.0.0","license":"MIT","manifest_path":"/x/Cargo.toml","id":"{name}","source":{source}}}"#
            )
        };
        let text = format!(
            r#"{{"packages":[{},{},{},{}],"resolve":{{"nodes":[
                {{"id":"carrel","deps":[{{"pkg":"a","dep_kinds":[{{"kind":null}}]}},{{"pkg":"t","dep_kinds":[{{"kind":"dev"}}]}}]}},
                {{"id":"a","deps":[{{"pkg":"b","dep_kinds":[{{"kind":"build"}},{{"kind":null}}]}}]}},
                {{"id":"b","deps":[]}},{{"id":"t","deps":[]}}]}}}}"#,
            package("carrel", "null"),
            package("b", "\"r\""),
            package("a", "\"r\""),
            package("t", "\"r\"")
        );
        let names: Vec<String> =
            reached(serde_json::from_str(&text).unwrap(), "carrel").into_iter().map(|package| package.name).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
