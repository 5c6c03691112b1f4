//! The self-test, where there is no way out, where there is one, and behind the appliance's firewall. Each in a network
//! of its own (unshare(1)): nothing here can reach anything, hole or not.

#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a script in a new network namespace that has nothing but a loopback interface; `None` where that is not
/// permitted.
fn alone(script: &str) -> Option<Output> {
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--net", "sh", "-ec", script])
            .env("CARREL", env!("CARGO_BIN_EXE_carrel"));
        command.output()
    };
    if !unshare(&format!("ip link set lo up; {DEVICE}")).is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this machine permits no network namespaces with devices in them");
        return None;
    }
    Some(unshare(script).unwrap())
}

fn report(output: &Output) -> Value {
    let read = serde_json::from_slice(&output.stdout);
    read.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn failed(report: &Value) -> Vec<&str> {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().filter(|check| check["state"] == "failed").map(|check| check["check"].as_str().unwrap()).collect()
}

/// A network device that swallows what it gets, and counts.
const DEVICE: &str = "ip link add hole type dummy 2>/dev/null || ip link add hole type bridge";

/// A way out for both protocols, as far as the kernel is concerned.
const HOLE: &str = "ip link set hole up
    ip address add 10.99.0.2/24 dev hole; ip route add default via 10.99.0.1 dev hole
    ip neighbour add 10.99.0.1 lladdr 02:00:00:00:00:01 dev hole
    ip -6 address add fd99::2/64 dev hole nodad; ip -6 route add default via fd99::1 dev hole
    ip -6 neighbour add fd99::1 lladdr 02:00:00:00:00:01 dev hole
    sleep 1\n";

#[test]
fn a_machine_without_a_way_out_passes() {
    let Some(output) = alone("ip link set lo up; exec \"$CARREL\" selftest --egress --json") else { return };
    let report = report(&output);
    assert!(output.status.success() && report["ok"] == true, "{report:#}");
    assert!(report["checks"].as_array().unwrap().len() >= 13, "{report:#}");
}

#[test]
fn a_hole_is_noticed() {
    let Some(output) = alone(&format!("ip link set lo up; {DEVICE}; {HOLE} exec \"$CARREL\" selftest --egress --json"))
    else {
        return;
    };
    let report = report(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report["ok"], false);
    let failed = failed(&report);
    for way in [
        "TCP 192.0.2.1 port 443",
        "DNS 192.0.2.1 by UDP",
        "ICMP 192.0.2.1",
        "TCP 2001:db8::1 port 443",
        "DNS 2001:db8::1 by UDP",
    ] {
        assert!(failed.contains(&way), "{way} got out unnoticed: {report:#}");
    }
}

#[test]
fn the_firewall_of_the_appliance_closes_the_hole_and_counts() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../appliance/root/etc/nftables.conf");
    if !Command::new("nft").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: nft is not installed");
        return;
    }
    let script = format!(
        "ip link set lo up; {DEVICE}; {HOLE} nft -f {}; \"$CARREL\" selftest --egress --json; nft list counter inet carrel egress >&2",
        rules.display()
    );
    let Some(output) = alone(&script) else { return };
    let report = report(&output);
    assert!(output.status.success() && report["ok"] == true, "{report:#}");
    let counted = String::from_utf8_lossy(&output.stderr);
    let packets = counted.split_whitespace().skip_while(|word| *word != "packets").nth(1).unwrap();
    assert!(packets.parse::<u64>().unwrap() >= 8, "attempts were not counted: {counted}");
}
