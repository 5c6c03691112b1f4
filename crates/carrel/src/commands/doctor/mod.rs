//! `carrel doctor`: what is wrong, why it matters, and what to do.

mod configuration;
mod index;
mod machine;

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;
use crate::examination::subject;
use domain::Environment;
use operations::doctor::{Depth, Finding, State, examine, failed_units, kernel};
use serde_json::json;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Read every original and compare every index of the database: takes as long as reading the disk
    #[arg(long)]
    deep: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Looks at everything. Works beside a running server and without one, and changes nothing.
pub(crate) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let depth = if arguments.deep { Depth::Deep } else { Depth::Usual };
    say(&findings(configuration, depth).await, arguments.json)
}

/// For a configuration that cannot be used: then nothing else can be looked at.
pub(crate) fn without_configuration(arguments: &Arguments, error: &dyn std::fmt::Display) -> Outcome {
    say(&[configuration::unusable(error)], arguments.json)
}

/// All findings, in the order in which they make sense.
pub(crate) async fn findings(configuration: &Configuration, depth: Depth) -> Vec<Finding> {
    let subject = subject(configuration, Environment::system());
    let mut findings = vec![configuration::looked_at(configuration)];
    findings.extend(examine(&subject, depth).await);
    findings.push(index::looked_at(&subject).await);
    findings.push(kernel());
    findings.push(machine::confinement(&subject.data).await);
    findings.push(machine::processor());
    findings.extend(failed_units());
    findings
}

/// Prints findings for a person or a program; an error if one of them failed.
pub(crate) fn say(findings: &[Finding], json: bool) -> Outcome {
    let worst = findings.iter().map(|finding| finding.state).max().unwrap_or(State::Failed);
    if json {
        print_json(&json!({ "ok": worst < State::Failed, "state": worst, "checks": findings }));
    } else {
        for Finding { check, state, detail, why, advice, .. } in findings {
            let mark = match state {
                State::Ok => "ok     ",
                State::Warning => "look   ",
                State::Failed => "FAILED ",
            };
            println!("{mark} {check:24} {detail}");
            if !why.is_empty() {
                println!("{:33}why: {why}\n{:33}do:  {advice}", "", "");
            }
        }
    }
    match findings.iter().filter(|finding| finding.state == State::Failed).count() {
        0 => Ok(()),
        failed => Err(format!("{failed} of {} checks failed; see the lines above", findings.len()).into()),
    }
}
