//! The top of the repository: what a newcomer sees first stays as small as the design made it.

use crate::{assert_none, root};

const FIXED: &[&str] =
    &["Cargo.toml", "README.md", "crates", "templates", "static", "migrations", "appliance", "tests", "docs"];

const ALSO: &[&str] =
    &["Cargo.lock", "models.lock", "deny.toml", "clippy.toml", "rustfmt.toml", "rust-toolchain.toml", "LICENSE"];

/// Left there by builds and by a server that runs; git ignores them.
const IGNORED: &[&str] = &["target", "data"];

#[test]
fn the_top_level_is_the_one_of_the_design() {
    let entries = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = entries.filter(|name| !name.starts_with('.')).collect();
    let missing = FIXED.iter().filter(|fixed| names.iter().all(|name| name != *fixed));
    let mut faults: Vec<_> = missing.map(|fixed| format!("{fixed} is missing")).collect();
    let known = |name: &str| [FIXED, ALSO, IGNORED].iter().any(|list| list.contains(&name));
    faults.extend(names.iter().filter(|name| !known(name)).map(|name| format!("{name} belongs elsewhere")));
    assert_none("the top level of the repository", &faults);
}
