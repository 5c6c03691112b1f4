//! The story of an appliance, step by step. Each step says what it saw.

use super::hardware::{Hardware, Medium, Network, OUTSIDE};
use super::machine::{Machine, free_port};
use super::person::Person;
use super::second::second_machine;
use super::{BAD, GOOD, stick};
use crate::failure::{Context, Failure, Result};
use crate::workspace::{Workspace, run};
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A disk as large as the installer asks for; it is a file that takes only what is written.
pub const DISK_BYTES: u64 = 10 << 30;

const VAULT_BYTES: u64 = 2 << 30;
/// Where the service makes backups by itself: on the disk that key b uses, and beside its backups.
const BY_ITSELF: &str = "/mnt/backup/by-itself";
/// The label of the disk that backups go to.
const VAULT: &str = "CARREL-BAK";

const PASSWORD: &str = "quiet herons at noon";

/// An emulated processor on a busy machine is some fifty times slower than a real one.
pub const BOOT: Duration = Duration::from_secs(1200);
pub const WELL: Duration = Duration::from_secs(2400);

/// A machine, and what is around it.
pub struct Place<'a> {
    pub folder: &'a Path,
    pub disk: PathBuf,
    /// Where backups go.
    pub vault: &'a Path,
    /// The variables of its UEFI; without them it has a BIOS.
    pub uefi: Option<PathBuf>,
    /// The state of its TPM, if it has one.
    pub tpm: Option<PathBuf>,
    /// A stick that is in.
    pub stick: Option<PathBuf>,
    pub network: Network,
}

impl Place<'_> {
    pub fn power_on(&self, name: &str) -> Result<Machine> {
        let updates = self.folder.join("updates.iso");
        let hardware = Hardware {
            spare: Some(self.vault),
            dvd: Some(&updates),
            stick: self.stick.as_deref(),
            uefi: self.uefi.as_deref(),
            tpm: self.tpm.as_deref(),
            network: Some(&self.network),
            ..Hardware::with(&self.disk)
        };
        Machine::start(&hardware, &self.folder.join(format!("{name}.log")))
    }

    pub fn person(&self) -> Result<Person> {
        Person::at(self.network.people, self.folder, BOOT)
    }
}

/// What key 5 at the console does.
const BUNDLE: &str = "carrel --config /data/config/carrel.toml --data /data/carrel bundle";

/// Tells it; an error is the step that failed.
pub fn tell(workspace: &Workspace, folder: &Path, image: &Path, only_second: bool) -> Result<()> {
    let (outside, reached) = listen_outside()?;
    let network = Network { people: free_port()?, outside };
    let [vault, key, tpm] = ["vault.raw", "key.img", "tpm"].map(|name| folder.join(name));
    let disk = folder.join("disk.raw");
    let place = Place { folder, disk, vault: &vault, uefi: None, tpm: Some(tpm), stick: Some(key), network };
    if !only_second {
        first_machine(workspace, &place, image, &reached)?;
    }
    second_machine(&place, image)?;
    println!("everything is as it should be");
    Ok(())
}

fn first_machine(workspace: &Workspace, place: &Place<'_>, image: &Path, reached: &AtomicUsize) -> Result<()> {
    empty_disk(place.vault, VAULT_BYTES)?;
    run(Command::new("mkfs.vfat").args(["-F", "32", "-n", VAULT]).arg(place.vault))?;
    if let Some(key) = &place.stick {
        stick(key, "CARREL-KEY", &[])?;
    }
    if let Some(tpm) = &place.tpm {
        let _ = std::fs::remove_dir_all(tpm);
    }
    empty_disk(&place.disk, DISK_BYTES)?;

    install(place, image)?;
    let mut machine = place.power_on("first-start")?;
    first_start(place, &mut machine)?;
    people_and_documents(place, &mut machine, workspace)?;
    back_up(&mut machine)?;
    sealed(&mut machine, reached)?;
    reaches_inside(&mut machine, reached)?;
    println!("power cut");
    drop(machine);

    let mut machine = place.power_on("after-power-cut")?;
    well(&mut machine, "A")?;
    place.person()?.sign_in("ada", PASSWORD)?;
    let audit =
        machine.done("setpriv --reuid=carrel --regid=carrel --clear-groups carrel --data /data/carrel selftest")?;
    println!("after the power cut:\n{audit}");
    backed_up_by_itself(&mut machine)?;

    updates(&mut machine)?;
    switch_off(machine)?;
    let mut machine = place.power_on("updated")?;
    well(&mut machine, "B")?;
    expect_version(&mut machine, GOOD)?;
    still_there(place)?;
    migrated_on_a_copy(&mut machine)?;

    println!("applying version {BAD}, whose server does not start");
    machine.done("/usr/lib/carrel/update /run/carrel/stick/bad.carrel")?;
    switch_off(machine)?;
    let mut machine = place.power_on("bad-update")?;
    machine.expect("Carrel (slot A)", BOOT)?;
    println!("the bad version starts in slot A ({:.0} s)", machine.seconds());
    machine.expect("Carrel (slot B)", WELL)?;
    println!("the machine restarted by itself into slot B ({:.0} s)", machine.seconds());
    well(&mut machine, "B")?;
    expect_version(&mut machine, GOOD)?;
    still_there(place)?;
    drop(machine);
    Ok(())
}

