//! What of the appliance can be checked without building it: its scripts, units and firewall rules.

use crate::failure::{Context, Failure, Result};
use crate::workspace::{Workspace, on_path, spelled};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every unit of ours that runs something, and the exposure that `systemd-analyze security` may find, in tenths. Only the first
/// one meets what comes from outside.
const EXPOSURE: &[(&str, u32)] = &[
    ("carrel.service", 7),
    // Runs nothing: it holds the network that the service and what it may reach join.
    ("carrel-network.service", 3),
    // Each without root and with one thing that costs: the host's network, to read its counters; the disks.
    ("carrel-egress.service", 11),
    ("carrel-disks.service", 11),
    // Passes bytes on to servers inside, if a site has any.
    ("carrel-reach@.service", 9),
    // Root for some seconds of a start: to own files, to mount a partition.
    ("carrel-prepare.service", 17),
    ("carrel-site.service", 28),
    ("carrel-unlock.service", 28),
    ("carrel-health.service", 30),
    // Who sits before the machine, or has the key of its shell, is root.
    ("carrel-console@.service", 81),
    ("carrel-installer@.service", 81),
    ("carrel-ssh.service", 81),
];

/// What was checked, and what could not be on this machine.
pub fn check(workspace: &Workspace) -> Result<String> {
    let folder = workspace.path("appliance");
    let mut skipped = Vec::new();
    let scripts = scripts(&folder)?;
    if scripts.len() < 12 {
        return Err(Failure::new("the scripts of the appliance were not found"));
    }
    for (script, shell) in &scripts {
        quiet(Command::new(shell).arg("-n").arg(script))?;
    }
    match on_path("shellcheck") {
        // SC2154: `ask` of the installer sets variables by name.
        Some(_) => quiet(
            Command::new("shellcheck")
                .args(["--severity=warning", "--exclude=SC2154"])
                .args(scripts.iter().map(|(script, _)| script)),
        )?,
        None => skipped.push("shellcheck"),
    }
    let units = folder.join("root/usr/lib/systemd/system");
    match on_path("systemd-analyze") {
        Some(_) => {
            verify_units(workspace, &units)?;
            exposure(&units)?;
        }
        None => skipped.push("systemd-analyze"),
    }
    match on_path("nft").filter(|_| may_ask_the_kernel()) {
        Some(_) => quiet(Command::new("nft").args(["--check", "--file"]).arg(folder.join("root/etc/nftables.conf")))?,
        None => skipped.push("nft (needs root)"),
    }
    match on_path("systemd-analyze").filter(|_| may_ask_the_kernel()) {
        Some(_) => install_portable(workspace, &folder)?,
        None => skipped.push("root for the portable variant"),
    }
    let done = format!("{} scripts, the units and the firewall rules are sound", scripts.len());
    Ok(if skipped.is_empty() { done } else { format!("{done}; not checked, for lack of {}", skipped.join(", ")) })
}

/// Every script with the shell that it is for.
fn scripts(folder: &Path) -> Result<Vec<(PathBuf, &'static str)>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).context(|| format!("cannot read {}", folder.display()))? {
            let path = entry.context(|| format!("cannot read {}", folder.display()))?.path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap_or_default();
            match text.lines().next() {
                Some("#!/bin/bash") => found.push((path, "bash")),
                Some("#!/bin/sh") => found.push((path, "sh")),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

/// `systemd-analyze verify`, whose complaints about programs that are not on this machine are no faults.
fn verify_units(workspace: &Workspace, folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).context(|| format!("cannot read {}", folder.display()))?;
    let mut units: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    // A template that listens on its own name is checked by a name that it may have.
    let scratch = workspace.scratch("test-units");
    fs::create_dir_all(&scratch).context(|| format!("cannot make {}", scratch.display()))?;
    for ending in ["socket", "service"] {
        let template = folder.join(format!("carrel-reach@.{ending}"));
        let instance = scratch.join(format!("carrel-reach@127.77.0.1:636.{ending}"));
        fs::copy(&template, &instance).context(|| format!("cannot copy {}", template.display()))?;
        units.retain(|unit| *unit != template);
        units.push(instance);
    }
    units.retain(|unit| unit.is_file());
    units.sort();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).args(&units);
    let output = verify.output().context(|| "cannot run systemd-analyze".to_owned())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours = |line: &&str| line.contains("carrel") || line.contains(".mount") || line.contains("cycl");
    let faults: Vec<&str> = said.lines().filter(ours).filter(|line| !line.contains("is not executable")).collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("units of the appliance:\n{}", faults.join("\n"))))
    }
}

