//! What a machine in the emulator is made of.

use crate::failure::{Context, Failure, Result};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// An address inside the emulator behind which a listener of this machine answers: what is outside, for the test.
pub const OUTSIDE: &str = "10.0.2.100";

/// Where a machine's network leads, on this machine.
pub struct Network {
    /// Leads to the appliance's port of TLS.
    pub people: u16,
    /// Where [`OUTSIDE`] leads.
    pub outside: u16,
}

/// UEFI that starts nothing but what Microsoft's keys vouch for, and the variables that it begins with.
pub const SECURE_BOOT: [&str; 2] = ["/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"];

/// What the installer's image was written to.
#[derive(Clone, Copy)]
pub enum Medium<'a> {
    Dvd(&'a Path),
    Stick(&'a Path),
}

/// Drives, network, TPM.
#[derive(Clone, Copy)]
pub struct Hardware<'a> {
    /// What the system is on.
    pub disk: &'a Path,
    /// What it starts from; without it from the disk. Such a machine ends where another would restart.
    pub installer: Option<Medium<'a>>,
    /// A second disk.
    pub spare: Option<&'a Path>,
    /// What lies in the DVD drive.
    pub dvd: Option<&'a Path>,
    /// A USB stick, as the file that it is.
    pub stick: Option<&'a Path>,
    /// The variables of its UEFI, with Secure Boot; without them it has a BIOS.
    pub uefi: Option<&'a Path>,
    /// The folder with the state of its TPM.
    pub tpm: Option<&'a Path>,
    /// The cable.
    pub network: Option<&'a Network>,
}

impl<'a> Hardware<'a> {
    /// A disk, and nothing else.
    pub fn with(disk: &'a Path) -> Self {
        Self { disk, installer: None, spare: None, dvd: None, stick: None, uefi: None, tpm: None, network: None }
    }

    /// The command that starts it, but for the monitor.
    pub(super) fn emulator(&self) -> Command {
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "3072", "-smp", "2"]);
        qemu.args(["-nodefaults", "-display", "none", "-serial", "stdio"]);
        // A screen that nobody sees, and a bus for sticks.
        qemu.args(["-device", "VGA", "-device", "qemu-xhci"]);
        // Writes reach the file at once; a killed emulator is a power cut, as far as the guest is concerned.
        qemu.arg("-drive").arg(format!("if=none,id=disk,format=raw,cache=writethrough,file={}", self.disk.display()));
        qemu.args(["-device", "virtio-blk-pci,drive=disk,bootindex=1"]);
        if let Some(spare) = self.spare {
            qemu.arg("-drive").arg(format!("if=none,id=spare,format=raw,file={}", spare.display()));
            qemu.args(["-device", "virtio-blk-pci,drive=spare"]);
        }
        if let Some(dvd) = self.dvd {
            qemu.arg("-drive").arg(format!("if=none,id=dvd,media=cdrom,readonly=on,file={}", dvd.display()));
            qemu.args(["-device", "ide-cd,drive=dvd"]);
        }
        if let Some(installer) = self.installer {
            let (image, drive, device) = match installer {
                Medium::Dvd(image) => (image, "media=cdrom,readonly=on", "ide-cd"),
                Medium::Stick(image) => (image, "format=raw", "usb-storage,removable=on"),
            };
            qemu.arg("-drive").arg(format!("if=none,id=installer,{drive},file={}", image.display()));
            qemu.args(["-device", &format!("{device},drive=installer,bootindex=0"), "-no-reboot"]);
        }
        if let Some(stick) = self.stick {
            qemu.arg("-drive").arg(format!("if=none,id=stick,format=raw,file={}", stick.display()));
            qemu.args(["-device", "usb-storage,drive=stick,removable=on"]);
        }
        if let Some(variables) = self.uefi {
            qemu.args(["-machine", "smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"]);
            qemu.args(["-drive", &format!("if=pflash,format=raw,readonly=on,file={}", SECURE_BOOT[0])]);
            qemu.arg("-drive").arg(format!("if=pflash,format=raw,file={}", variables.display()));
        }
        if let Some(tpm) = self.tpm {
            qemu.arg("-chardev").arg(format!("socket,id=tpm,path={}", tpm.join("socket").display()));
            qemu.args(["-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm0"]);
        }
        match self.network {
            None => qemu.args(["-nic", "none"]),
            Some(Network { people, outside }) => {
                // A command, which the emulator runs for each connection: an address it would connect to by itself.
                let user = format!(
                    "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{people}-10.0.2.15:443,\
                     guestfwd=tcp:{OUTSIDE}:80-cmd:/bin/bash -c 'cat </dev/tcp/127.0.0.1/{outside}'"
                );
                qemu.arg("-netdev").arg(user).args(["-device", "virtio-net-pci,netdev=net"])
            }
        };
        qemu
    }

    /// The emulator of the TPM, which has to listen before that of the machine starts.
    pub(super) fn start_tpm(&self) -> Result<Option<Child>> {
        let Some(folder) = self.tpm else { return Ok(None) };
        let socket = folder.join("socket");
        let _ = std::fs::remove_file(&socket);
        std::fs::create_dir_all(folder).context(|| format!("cannot make {}", folder.display()))?;
        let mut swtpm = Command::new("swtpm");
        swtpm.args(["socket", "--tpm2", "--tpmstate"]).arg(format!("dir={}", folder.display()));
        swtpm.arg("--ctrl").arg(format!("type=unixio,path={}", socket.display())).stdout(Stdio::null());
        let child = swtpm.spawn().context(|| "cannot start the emulator of a TPM".to_owned())?;
        for _ in 0..100 {
            if socket.exists() {
                return Ok(Some(child));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(Failure::new("the emulator of a TPM does not listen"))
    }
}