/// In order: a TPM takes more than a few power cuts for guessing, and locks itself.
fn switch_off(mut machine: Machine) -> Result<()> {
    machine.say("systemctl poweroff")?;
    machine.wait_off(Duration::from_secs(600))
}

/// The answers come on a stick of their own; the key of the data goes into the TPM.
fn install(place: &Place<'_>, image: &Path) -> Result<()> {
    println!("installing from a DVD to an empty disk, by preseed");
    let (log, preseed) = (place.folder.join("install.log"), place.folder.join("preseed.img"));
    let hardware = Hardware {
        installer: Some(Medium::Dvd(image)),
        stick: Some(&preseed),
        tpm: place.tpm.as_deref(),
        ..Hardware::with(&place.disk)
    };
    let mut machine = Machine::start(&hardware, &log)?;
    machine.expect("5. Installed in", WELL)?;
    machine.wait_off(Duration::from_secs(300))?;
    println!("   installed {:.0} s after power-on", machine.seconds());
    Ok(())
}

fn first_start(place: &Place<'_>, machine: &mut Machine) -> Result<()> {
    well(machine, "A")?;
    place.person()?;
    println!("   the service answers through the forwarded port");
    let disks =
        machine.done("systemctl start carrel-disks && jq -Mr '.[].smartctl.argv[-1]' /run/carrel-disks/disks.json")?;
    println!("   disks that were asked how they are: {}", disks.split_whitespace().collect::<Vec<_>>().join(", "));
    machine.done(
        "ssh-keygen -qt ed25519 -N '' -f /run/carrel/id && install -D -m 600 /run/carrel/id.pub /data/config/ssh/authorized_keys && \
         /usr/lib/carrel/site-set ssh=yes",
    )?;
    let ssh =
        "ssh -i /run/carrel/id -o BatchMode=yes -o StrictHostKeyChecking=no root@127.0.0.1 cat /data/state/served-by";
    machine.done(&format!("for i in $(seq 60); do {ssh} 2>/dev/null && break; sleep 2; done; {ssh}"))?;
    machine.done(&format!(
        "rm -r /data/config/ssh && /usr/lib/carrel/site-set ssh= && sleep 5; ! {ssh} && \
         ! nft list set inet carrel services | grep -qw 22"
    ))?;
    println!("   a shell by SSH, for as long as it is switched on");
    machine.done("mountpoint -q /var/log/journal && find /data/journal -name '*.journal' | grep -q .")?;
    println!("   the journal lies on the data partition");
    let failed = machine.done("systemctl --failed --no-legend --plain")?;
    let tpm = machine.done("cryptsetup luksDump /dev/disk/by-partlabel/CARREL-DATA | grep systemd-tpm2")?;
    println!("   the TPM opened the data ({})", tpm.trim());
    if failed.trim().is_empty() { Ok(()) } else { Err(Failure::new(format!("units failed: {failed}"))) }
}

/// Waits until the slot's health is confirmed, and checks what the boot loader knows.
pub fn well(machine: &mut Machine, slot: &str) -> Result<()> {
    machine.shell(BOOT)?;
    println!("   shell {:.0} s after power-on", machine.seconds());
    let wait = "for i in $(seq 600); do systemctl is-active -q carrel-health && break; sleep 3; done; systemctl is-active carrel-health";
    let (state, status) = machine.run_within(wait, WELL)?;
    if status != 0 {
        let (journal, _) = machine.run("journalctl -b -n 60 --no-pager -o cat")?;
        return Err(Failure::new(format!("the slot was not found well ({}):\n{journal}", state.trim())));
    }
    let list = machine.done("/usr/lib/carrel/slot current; /usr/lib/carrel/slot list")?;
    if !(list.contains(&format!("{slot}_OK=1")) && list.contains(&format!("{slot}_TRY=0")) && list.starts_with(slot)) {
        return Err(Failure::new(format!("slot {slot} should run and be well: {list}")));
    }
    println!("   slot {slot} is well {:.0} s after power-on", machine.seconds());
    Ok(())
}

