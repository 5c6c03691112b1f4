//! The second machine: installed by a person who answers questions, its data encrypted with a key on a stick and a
//! passphrase, given the backup of the first.

use super::INSTALLER_STICK_BYTES;
use super::hardware::{Hardware, Medium, Network, SECURE_BOOT};
use super::machine::{Machine, free_port};
use super::story::{AS_CARREL, BOOT, DISK_BYTES, Place, WELL, empty_disk, still_there, well};
use crate::failure::{Context, Failure, Result};
use std::fs;
use std::path::Path;
use std::time::Duration;

const PASSPHRASE: &str = "lazy yellow zebras";
const NEW_PASSWORD: &str = "nine grey seals ashore";

/// Installs it, restores into it, and starts it with the stick and without.
pub fn second_machine(first: &Place<'_>, image: &Path) -> Result<()> {
    println!("a second machine, which gets the backup of the first");
    let folder = first.folder;
    let network = Network { people: free_port()?, outside: first.network.outside };
    // The stick with the key of the backups gets that of the data as well.
    let place = Place {
        disk: folder.join("second.raw"),
        network,
        stick: first.stick.clone(),
        uefi: Some(folder.join("uefi.fd")),
        tpm: None,
        folder,
        vault: first.vault,
    };
    fs::copy(SECURE_BOOT[1], folder.join("uefi.fd")).context(|| format!("cannot copy {}", SECURE_BOOT[1]))?;
    empty_disk(&place.disk, DISK_BYTES)?;
    by_hand(&place, image)?;

    let mut machine = place.power_on("second-machine")?;
    well(&mut machine, "A")?;
    let kind = machine.done("lsblk -no TYPE,FSTYPE \"$(findmnt -no SOURCE /data)\" | head -1")?;
    if !kind.contains("crypt") {
        return Err(Failure::new(format!("the data should be on an encrypted device: {kind}")));
    }
    let secure = machine.done("od -An -tu1 -j4 /sys/firmware/efi/efivars/SecureBoot-*")?;
    println!("   the key on the stick opened the data (Secure Boot: {})", secure.trim());
    restore(&mut machine)?;
    still_there(&place)?;
    println!("   ada signed in to the second machine and found her document");
    let said = machine.done(&format!("{AS_CARREL} selftest"))?;
    println!("{said}");
    drop(machine);
    locked(&place)
}

/// As somebody does it who sits before the machine; the stick with the image is larger than what may be installed on.
fn by_hand(place: &Place<'_>, image: &Path) -> Result<()> {
    println!("installing by hand, from a stick, by UEFI with Secure Boot, with encryption");
    let installer = place.folder.join("installer.raw");
    fs::copy(image, &installer).context(|| "cannot copy the image".to_owned())?;
    let file = fs::OpenOptions::new().write(true).open(&installer).context(|| "cannot open the copy".to_owned())?;
    file.set_len(INSTALLER_STICK_BYTES).context(|| "cannot make the stick larger".to_owned())?;
    let hardware = Hardware {
        installer: Some(Medium::Stick(&installer)),
        stick: place.stick.as_deref(),
        uefi: place.uefi.as_deref(),
        ..Hardware::with(&place.disk)
    };
    let mut machine = Machine::start(&hardware, &place.folder.join("install-by-hand.log"))?;
    let about = "Passphrase, twelve characters or more";
    for (says, answer) in [
        ("Enter begins on this console.", Some("")),
        ("Keyboard (us, de-latin1, fr-latin9, ...) [us]:", Some("no-such-keyboard")),
        ("There is no keyboard 'no-such-keyboard'", None),
        ("Keyboard (us, de-latin1, fr-latin9, ...) [us]:", Some("de-latin1")),
        // The only disk: neither the stick that it started from nor the one for the key.
        ("Disk [vda]:", Some("")),
        ("EVERYTHING ON vda WILL BE ERASED. Type yes [no]:", Some("yes")),
        ("Encrypt the data:", Some("key")),
        (about, Some("too short")),
        ("Once more:", Some("too short")),
        ("That is too short.", None),
        (about, Some(PASSPHRASE)),
        ("Once more:", Some("lazy yellow zebra")),
        ("They differ.", None),
        (about, Some(PASSPHRASE)),
        ("Once more:", Some(PASSPHRASE)),
        ("Name of the machine [carrel]:", Some("second")),
        ("Address with prefix", Some("somewhere")),
        ("That is no answer to this question.", None),
        ("Address with prefix", Some("10.0.2.15/24")),
        ("Gateway [none]:", Some("10.0.2.2")),
        ("Time zone [Etc/UTC]:", Some("Europe/Berlin")),
        ("Time in UTC", Some("2031-13-03T04:05")),
        ("There is no such time.", None),
        ("Time in UTC", Some("2031-02-03T04:05")),
        ("4. Writing", None),
    ] {
        machine.expect(says, WELL)?;
        if let Some(answer) = answer {
            machine.say(answer)?;
        }
    }
    machine.expect("5. Installed in", WELL)?;
    machine.expect("press Enter", WELL)?;
    machine.say("")?;
    machine.wait_off(Duration::from_secs(300))?;
    println!("   installed {:.0} s after power-on", machine.seconds());
    fs::remove_file(&installer).context(|| "cannot remove the stick".to_owned())
}

