//! `carrel selftest`: is what is here whole, and does nothing get out?

mod egress;

use super::doctor::say;
use crate::Outcome;
use crate::config::Configuration;
use crate::examination::subject;
use domain::Environment;
use operations::doctor::{Depth, examine};
use std::net::IpAddr;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Try to reach the outside by name, TCP, UDP and ICMP, over IPv4 and IPv6, instead of looking at the data
    #[arg(long)]
    egress: bool,
    /// With --egress: one more address to try, such as that of a machine which is known to answer
    #[arg(long, value_name = "ADDRESS", requires = "egress")]
    to: Vec<IpAddr>,
    /// Only what tells whether this machine can serve: no models and originals are read
    #[arg(long)]
    quick: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments, configuration: &Configuration) -> Outcome {
    let Arguments { egress, to, quick, json } = arguments;
    if egress {
        let findings = tokio::task::spawn_blocking(move || egress::findings(&to)).await?;
        return say(&findings, json).map_err(|_| "this machine can reach the outside; see the lines above".into());
    }
    let depth = if quick { Depth::Quick } else { Depth::Usual };
    say(&examine(&subject(configuration, Environment::system()), depth).await, json)
}