pub const AS_CARREL: &str = "setpriv --reuid=carrel --regid=carrel --clear-groups carrel --data /data/carrel";

fn people_and_documents(place: &Place<'_>, machine: &mut Machine, workspace: &Workspace) -> Result<()> {
    machine.done(&format!("echo '{PASSWORD}' >/run/carrel/pw && chmod 644 /run/carrel/pw"))?;
    let person = place.person()?;
    let screen = machine.expect_on_screen("Setup code", WELL)?;
    println!("{}", screen.trim_end());
    let code = screen.split("Setup code").nth(1).and_then(|rest| rest.split_whitespace().next());
    person.sets_up(code.unwrap_or_default(), PASSWORD)?;
    println!("   two people began the site with the code on the screen");
    for command in ["user create ada --password-file /run/carrel/pw", "collection grant Handbook ada write"] {
        machine.done(&format!("{AS_CARREL} {command}"))?;
    }
    person.sign_in("ada", PASSWORD)?;
    println!("   ada signed in through the forwarded port");
    person.upload(&workspace.path("tests/samples/handbook/employee-handbook.pdf"))?;
    person.finds("annual+leave", "Employee Handbook", WELL)?;
    println!("   her document was read by a confined process and is found");
    let begun = machine.seconds();
    let page = person.asks("How many days of annual leave do employees have?", WELL)?;
    let state = page.split("data-state=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    println!(
        "   her question was answered ({state}) {:.0} s later, by an emulated processor",
        machine.seconds() - begun
    );
    if !["finished", "refused"].contains(&state) {
        return Err(Failure::new(format!("the question should be answered, not '{state}'")));
    }
    Ok(())
}

/// As key b at the console does it, while the service runs: the key goes to the stick, which the next machine gets as well.
fn back_up(machine: &mut Machine) -> Result<()> {
    let said = machine.done("/usr/lib/carrel/backup make")?;
    println!("   {}", said.trim().lines().last().unwrap_or_default());
    machine.done(&format!("sed -i 's|^# to = .*|to = \"{BY_ITSELF}\"|' /data/config/carrel.toml"))?;
    Ok(())
}

/// From the next start on the service makes backups on its own, from within its unit.
fn backed_up_by_itself(machine: &mut Machine) -> Result<()> {
    let made = format!("{BY_ITSELF}/snapshots/*.age");
    let said =
        machine.done(&format!("for _ in {{1..90}}; do ls {made} 2>/dev/null && break; sleep 2; done; ls {made}"))?;
    println!("   the service made a backup by itself: {}", said.trim().lines().last().unwrap_or_default());
    Ok(())
}

/// A disk with nothing on it: a file that takes only what is written.
pub fn empty_disk(path: &Path, bytes: u64) -> Result<()> {
    let made = File::create(path).and_then(|file| file.set_len(bytes));
    made.context(|| format!("cannot make {}", path.display()))
}

pub fn still_there(place: &Place<'_>) -> Result<()> {
    let person = place.person()?;
    person.sign_in("ada", PASSWORD)?;
    person.finds("annual+leave", "Employee Handbook", WELL)
}

/// Nothing leaves, from the machine or from the service; what tries is counted; and a hole would be noticed.
fn sealed(machine: &mut Machine, reached: &AtomicUsize) -> Result<()> {
    let test = format!("carrel selftest --egress --to {OUTSIDE}");
    let before = counted(machine)?;
    machine.done(&test)?;
    let after = counted(machine)?;
    if after < before + 10 || reached.load(Ordering::SeqCst) > 0 {
        return Err(Failure::new(format!("attempts were not counted ({before}, {after}) or got out")));
    }
    println!("   nothing left the machine; {} packets were dropped and counted", after - before);
    // Before what comes below starts the firewall, and its counters, anew.
    heard_of(machine, "egress.dropped")?;

    let inside = format!("nsenter --net=/proc/$(systemctl show -P MainPID carrel.service)/ns/net -- {test}");
    machine.done(&inside)?;
    println!("   nothing left the service's own network");

    machine.done("nft flush ruleset")?;
    let (said, status) = machine.run(&test)?;
    if status != 1 || reached.load(Ordering::SeqCst) == 0 || !said.contains("reached the outside") {
        return Err(Failure::new(format!("without the firewall the self-test should find a hole: {said}")));
    }
    println!("   without the firewall the outside was reached, and the self-test said so");
    let count = reached.load(Ordering::SeqCst);
    machine.done(&inside)?;
    if reached.load(Ordering::SeqCst) > count {
        return Err(Failure::new("the service's network leads outside when the firewall is gone"));
    }
    println!("   the service's own network leads nowhere even then");
    machine.done("systemctl restart nftables")?;
    let exposure = machine.done("systemd-analyze security --no-pager carrel.service | tail -1")?;
    println!("   {}", exposure.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic()).trim_end());
    Ok(())
}