/// As key r at the console does it.
fn restore(machine: &mut Machine) -> Result<()> {
    let said = machine.done("echo yes | /usr/lib/carrel/backup restore")?;
    if !said.contains("was restored") {
        return Err(Failure::new(format!("the backup was not restored: {said}")));
    }
    println!("   {}", said.trim().lines().last().unwrap_or_default());
    Ok(())
}

/// Without the stick nothing opens the data but the passphrase, typed on the keyboard that the site has.
fn locked(place: &Place<'_>) -> Result<()> {
    println!("the second machine without its stick");
    let hardware =
        Hardware { network: Some(&place.network), uefi: place.uefi.as_deref(), ..Hardware::with(&place.disk) };
    let mut machine = Machine::start(&hardware, &place.folder.join("locked.log"))?;
    machine.shell(BOOT)?;
    let screen = machine.expect_on_screen("LOCKED", BOOT)?;
    println!("{}", screen.trim_end());
    if !screen.contains("No stick labelled CARREL-KEY is there.") {
        return Err(Failure::new("the screen should say why the data are locked"));
    }
    let closed = "! mountpoint -q /data && ! [ -e /dev/mapper/carrel-data ] && /usr/lib/carrel/slot list";
    let list = machine.done(closed)?;
    if !list.contains("A_TRY=0") {
        return Err(Failure::new(format!("waiting for a passphrase is no failed start: {list}")));
    }
    type_line(&mut machine, "wrong words")?;
    machine.expect_on_screen("That passphrase does not open them.", BOOT)?;
    machine.done(closed)?;
    type_line(&mut machine, PASSPHRASE)?;
    machine.expect_on_screen("Health", BOOT)?;
    well(&mut machine, "A")?;
    still_there(place)?;
    println!("   the passphrase, typed on a German keyboard, opened the data");
    // Enter shows the keys; key 3 gives a person a new password.
    type_line(&mut machine, "")?;
    machine.expect_on_screen("3 new password", BOOT)?;
    machine.press(&["3"])?;
    for (prompt, answer) in
        [("Sign-in name:", "ada"), ("Password:", NEW_PASSWORD), ("Once more:", NEW_PASSWORD), ("Enter goes on", "")]
    {
        let screen = machine.expect_on_screen(prompt, BOOT)?;
        if answer.is_empty() && !screen.contains("the password of 'ada' was changed") {
            return Err(Failure::new(format!("the password should be changed:\n{screen}")));
        }
        type_line(&mut machine, answer)?;
    }
    place.person()?.sign_in("ada", NEW_PASSWORD)?;
    println!("   ada signed in with the password that she was given at the console");
    Ok(())
}

/// At the keyboard before the screen.
fn type_line(machine: &mut Machine, text: &str) -> Result<()> {
    machine.press(&german(text))?;
    machine.press(&["ret"])
}

/// The keys that give this text on a German keyboard, by the names that they have on an American one.
fn german(text: &str) -> Vec<&str> {
    let mut keys = text.split("").filter(|letter| !letter.is_empty()).collect::<Vec<_>>();
    for key in &mut keys {
        *key = match *key {
            " " => "spc",
            "y" => "z",
            "z" => "y",
            letter => letter,
        };
    }
    keys
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_german_keyboard_has_z_where_an_american_one_has_y() {
        assert_eq!(super::german("zy a"), ["y", "z", "spc", "a"]);
    }
}
