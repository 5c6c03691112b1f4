//! `cargo xtask test`: everything that must pass, as named steps that can each be run alone.
//!
//! The tests run under plain `cargo test`, one step a test file: the tests of one file share a process, and with it the
//! models they load, and each file's time is seen.

mod appliance;
mod cuda;
mod tally;
mod tools;

use crate::arguments::Arguments;
use crate::failure::{Context, Failure, Result};
use crate::models::{ModelsFolder, fetch};
use crate::workspace::{self, Workspace};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tally::Tally;

/// One thing that must pass.
struct Step {
    name: String,
    about: String,
    action: Action,
}

enum Action {
    /// A cargo command that passes or fails as a whole.
    Cargo(&'static [&'static str]),
    /// `cargo test --workspace` for these targets.
    Tests(Vec<String>),
    Models,
    Tools,
    Dependencies,
    Cuda,
    Appliance,
}

enum Outcome {
    Passed(Tally),
    Skipped(String),
}

/// Reads the command line and does it.
pub fn run(mut arguments: Arguments) -> Result<()> {
    let only = arguments.options("--only")?;
    let list = arguments.flag("--list");
    arguments.finish()?;

    let workspace = Workspace::open()?;
    let steps = select(steps(&workspace.integration_tests()), &only)?;
    if list {
        for step in steps {
            println!("{:20} {}", step.name, step.about);
        }
        return Ok(());
    }
    let started = Instant::now();
    let mut total = Tally::default();
    let mut report = Vec::new();
    for step in &steps {
        println!("\n== {}: {}", step.name, step.about);
        let begun = Instant::now();
        let (tally, says) = match step.action.run(&workspace) {
            Ok(Outcome::Passed(tally)) => (tally, tally.to_string()),
            Ok(Outcome::Skipped(why)) => (Tally { skipped: 1, ..Tally::default() }, format!("skipped: {why}")),
            Err((tally, failure)) => (tally, format!("FAILED: {failure}")),
        };
        println!("{}: {says}", step.name);
        total += tally;
        report.push(format!("{:20} {:>9}  {says}", step.name, seconds(begun.elapsed())));
    }
    println!("\n{}\n{:20} {:>9}\n\n{total}", report.join("\n"), "in all", seconds(started.elapsed()));
    if total.failed == 0 { Ok(()) } else { Err(Failure::new("not everything passed; `--only NAME` runs one step")) }
}

fn steps(integration_tests: &[String]) -> Vec<Step> {
    let step = |name: &str, about: &str, action| Step { name: name.to_owned(), about: about.to_owned(), action };
    let tests = |targets: &[&str]| Action::Tests(targets.iter().map(|&word| word.to_owned()).collect());
    let mut steps = vec![
        step("format", "the code is formatted", Action::Cargo(&["fmt", "--all", "--check"])),
        step("models", "the models that tests use are here", Action::Models),
        step("tools", "the browser and the Python that tests drive are here", Action::Tools),
        step(
            "lint",
            "clippy has nothing to say",
            Action::Cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"]),
        ),
        step("cuda", "the decoder for GPUs type-checks, without CUDA", Action::Cuda),
        step("appliance", "scripts, units and firewall rules of the appliance are sound", Action::Appliance),
        step("dependencies", "licences and banned crates, by cargo-deny where it is installed", Action::Dependencies),
        step("unit", "the tests inside the crates", tests(&["--lib", "--bins"])),
    ];
    for name in integration_tests {
        steps.push(step(name, "a test file of its own", tests(&["--test", name])));
    }
    steps.push(step("doc", "the examples in the documentation", tests(&["--doc"])));
    steps
}

fn select(mut steps: Vec<Step>, only: &[String]) -> Result<Vec<Step>> {
    if let Some(unknown) = only.iter().find(|name| steps.iter().all(|step| step.name != **name)) {
        return Err(Failure::usage(format!("there is no step '{unknown}'; see `cargo xtask test --list`")));
    }
    if !only.is_empty() {
        steps.retain(|step| only.contains(&step.name));
    }
    Ok(steps)
}

impl Action {
    /// A failed action comes with what it counted until then, which is at least one failure.
    fn run(&self, workspace: &Workspace) -> std::result::Result<Outcome, (Tally, Failure)> {
        let whole = |done: Result<()>| done.map(|()| Outcome::Passed(Tally::ONE_PASSED));
        let outcome = match self {
            Self::Tests(targets) => return run_tests(workspace, targets).map(Outcome::Passed),
            Self::Cargo(arguments) => whole(workspace::run(&mut workspace.cargo(arguments))),
            Self::Cuda => whole(cuda::check(workspace)),
            Self::Appliance => appliance::check(workspace).map(|says| {
                println!("{says}");
                Outcome::Passed(Tally::ONE_PASSED)
            }),
            Self::Tools => whole(tools::provide()),
            Self::Models => whole(ModelsFolder::open().and_then(|folder| {
                fetch::fetch(workspace, &folder, &["generate-tests", "embed-default", "recognize-default"]).map(|_| ())
            })),
            Self::Dependencies => match workspace::on_path("cargo-deny") {
                // Advisories are looked up on the network and change by the day: `cargo deny check advisories`.
                Some(_) => {
                    whole(workspace::run(&mut workspace.cargo(&["deny", "check", "bans", "licenses", "sources"])))
                }
                None => Ok(Outcome::Skipped("cargo-deny is not installed".to_owned())),
            },
        };
        outcome.map_err(|failure| (Tally::ONE_FAILED, failure))
    }
}

fn run_tests(workspace: &Workspace, targets: &[String]) -> std::result::Result<Tally, (Tally, Failure)> {
    let mut tally = Tally::default();
    let mut passed = || -> Result<bool> {
        let models = ModelsFolder::open()?;
        let mut command = workspace.cargo(&["test", "--workspace", "--locked", "--quiet", "--no-fail-fast"]);
        command.args(targets).env("CARREL_MODELS", models.path()).stdout(Stdio::piped());
        let mut child = command.spawn().context(|| "cannot run cargo test".to_owned())?;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines() {
                let line = line.context(|| "cannot read the output of cargo test".to_owned())?;
                println!("{line}");
                tally += Tally::of_line(&line);
            }
        }
        Ok(child.wait().context(|| "cannot wait for cargo test".to_owned())?.success())
    };
    let failure = match passed() {
        Ok(true) if tally.failed == 0 => return Ok(tally),
        Ok(_) => Failure::new(tally.to_string()),
        Err(failure) => failure,
    };
    // A test that does not compile is counted by nobody else.
    tally.failed = tally.failed.max(1);
    Err((tally, failure))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_file_is_a_step_that_can_be_run_alone() {
        let all = || steps(&["browser".to_owned(), "faults".to_owned()]);
        assert_eq!(select(all(), &[]).unwrap().len(), 11);

        let alone = select(all(), &["faults".to_owned()]).unwrap();
        assert_eq!(alone.len(), 1);
        assert!(matches!(&alone[0].action, Action::Tests(targets) if targets == &["--test", "faults"]));
    }

    #[test]
    fn an_unknown_step_is_wrong_usage() {
        let unknown = select(steps(&[]), &["fuzz".to_owned()]).map(|_| ()).unwrap_err();
        assert_eq!(unknown.status(), 2);
        assert!(unknown.to_string().contains("'fuzz'"), "{unknown}");
    }
}