/// The service looks at what the firewall says once a minute.
fn heard_of(machine: &mut Machine, action: &str) -> Result<()> {
    machine.done("systemctl start carrel-egress")?;
    let heard = machine.done(&format!(
        "for i in $(seq 60); do rm -f /tmp/log.jsonl; {AS_CARREL} audit export --output /tmp/log.jsonl >/dev/null && \
         grep -q '\"{action}\"' /tmp/log.jsonl && break; sleep 5; done; grep -c '\"{action}\"' /tmp/log.jsonl"
    ))?;
    println!("   the audit log heard of it ({action}: {})", heard.trim());
    Ok(())
}

/// One server inside, as the console's key w lets the service reach it: the service does, by its name, and nobody else does.
fn reaches_inside(machine: &mut Machine, reached: &AtomicUsize) -> Result<()> {
    let service = "$(systemctl show -P MainPID carrel.service)";
    // In the service's network, under its account and under the filter of its unit.
    let connect = format!(
        "(echo $BASHPID >/sys/fs/cgroup/system.slice/carrel.service/cgroup.procs; exec nsenter --net=/proc/{service}/ns/net -- \
         setpriv --reuid=carrel --regid=carrel --clear-groups timeout 30 bash -c 'exec 3<>/dev/tcp/127.77.0.1/80; cat <&3')"
    );
    let tries = |machine: &mut Machine| -> Result<usize> {
        let before = reached.load(Ordering::SeqCst);
        machine.run(&connect)?;
        Ok(reached.load(Ordering::SeqCst) - before)
    };
    if tries(machine)? > 0 {
        return Err(Failure::new("nothing inside may be reached before somebody allows it"));
    }
    machine.done(&format!("/usr/lib/carrel/site-set reach=logs.inside.example@{OUTSIDE}:80"))?;
    machine
        .done("for i in $(seq 60); do systemctl is-active carrel-reach@127.77.0.1:80.socket && break; sleep 1; done")?;
    machine.done(&format!("grep -x '127.77.0.1 logs.inside.example' /proc/{service}/root/etc/hosts"))?;
    if tries(machine)? != 1 {
        let why = machine.done("systemctl --no-pager status 'carrel-reach@*'; nft list table inet carrel")?;
        return Err(Failure::new(format!("the service should reach what it may reach: {why}")));
    }
    // It is no directory, so the check fails; but it is asked, by its name.
    let count = reached.load(Ordering::SeqCst);
    machine.done(
        "cd /tmp && openssl req -x509 -newkey ed25519 -nodes -subj /CN=x -keyout /dev/null -out ca.pem 2>/dev/null && \
         chmod 644 ca.pem && echo x | install -m 600 -o carrel /dev/stdin password && cd /",
    )?;
    let (said, _) = machine.run(
        "CARREL_DIRECTORY__CA_FILE=/tmp/ca.pem CARREL_DIRECTORY__BIND_PASSWORD_FILE=/tmp/password \
         CARREL_DIRECTORY__BIND_DN=cn=x CARREL_DIRECTORY__ADDRESS=ldap://logs.inside.example:80 CARREL_DIRECTORY__START_TLS=true \
         CARREL_DIRECTORY__BASE=dc=example /usr/lib/carrel/bin/carrel directory check 2>&1",
    )?;
    if reached.load(Ordering::SeqCst) == count {
        return Err(Failure::new(format!("'carrel directory check' should reach what the service does: {said}")));
    }
    let count = reached.load(Ordering::SeqCst);
    machine.done(&format!("carrel selftest --egress --to {OUTSIDE}"))?;
    if reached.load(Ordering::SeqCst) > count {
        return Err(Failure::new("what the service may reach was open to others as well"));
    }
    machine.done("setpriv --reuid=carrel-reach --regid=carrel-reach --clear-groups carrel selftest --egress")?;
    // As the console does: the log need not wait for the service to look.
    machine.done(&format!("systemctl start carrel-egress && {AS_CARREL} console-egress"))?;
    heard_of(machine, "egress.reach")?;
    let before = counted(machine)?;
    machine.done("/usr/lib/carrel/site-set reach=")?;
    if counted(machine)? > before {
        return Err(Failure::new("closing a way is no attempt to leave"));
    }
    if tries(machine)? > 0 {
        return Err(Failure::new("a way that was closed is still open"));
    }
    println!("   one server inside was reached, by the service alone, for as long as it was allowed");
    Ok(())
}

