//! `carrel selftest`: is what is here whole, and does nothing get out?

mod data;
mod egress;

use super::print_json;
use crate::Outcome;
use crate::config::Configuration;
use serde::Serialize;
use serde_json::json;
use std::net::IpAddr;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Try to reach the outside by name, TCP, UDP and ICMP, over IPv4 and IPv6, instead of looking at the data
    #[arg(long)]
    egress: bool,
    /// With --egress: one more address to try, such as that of a machine which is known to answer
    #[arg(long, value_name = "ADDRESS", requires = "egress")]
    to: Vec<IpAddr>,
    /// Do not hash the models
    #[arg(long)]
    quick: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// Works, and somebody should look at it.
    Warning,
    /// Not as it should be.
    Failed,
}

/// One check and what it found, in a sentence for an admin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: String,
    state: State,
    detail: String,
}

impl Finding {
    fn new(check: impl Into<String>, state: State, detail: impl Into<String>) -> Self {
        Self { check: check.into(), state, detail: detail.into() }
    }
}

pub(crate) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let Arguments { egress, to, quick, json } = arguments;
    let findings = if egress {
        tokio::task::spawn_blocking(move || egress::findings(&to)).await?
    } else {
        data::findings(configuration, quick).await
    };
    let worst = findings.iter().map(|finding| finding.state).max().unwrap_or(State::Failed);
    if json {
        print_json(&json!({ "ok": worst < State::Failed, "state": worst, "checks": findings }));
    } else {
        for Finding { check, state, detail } in &findings {
            let mark = match state {
                State::Ok => "ok     ",
                State::Warning => "look   ",
                State::Failed => "FAILED ",
            };
            println!("{mark} {check:24} {detail}");
        }
    }
    let failed = findings.iter().filter(|finding| finding.state == State::Failed).count();
    match (failed, egress) {
        (0, _) => Ok(()),
        (_, true) => Err("this machine can reach the outside; see the lines above".into()),
        (_, false) => Err(format!("{failed} of {} checks failed; see the lines above", findings.len()).into()),
    }
}
