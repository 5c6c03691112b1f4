//! What the server's whole dependency tree may not contain: code that could call out. Two modules of ours may, to the
//! engine and to the log collector that a site configures (`sources` tests that no other does); they bring their own
//! connection, so that nothing below them needs to be able to make one.

use crate::{assert_none, root};
use std::process::Command;

/// HTTP clients, foreign TLS stacks, and crates that download while they build or run.
const FORBIDDEN: &[&str] = &[
    "attohttpc",
    "awc",
    "curl",
    "curl-sys",
    "fantoccini",
    "hf-hub",
    "hyper-rustls",
    "hyper-tls",
    "isahc",
    "minreq",
    "native-tls",
    "openssl",
    "openssl-sys",
    "reqwest",
    "surf",
    "tonic",
    "tungstenite",
    "ureq",
    "webbrowser",
];

/// Crates with a connector of their own: it must stay switched off. `hyper` has none, its client speaks over a
/// connection that it is given.
const SERVER_ONLY: &[&str] = &["hyper-util"];

struct Dependency {
    name: String,
    features: Vec<String>,
}

/// What cargo resolves for the binary, with the features that it is really built with. Build scripts and macros
/// count: what runs while we build could call out as well.
fn server_tree() -> Vec<Dependency> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "carrel", "--edges", "normal,build", "--prefix", "none", "--offline"])
        .args(["--format", "{p}|{f}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split_once('|'))
        .map(|(package, features)| Dependency {
            name: package.split(' ').next().unwrap().to_owned(),
            features: features.trim_end_matches(" (*)").split(',').map(str::to_owned).collect(),
        })
        .collect()
}

#[test]
fn nothing_in_the_server_can_call_out() {
    let tree = server_tree();
    for expected in ["carrel", "axum", "hyper"] {
        assert!(tree.iter().any(|dependency| dependency.name == expected), "the tree was not read: no {expected}");
    }
    let mut faults = Vec::new();
    for Dependency { name, features } in &tree {
        if FORBIDDEN.contains(&name.as_str()) {
            faults.push(format!("{name} is in the server's dependency tree (`cargo tree -p carrel -i {name}`)"));
        }
        let client = features.iter().find(|feature| feature.starts_with("client"));
        if let (true, Some(feature)) = (SERVER_ONLY.contains(&name.as_str()), client) {
            faults.push(format!("{name} is built with its feature `{feature}`"));
        }
    }
    faults.sort();
    faults.dedup();
    assert_none("the server could call out", &faults);
}