fn counted(machine: &mut Machine) -> Result<u64> {
    let printed =
        machine.done("nft -j list counter inet carrel egress | jq -M '.nftables[].counter.packets // empty'")?;
    printed.trim().parse().map_err(|_| Failure::new(format!("no counter: {printed}")))
}

fn updates(machine: &mut Machine) -> Result<()> {
    machine.done("mkdir -p /run/carrel/stick && mount -o ro -L CARREL-UPD /run/carrel/stick")?;
    for (file, reason) in [
        ("forged", "the signature is not one of the key"),
        ("same", "is not newer"),
        ("cut", "the file is cut short"),
        ("altered", "a file is not what was signed"),
    ] {
        let (said, status) = machine.run(&format!("/usr/lib/carrel/update /run/carrel/stick/{file}.carrel 2>&1"))?;
        if status == 0 || !said.contains(reason) {
            return Err(Failure::new(format!("{file}.carrel should be refused ({reason}): {said}")));
        }
        println!("   {file}.carrel: {}", said.trim().lines().last().unwrap_or_default());
    }
    let list = machine.done("/usr/lib/carrel/slot list")?;
    if !list.contains("B_TRY=3") {
        return Err(Failure::new(format!("a slot that was written halfway must not start: {list}")));
    }
    // As a person does it, key 5 at the console: checked by the product, recorded, then written by the same script.
    for (file, reason) in [("forged", "signature"), ("same", "is not newer")] {
        let (said, status) = machine.run(&format!("{BUNDLE} apply /run/carrel/stick/{file}.carrel 2>&1"))?;
        if status == 0 || !said.contains(reason) {
            return Err(Failure::new(format!("{file}.carrel should be refused ({reason}): {said}")));
        }
        println!("   carrel bundle apply {file}.carrel: {}", said.trim().lines().last().unwrap_or_default());
    }
    let said = machine.done(&format!("{BUNDLE} apply /run/carrel/stick/good.carrel"))?;
    println!("   carrel bundle apply good.carrel: {}", said.trim().lines().last().unwrap_or_default());
    let told = machine.done(&format!("{BUNDLE} list --json"))?;
    if !told.contains(GOOD) {
        return Err(Failure::new(format!("the update should be in the list of bundles: {told}")));
    }
    Ok(())
}

/// The new version works on a copy of the database; the one before lies beside it as it was.
fn migrated_on_a_copy(machine: &mut Machine) -> Result<()> {
    let aside = machine.done("stat -c '%a %s' /data/carrel/bundles/before/carrel.db")?;
    println!("   the database before lies aside (mode and bytes: {})", aside.trim());
    let refused = machine.done(
        "setpriv --reuid=carrel --regid=carrel --clear-groups carrel --data /data/carrel audit export --output /tmp/log.jsonl \
         >/dev/null && grep -c '\"bundle.refused\"' /tmp/log.jsonl",
    )?;
    println!("   the audit log has {} refused bundles", refused.trim());
    Ok(())
}

fn expect_version(machine: &mut Machine, version: &str) -> Result<()> {
    machine.done("mkdir -p /run/carrel/stick && mount -o ro -L CARREL-UPD /run/carrel/stick")?;
    let printed = machine.done("cat /usr/share/carrel/version /data/state/served-by")?;
    let same = printed.split_whitespace().all(|word| word == version);
    println!("   version {version} serves");
    if same { Ok(()) } else { Err(Failure::new(format!("version {version} should serve: {printed}"))) }
}

/// What a way out would lead to: a listener of this machine, and how often it was reached.
fn listen_outside() -> Result<(u16, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").context(|| "cannot listen".to_owned())?;
    let port = listener.local_addr().context(|| "cannot listen".to_owned())?.port();
    let reached = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reached);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"outside\n");
        }
    });
    Ok((port, reached))
}
