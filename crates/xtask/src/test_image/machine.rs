//! A machine in the emulator, driven over its serial line, which ends in a root shell on test images, and by its keyboard.

use super::hardware::Hardware;
use crate::failure::{Context, Failure, Result};
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The prompt of the test image's shell.
const PROMPT: &str = "TEST-SHELL# ";

/// A machine; dropping it is a power cut.
pub struct Machine {
    child: Child,
    tpm: Option<Child>,
    input: ChildStdin,
    output: Receiver<Vec<u8>>,
    seen: String,
    log: File,
    monitor: PathBuf,
    commands: u32,
    started: Instant,
}

impl Machine {
    /// Switches it on. The serial line is kept in `log`.
    pub fn start(hardware: &Hardware<'_>, log: &Path) -> Result<Self> {
        let tpm = hardware.start_tpm()?;
        let monitor = log.with_extension("monitor");
        let mut qemu = hardware.emulator();
        qemu.args(["-chardev", &format!("socket,id=monitor,server=on,wait=off,path={}", monitor.display())]);
        qemu.args(["-mon", "chardev=monitor"]);
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
        let (seen, commands, started) = (String::new(), 0, Instant::now());
        Ok(Self { child, tpm, input, output, seen, log, monitor, commands, started })
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

    /// Types a line at the serial line.
    pub fn say(&mut self, line: &str) -> Result<()> {
        let written = self.input.write_all(format!("{line}\n").as_bytes()).and_then(|()| self.input.flush());
        written.context(|| "the machine is gone".to_owned())
    }

    /// Presses keys of the keyboard before the screen, one after the other, by the emulator's names for them.
    pub fn press(&mut self, keys: &[&str]) -> Result<()> {
        let lost = || "the emulator does not take keys".to_owned();
        let mut monitor = UnixStream::connect(&self.monitor).context(lost)?;
        for key in keys {
            monitor.write_all(format!("sendkey {key}\n").as_bytes()).context(lost)?;
            std::thread::sleep(Duration::from_millis(400));
        }
        Ok(())
    }

    /// What stands on the screen, read by the shell.
    pub fn screen(&mut self) -> Result<String> {
        let columns = "$(stty -F /dev/tty1 size | cut -d' ' -f2)";
        self.done(&format!("fold -w {columns} /dev/vcs1 | sed 's/ *$//' | cat -s"))
    }

    /// Waits until the screen shows the text.
    pub fn expect_on_screen(&mut self, text: &str, patience: Duration) -> Result<String> {
        let until = Instant::now() + patience;
        loop {
            let screen = self.screen()?;
            if screen.contains(text) {
                return Ok(screen);
            }
            if Instant::now() > until {
                return Err(Failure::new(format!("the screen did not show '{text}' in time, but:\n{screen}")));
            }
            std::thread::sleep(Duration::from_secs(1));
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
        self.say(&format!("{command}; printf '%s%s=%s=%s\\n' BEG END {number} $?"))?;
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
        for child in [Some(&mut self.child), self.tpm.as_mut()].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port of this machine that is free now.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context(|| "no port is free".to_owned())?;
    Ok(listener.local_addr().context(|| "no port is free".to_owned())?.port())
}
