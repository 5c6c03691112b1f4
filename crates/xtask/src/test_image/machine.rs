//! A machine in the emulator, driven over its serial line, which ends in a root shell on test images.

use crate::failure::{Context, Failure, Result};
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The prompt of the test image's shell.
const PROMPT: &str = "TEST-SHELL# ";

/// An address inside the emulator behind which a listener of this machine answers: what is outside, for the test.
pub const OUTSIDE: &str = "10.0.2.100";

/// A machine; dropping it is a power cut.
pub struct Machine {
    child: Child,
    input: ChildStdin,
    output: Receiver<Vec<u8>>,
    seen: String,
    log: File,
    commands: u32,
    started: Instant,
}

/// Where a machine's network leads, on this machine.
pub struct Network {
    /// Leads to the appliance's port of TLS.
    pub people: u16,
    /// Where [`OUTSIDE`] leads.
    pub outside: u16,
}

impl Machine {
    /// Starts a machine with the disk, perhaps a spare one, and, if given, a medium, which it starts from. The serial line is kept in `log`.
    pub fn start(
        disk: &Path,
        spare: Option<&Path>,
        medium: Option<(&Path, bool)>,
        network: Option<&Network>,
        log: &Path,
    ) -> Result<Self> {
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "3072", "-smp", "2"]);
        qemu.args(["-nodefaults", "-display", "none", "-monitor", "none", "-serial", "stdio"]);
        // Writes reach the file at once; a killed emulator is a power cut, as far as the guest is concerned.
        qemu.arg("-drive").arg(format!("if=none,id=disk,format=raw,cache=writethrough,file={}", disk.display()));
        let boots_from_medium = medium.is_some_and(|(_, boots)| boots);
        let (first, second) = if boots_from_medium { (1, 0) } else { (0, 1) };
        qemu.arg("-device").arg(format!("virtio-blk-pci,drive=disk,bootindex={first}"));
        if let Some(spare) = spare {
            qemu.arg("-drive").arg(format!("if=none,id=spare,format=raw,file={}", spare.display()));
            qemu.args(["-device", "virtio-blk-pci,drive=spare"]);
        }
        if let Some((medium, _)) = medium {
            qemu.arg("-drive").arg(format!("if=none,id=cd,media=cdrom,readonly=on,file={}", medium.display()));
            qemu.arg("-device").arg(format!("ide-cd,drive=cd,bootindex={second}"));
        }
        match network {
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
        qemu.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = qemu.spawn().context(|| "cannot start the emulator".to_owned())?;
        let (Some(input), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::new("the emulator has no pipes"));
        };
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                if send.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let log = File::create(log).context(|| format!("cannot write {}", log.display()))?;
        Ok(Self { child, input, output, seen: String::new(), log, commands: 0, started: Instant::now() })
    }

    /// Waits until the serial line says `text`; what stood before it is returned.
    pub fn expect(&mut self, text: &str, patience: Duration) -> Result<String> {
        let until = Instant::now() + patience;
        loop {
            if let Some(at) = self.seen.find(text) {
                let before = self.seen[..at].to_owned();
                self.seen.drain(..at + text.len());
                return Ok(before);
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => {
                    self.log.write_all(&bytes).context(|| "cannot write the log".to_owned())?;
                    self.seen += &String::from_utf8_lossy(&bytes);
                }
                Err(why) => {
                    let tail: String =
                        self.seen.chars().rev().take(1500).collect::<Vec<_>>().into_iter().rev().collect();
                    let why = if why == RecvTimeoutError::Timeout { "in time" } else { "before it ended" };
                    return Err(Failure::new(format!("the machine did not say '{text}' {why}; last it said:\n{tail}")));
                }
            }
        }
    }

    /// Waits for the shell, and makes it fit for reading.
    pub fn shell(&mut self, patience: Duration) -> Result<()> {
        self.expect(PROMPT, patience)?;
        self.run("stty -echo cols 500; dmesg -n 1; export PAGER=cat SYSTEMD_PAGER=")?;
        Ok(())
    }

    /// Runs a command in the shell: what it printed, and its exit status.
    pub fn run(&mut self, command: &str) -> Result<(String, u32)> {
        self.run_within(command, Duration::from_secs(600))
    }

    /// The same with another limit on its time.
    pub fn run_within(&mut self, command: &str, patience: Duration) -> Result<(String, u32)> {
        self.commands += 1;
        // The mark is put together by the shell, so that the echo of the command is not taken for it.
        let number = self.commands;
        let line = format!("{command}; printf '%s%s=%s=%s\\n' BEG END {number} $?\n");
        self.input
            .write_all(line.as_bytes())
            .and_then(|()| self.input.flush())
            .context(|| "the machine is gone".to_owned())?;
        let printed = self.expect(&format!("BEGEND={number}="), patience)?;
        let status = self.expect("\n", patience)?;
        let status = status.trim().parse().map_err(|_| Failure::new(format!("no exit status: {status}")))?;
        let printed = printed.rsplit_once("$?\r\n").map_or(printed.as_str(), |(_, rest)| rest);
        Ok((printed.replace('\r', "").replace(PROMPT, ""), status))
    }

    /// Runs a command that must end well.
    pub fn done(&mut self, command: &str) -> Result<String> {
        let (printed, status) = self.run(command)?;
        if status == 0 { Ok(printed) } else { Err(Failure::new(format!("`{command}` ended with {status}: {printed}"))) }
    }

    /// Waits until the machine has switched itself off.
    pub fn wait_off(&mut self, patience: Duration) -> Result<()> {
        let until = Instant::now() + patience;
        while self.child.try_wait().context(|| "cannot wait for the emulator".to_owned())?.is_none() {
            if Instant::now() > until {
                return Err(Failure::new("the machine did not switch itself off in time"));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// Seconds since power-on.
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of this machine that is free now.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context(|| "no port is free".to_owned())?;
    Ok(listener.local_addr().context(|| "no port is free".to_owned())?.port())
}
