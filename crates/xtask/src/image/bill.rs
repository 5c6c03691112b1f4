//! The bill of materials in CycloneDX 1.5: the crates that are in the server. The packages of the root file system are
//! added by appliance/build/system.sh, which knows them.

use super::licences::crates;
use crate::failure::{Context, Result};
use crate::workspace::Workspace;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Writes `bill.json` into the folder.
pub fn write_crates(workspace: &Workspace, version: &str, epoch: &str, folder: &Path) -> Result<PathBuf> {
    let components: Vec<Value> = crates(workspace)?.iter().map(component).collect();
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": { "type": "firmware", "name": "carrel-appliance", "version": version },
            "properties": [{ "name": "carrel:source-date-epoch", "value": epoch }],
        },
        "components": components,
    });
    let file = folder.join("bill.json");
    fs::write(&file, format!("{bill:#}\n")).context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

fn component(package: &super::licences::Crate) -> Value {
    let purl = format!("pkg:cargo/{}@{}", package.name, package.version);
    let mut component = json!({
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
    });
    if let Some(expression) = &package.license {
        // Some old crates write `/` where SPDX has OR.
        component["licenses"] = json!([{ "expression": expression.replace('/', " OR ") }]);
    }
    component
}

#[cfg(test)]
mod tests {
    use super::super::licences::Crate;
    use super::*;

    #[test]
    fn a_crate_is_named_by_its_package_address_and_licence() {
        let package = Crate {
            name: "serde".to_owned(),
            version: "1.0.2".to_owned(),
            license: Some("MIT/Apache-2.0".to_owned()),
            manifest_path: PathBuf::new(),
            id: String::new(),
            source: None,
        };
        let component = component(&package);
        assert_eq!(component["purl"], "pkg:cargo/serde@1.0.2");
        assert_eq!(component["licenses"][0]["expression"], "MIT OR Apache-2.0");
    }
}