/// No unit is more exposed than it has to be, and none is forgotten.
fn exposure(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).context(|| format!("cannot read {}", folder.display()))?;
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        if name.ends_with(".service") && !EXPOSURE.iter().any(|(unit, _)| *unit == name) {
            return Err(Failure::new(format!("{name}: how exposed may it be?")));
        }
    }
    for (unit, tenths) in EXPOSURE {
        let mut analyze = Command::new("systemd-analyze");
        analyze.args(["security", "--offline=true", "--no-pager", &format!("--threshold={tenths}")]);
        quiet(analyze.arg(folder.join(unit)))?;
    }
    Ok(())
}

/// Runs the portable variant's install.sh into an empty root, twice, and looks at what it made of the units.
fn install_portable(workspace: &Workspace, folder: &Path) -> Result<()> {
    let scratch = workspace.scratch("test-portable");
    let script = r#"
        rm -rf "$1"; mkdir -p "$1/tree/systemd" "$1/tree/doc" "$1/tree/licences" "$1/root/etc"
        cp "$2"/portable/* "$1/tree/"
        cp "$2"/root/usr/lib/systemd/system/carrel.service "$2"/root/usr/lib/systemd/system/carrel.socket "$1/tree/systemd/"
        cp "$2"/root/usr/lib/carrel/bin/carrel "$1/tree/carrel-command"
        printf '#!/bin/sh\necho carrel 1.2.3\n' >"$1/tree/carrel"; chmod 755 "$1/tree/carrel"
        echo 1.2.3 >"$1/tree/version"; echo '{}' >"$1/tree/bill.json"; : >"$1/root/etc/passwd"
        "$1/tree/install.sh" --root "$1/root" --port 8443
        echo '# of the site' >>"$1/root/etc/carrel/carrel.toml"
        "$1/tree/install.sh" --root "$1/root" --port 8443
        grep -q 'of the site' "$1/root/etc/carrel/carrel.toml"
        grep -qx 'ListenStream=8443' "$1/root/etc/systemd/system/carrel.socket"
        [ "$(stat -c '%a %u' "$1/root/var/lib/carrel")" = '700 900' ]
        [ "$(grep -c '^carrel:' "$1/root/etc/passwd")" = 1 ]
        [ "$(readlink "$1/root/opt/carrel/current")" = releases/1.2.3 ]
        [ "$("$1/root/opt/carrel/carrel")" = 'carrel 1.2.3' ]
        echo 1.2.4 >"$1/tree/version"; printf '#!/bin/sh\necho carrel 1.2.4\n' >"$1/tree/carrel"
        "$1/tree/install.sh" --root "$1/root" --port 8443
        [ "$("$1/root/opt/carrel/carrel")" = 'carrel 1.2.4' ] && [ -x "$1/root/opt/carrel/releases/1.2.3/carrel" ]
        grep -qx 'program=/opt/carrel/carrel config=/etc/carrel/carrel.toml' "$1/root/usr/local/bin/carrel"
        grep -q '^program = "/opt/carrel"' "$1/root/etc/carrel/carrel.toml"
        if grep -E '/data|carrel-prepare|/usr/bin/carrel' "$1/root/etc/systemd/system/carrel.service"; then exit 1; fi
        systemd-analyze security --offline=true --no-pager --threshold=10 "$1/root/etc/systemd/system/carrel.service"
        rm -rf "$1"
    "#;
    quiet(Command::new("sh").args(["-ec", script, "sh"]).arg(&scratch).arg(folder))
}

/// Runs a command whose output matters only when it fails.
fn quiet(command: &mut Command) -> Result<()> {
    let output = command.output().context(|| format!("cannot run {}", spelled(command)))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Failure::new(format!("{}:\n{}", spelled(command), String::from_utf8_lossy(&said).trim())))
}

/// nft asks the kernel even to check.
fn may_ask_the_kernel() -> bool {
    Command::new("nft").args(["list", "tables"]).output().is_ok_and(|output| output.status.success())
}
